"""td1 beside plain SHA-256 over the same bytes, each from memory: ``python benchmarks/td1.py [--rows N]``.

The bytes are those that td1 hashes, joined into one buffer for plain SHA-256, so the ratio says what
the digest costs beyond hashing. Runs alternate and the median of each is shown.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).parents[1]))

from lineage.td1 import CHUNK_ROWS, digest_table
from lineage.td1.encode import encoded
from lineage.td1.types import logical_type


@dataclass(frozen=True)
class Figure:
    """Median seconds of one table: plain SHA-256, td1 on one thread, td1 on two."""

    name: str
    size: int
    plain: float
    one: float
    two: float

    def row(self) -> str:
        """The figure as a line of the table."""
        speeds = "".join(f"{self.size / seconds / 1e6:>11,.0f}" for seconds in (self.plain, self.one, self.two))
        return (
            f"{self.name:<28}{self.size / 1e6:>9,.0f}{speeds}{self.plain / self.one:>9.0%}{self.plain / self.two:>9.0%}"
        )


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


def seconds(work: Callable[[], object]) -> float:
    """How long ``work`` takes once."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measured(name: str, table: pa.Table, repeats: int) -> Figure:
    """Runs the three side by side, ``repeats`` times."""
    data = hashed_bytes(table)
    runs = [
        (
            seconds(lambda: hashlib.sha256(data).digest()),
            seconds(lambda: digest_table(table)),
            seconds(lambda: digest_table(table, threads=2)),
        )
        for _ in range(repeats)
    ]
    return Figure(name, len(data), *(statistics.median(times) for times in zip(*runs, strict=True)))


def main() -> None:
    """Prints one line for each shape."""
    options = argparse.ArgumentParser(description="td1 beside plain SHA-256")
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--repeats", type=int, default=5)
    chosen = options.parse_args()
    print(f"{chosen.rows:,} rows; MB/s of hashed bytes; ratio = speed of td1 / speed of SHA-256")
    print(f"{'':<28}{'MB':>9}{'sha256':>11}{'td1':>11}{'2 threads':>11}{'ratio':>9}{'2 thr.':>9}")
    for name, table in tables(chosen.rows):
        print(measured(name, table, chosen.repeats).row(), flush=True)


if __name__ == "__main__":
    main()
