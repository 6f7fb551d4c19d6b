"""Point-in-time retrieval side by side: ``python benchmarks/retrieval.py [--shapes NAME ...] [--repeats N]``.

A plain DuckDB ``ASOF JOIN`` of the same query, our join, the governed retrieval as a user calls it, Feast's own file
stores and Polars. Each measured run is a process of its own, in which the contender runs twice: the second is what is
shown, so that imports, first page faults and the first sight of a source (a row of its own) are not in it. Processes
alternate between the contenders, and the median of each is shown with the peak memory beyond what the process had
before. Answers are compared by row and null counts and sums, and who answered otherwise is named: the join without a
tie-break misses corrections, and Feast's dask store loses entity rows to which nothing belongs.

``--big`` retrieves from 100 million rows on disk with a limit of 2 GiB. Writes a table to stdout and a picture to FILE.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from retrieval_data import Shape, shapes  # noqa: E402 - after the path
from retrieval_picture import picture  # noqa: E402

ORDINARY = [
    "1M x 100k",
    "10M x 1M",
    "10M x 1M, 10k entities",
    "10M x 1M, 1k entities",
    "10 views of 50",
    "skew",
    "string keys",
]
ALTERNATING = ["ASOF JOIN", "ASOF JOIN without tie-break", "our join", "governed", "Polars join_asof"]
SLOW = ["Feast duckdb", "Feast dask"]
BASE = "ASOF JOIN"


@dataclass(frozen=True)
class Figure:
    """One line: medians of the runs of a contender, or the time limit that it exceeded."""

    name: str
    wall: float
    processor: float
    peak: float
    exceeded: bool = False

    def label(self, base: Figure | None) -> str:
        """Seconds, and how many times those of the base."""
        ratio = f"   {self.wall / base.wall:.2f} x" if base is not None else ""
        return f"{'> ' if self.exceeded else ''}{self.wall:.2f} s{ratio}"

    def row(self, base: Figure | None) -> str:
        """The figure as a line of the table."""
        if self.exceeded:
            return f"  {self.name:<30}{f'> {self.wall:.0f}':>10}"
        line = f"  {self.name:<30}{self.wall:>10.2f}{self.processor:>10.2f}{self.peak / 2**20:>10,.0f}"
        if base is not None:
            line += f"{self.wall / base.wall:>9.2f}x{self.processor / base.processor:>9.2f}x"
            line += f"{self.peak / base.peak:>9.2f}x"
        return line


def child(name: str, shape: str, folder: Path, *, runs: int, scale: float, limit: float) -> dict[str, Any] | None:
    """What one process measured; None where it took longer than ``limit`` seconds or was killed for memory."""
    command = [sys.executable, str(HERE / Path(__file__).name), "--child", name, shape, str(folder.resolve())]
    command += [str(runs), "--scale", str(scale)]
    try:
        with tempfile.TemporaryDirectory(dir=folder) as spilled:  # Feast's DuckDB writes it where it stands
            done = subprocess.run(  # noqa: S603 - ourselves
                command, capture_output=True, text=True, timeout=limit, check=False, cwd=spilled
            )
    except subprocess.TimeoutExpired:
        return None
    if done.returncode == -9:
        return None
    if done.returncode != 0:
        sys.exit(f"{name} on {shape} failed:\n{done.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def figures(shape: Shape, folder: Path, chosen: argparse.Namespace) -> tuple[list[Figure], dict[str, float], list[str]]:
    """All lines of one shape, where the time of the governed retrieval goes, and who answered otherwise."""
    names = [name for name in ALTERNATING if name in chosen.contenders]
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    over: set[str] = set()
    for _ in range(chosen.repeats):
        for name in (name for name in names if name not in over):
            found = child(name, shape.name, folder, runs=2, scale=chosen.scale, limit=chosen.limit)
            if found is None:
                over.add(name)
            else:
                runs[name].append(found)
    lines = [_median(name, [each["runs"][1] for each in found]) for name, found in runs.items() if found]
    lines += [Figure(name, chosen.limit, 0, 0, exceeded=True) for name in names if not runs[name]]
    steps: dict[str, float] = {}
    if runs.get("governed"):
        lines.append(_median("governed, first sight", [each["runs"][0] for each in runs["governed"]]))
        steps = _steps([each["runs"][1] for each in runs["governed"]])
    for name in (name for name in SLOW if name in chosen.contenders):
        found = child(name, shape.name, folder, runs=1, scale=chosen.scale, limit=chosen.limit)
        lines.append(_median(name, found["runs"]) if found else Figure(name, chosen.limit, 0, 0, exceeded=True))
        if found:
            runs[name] = [found]
    checks = {name: found[0]["runs"][-1]["check"] for name, found in runs.items() if found}
    return lines, steps, _disagreements(checks)


def _median(name: str, runs: list[dict[str, Any]]) -> Figure:
    wall, processor, peak = (statistics.median(run[key] for run in runs) for key in ("wall", "processor", "peak"))
    return Figure(name, wall, processor, peak)


def _steps(runs: list[dict[str, Any]]) -> dict[str, float]:
    steps = {label: statistics.median(run["steps"][label] for run in runs) for label in runs[0]["steps"]}
    rest = statistics.median(run["wall"] for run in runs) - sum(steps.values())
    return {**steps, "verdict, Feast, the rest": rest}


def _disagreements(checks: dict[str, list[float]]) -> list[str]:
    """What each contender answered that did not answer as the base; it is to be printed, not hidden."""
    expected = checks.get(BASE) or next(iter(checks.values()), [])
    wrong = [
        name
        for name, check in checks.items()
        if not all(math.isclose(one, other, rel_tol=1e-9) for one, other in zip(check, expected, strict=True))
    ]
    return [f"{name}: {checks[name]}, expected {expected}" for name in wrong]


def _print(shape: Shape, lines: Iterable[Figure], steps: dict[str, float]) -> None:
    print(f"\n{shape.name}: {shape.views} x {shape.rows:,} feature rows, {shape.entities:,} entities,", end=" ")
    print(f"{shape.features} features, {shape.spine:,} entity rows")
    print(f"  {'':<30}{'seconds':>10}{'cpu s':>10}{'peak MiB':>10}{'time':>10}{'cpu':>10}{'peak':>10}")
    lines = list(lines)
    base = next((line for line in lines if line.name == BASE and not line.exceeded), None)
    for line in lines:
        print(line.row(base))
    if steps:
        print("  governed, by step: " + ", ".join(f"{label} {seconds:.2f}" for label, seconds in steps.items()))
    sys.stdout.flush()


def big(folder: Path, chosen: argparse.Namespace) -> None:
    """100 million rows with a limit of 2 GiB."""
    shape = shapes(chosen.scale)["big"]
    shape.write(folder)
    size = shape.source(folder, 0).stat().st_size
    print(
        f"\nbig: {shape.rows:,} feature rows, {size / 2**30:.1f} GiB on disk, {shape.spine:,} entity rows, limit 2 GiB"
    )
    for name in ("our join, 2 GiB", "governed, 2 GiB"):
        found = child(name, shape.name, folder, runs=1, scale=chosen.scale, limit=3600)
        if found is None:
            sys.exit(f"{name}: killed, or more than an hour")
        run = found["runs"][0]
        seconds = f"{run['wall']:>8.1f} s, cpu {run['processor']:.1f} s"
        print(f"  {name:<30}{seconds}, peak of the process {run['process'] / 2**20:,.0f} MiB", flush=True)


def arguments() -> argparse.Namespace:
    """What was asked."""
    options = argparse.ArgumentParser(description="point-in-time retrieval side by side")
    options.add_argument("--shapes", nargs="+", choices=[*shapes(1)], default=None)
    options.add_argument("--contenders", nargs="+", choices=[*ALTERNATING, *SLOW], default=[*ALTERNATING, *SLOW])
    options.add_argument("--repeats", type=int, default=3, help="processes of each contender")
    options.add_argument("--limit", type=float, default=300, help="seconds for a process, its start included")
    options.add_argument("--scale", type=float, default=0.1, help="of the skewed shape, which is 100 million rows at 1")
    options.add_argument("--quick", action="store_true", help="the smallest shape, once, without Feast's own stores")
    options.add_argument("--big", action="store_true", help="100 million rows with a limit of 2 GiB, and nothing else")
    options.add_argument("--data", type=Path, help="directory to keep the files in; a temporary one otherwise")
    options.add_argument("--picture", type=Path, default=Path("retrieval.svg"), metavar="FILE")
    options.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.quick:
        chosen.shapes, chosen.repeats, chosen.contenders = chosen.shapes or ["1M x 100k"], 1, ALTERNATING
    chosen.shapes = chosen.shapes or ORDINARY
    return chosen


def main() -> None:
    """Runs what was asked."""
    chosen = arguments()
    if chosen.child:
        from retrieval_runs import measured

        name, shape, folder, runs = chosen.child
        print(json.dumps(measured(name, shapes(chosen.scale)[shape], Path(folder), runs=int(runs))))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.data or Path(temporary)
        if chosen.big:
            big(folder / "big", chosen)
            return
        drawn = {}
        for name in chosen.shapes:
            shape = shapes(chosen.scale)[name]
            place = folder / f"{name.replace(' ', '-')}-{shape.rows}"
            shape.write(place)
            lines, steps, wrong = figures(shape, place, chosen)
            _print(shape, lines, steps)
            for each in wrong:
                print(f"  another answer (rows, nulls, two sums): {each}", flush=True)
            base = next((line for line in lines if line.name == BASE and not line.exceeded), None)
            drawn[name] = {line.name: (line.wall, line.label(base)) for line in lines}
        chosen.picture.write_text(picture(drawn))
        print(f"\nPicture: {chosen.picture}")


if __name__ == "__main__":
    main()
