"""td1 beside plain SHA-256 over the same bytes, each from memory: ``python benchmarks/td1.py [--rows N]``.

The bytes are those that td1 hashes, joined into one buffer for plain SHA-256, so the ratio says what
the digest costs beyond hashing. Runs alternate and the best of each is shown, since other processes can only slow
one down: one thread by processor time, two threads by the clock, beside plain SHA-256 in two threads over half of
the bytes each, which is what the machine can give just then. Where one thread stays below the aim, a profile of it says
on what the time goes.
"""

from __future__ import annotations

import argparse
import cProfile
import hashlib
import pstats
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).parents[1]))

from lineage.td1 import CHUNK_ROWS, digest_table
from lineage.td1.encode import encoded
from lineage.td1.types import logical_type

AIM = 0.8
"""of the speed of SHA-256 alone, on one thread"""


@dataclass(frozen=True)
class Figure:
    """Best seconds of one table: processor time of one thread, clock time of one and of two threads."""

    name: str
    size: int
    plain: float
    one: float
    plain_clock: float
    plain_two: float
    two: float

    def row(self) -> str:
        """The figure as a line of the table."""
        speeds = "".join(f"{self.size / seconds / 1e6:>9,.0f}" for seconds in (self.plain, self.one, self.two))
        ratios = (self.plain / self.one, self.plain_clock / self.two, self.plain_clock / self.plain_two)
        return f"{self.name:<24}{self.size / 1e6:>7,.0f}{speeds}" + "".join(f"{ratio:>11.0%}" for ratio in ratios)


def tables(rows: int) -> Iterator[tuple[str, pa.Table]]:
    """Shapes that retrievals give, most ordinary first."""
    draw = np.random.default_rng(1)
    doubles = {f"x{number}": draw.standard_normal(rows) for number in range(10)}
    yield "10 doubles", pa.table(doubles)
    yield (
        "10 doubles, 10% null",
        pa.table({name: pa.array(x, mask=draw.random(rows) < 0.1) for name, x in doubles.items()}),
    )
    keys = draw.integers(0, 10_000, rows)
    times = pa.array(draw.integers(1_600_000_000_000_000, 1_700_000_000_000_000, rows), pa.timestamp("us", tz="UTC"))
    yield (
        "key, time, 4 floats",
        pa.table({"key": keys, "time": times, **{f"f{n}": draw.standard_normal(rows, np.float32) for n in range(4)}}),
    )
    yield "strings (ASCII)", pa.table({"s": pa.array([f"patient-{key}" for key in keys.tolist()])})
    yield "strings (not ASCII)", pa.table({"s": pa.array([f"Ärztin {key}" for key in keys.tolist()])})
    yield (
        "strings, dictionary",
        pa.table({"s": pa.array([f"patient-{key}" for key in keys.tolist()]).dictionary_encode()}),
    )
    yield (
        "nanosecond timestamps",
        pa.table(
            {
                "t": pa.array(
                    draw.integers(1_600_000_000_000_000, 1_700_000_000_000_000, rows) * 1000, pa.timestamp("ns")
                )
            }
        ),
    )
    yield (
        "bool, int8, decimal",
        pa.table({"b": keys % 2 == 0, "i": keys.astype("i1"), "d": pa.array(keys).cast(pa.decimal128(20, 0))}),
    )
    flat = pa.array(draw.standard_normal(rows * 16, np.float32))
    yield "embeddings, 16 floats", pa.table({"e": pa.FixedSizeListArray.from_arrays(flat, 16)})


def hashed_bytes(table: pa.Table) -> bytes:
    """What td1 hashes of ``table``, as one buffer."""
    chunks = [table.slice(start, CHUNK_ROWS) for start in range(0, table.num_rows, CHUNK_ROWS)]
    columns = [(logical_type(field.type), number) for number, field in enumerate(table.schema)]
    parts = [encoded(kind, chunk.column(number).chunks) for chunk in chunks for kind, number in columns]
    return b"".join(piece for part in parts for piece in part)


def seconds(work: Callable[[], object], clock: Callable[[], float]) -> float:
    """How long ``work`` takes once."""
    start = clock()
    work()
    return clock() - start


def measured(name: str, table: pa.Table, repeats: int) -> Figure:
    """Runs all side by side, ``repeats`` times."""
    data = hashed_bytes(table)
    half = len(data) // 2
    halves = memoryview(data)[:half], memoryview(data)[half:]

    def plain() -> object:
        return hashlib.sha256(data).digest()

    with ThreadPoolExecutor(2) as pool:
        runs = [
            (
                seconds(plain, time.process_time),
                seconds(lambda: digest_table(table), time.process_time),
                seconds(plain, time.perf_counter),
                seconds(lambda: list(pool.map(hashlib.sha256, halves)), time.perf_counter),
                seconds(lambda: digest_table(table, threads=2), time.perf_counter),
            )
            for _ in range(repeats)
        ]
    return Figure(name, len(data), *(min(times) for times in zip(*runs, strict=True)))


def spent(table: pa.Table, *, steps: int = 6, repeats: int = 7) -> str:
    """The steps of a digest on one thread that take longest, each without those that it calls; of the quickest run."""
    found: Any = min((_profiled(table) for _ in range(repeats)), key=lambda stats: stats.total_tt)
    each = sorted(((times[2], place) for place, times in found.stats.items()), reverse=True)
    shares = [f"{_step(place)} {seconds / found.total_tt:.0%}" for seconds, place in each[:steps]]
    return ", ".join(shares)


def _profiled(table: pa.Table) -> Any:
    profile = cProfile.Profile()
    profile.runcall(digest_table, table)
    return pstats.Stats(profile)


def _step(place: tuple[str, int, str]) -> str:
    file, _, name = place
    if "HASH" in name:
        return "SHA-256"
    return name.strip("<>").replace("built-in method ", "") if file == "~" else f"{Path(file).stem}.{name}"


def main() -> None:
    """Prints one line for each shape, and where the time goes in those below the aim."""
    options = argparse.ArgumentParser(description="td1 beside plain SHA-256")
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--repeats", type=int, default=7)
    chosen = options.parse_args()
    print(f"{chosen.rows:,} rows; MB/s of hashed bytes; percentages of the speed of plain SHA-256 on one thread")
    print(f"{'':<24}{'MB':>7}{'sha256':>9}{'td1':>9}{'td1 x2':>9}{'td1':>11}{'td1 x2':>11}{'sha256 x2':>11}")
    slow = []
    for name, table in tables(chosen.rows):
        figure = measured(name, table, chosen.repeats)
        print(figure.row(), flush=True)
        if figure.plain / figure.one < AIM:
            slow.append(f"  {name}: {spent(table)}")
    if slow:
        print(f"below {AIM:.0%} on one thread; steps by their own time, profiled:", *slow, sep="\n")


if __name__ == "__main__":
    main()
