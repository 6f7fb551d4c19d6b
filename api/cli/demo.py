"""``provender demo``: the whole chain on real data, told as it happens."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import Progress, SpinnerColumn, TimeElapsedColumn

from api.cli.console import JsonOption, print_json, stderr

if TYPE_CHECKING:
    from api.demo.chain import DemoResult

EXAMPLE = Path(__file__).parents[2] / "feature_repo"


class _Told:
    """Tells the steps on stderr, each with the time it took."""

    def __init__(self) -> None:
        self._count = 0

    @contextmanager
    def step(self, title: str) -> Iterator[Callable[[str], None]]:
        self._count += 1
        started, lines = time.monotonic(), list[str]()
        with _spinner(title) if stderr.is_terminal else nullcontext():
            yield lines.append
        seconds = time.monotonic() - started
        stderr.print(f"[bold]{self._count}[/] {title} [dim]{seconds:.1f} s[/]", highlight=False, soft_wrap=True)
        for line in lines:
            stderr.print(
                f"  {line}",
                style="dim" if line.startswith(" ") else None,
                markup=False,
                highlight=False,
                soft_wrap=True,
            )


@contextmanager
def _spinner(title: str) -> Iterator[None]:
    with Progress(SpinnerColumn(), "{task.description}", TimeElapsedColumn(), console=stderr, transient=True) as shown:
        shown.add_task(title, total=None)
        yield


def demo(as_json: JsonOption = False) -> None:
    """Take real clinical data from feast apply to a verified audit report, into ./data."""
    from api.demo.chain import demonstrate
    from api.demo.quiet import quiet_libraries

    with quiet_libraries():
        result = demonstrate(EXAMPLE, Path("data"), _Told())
    if as_json:
        print_json(result.as_json())
    else:
        _print(result)


def _print(result: DemoResult) -> None:
    report, bundle, trust, data = (_near(text) for text in (result.report, result.bundle, result.trust, result.data))
    stderr.print(f"\nThe report:  {report}", highlight=False, soft_wrap=True)
    stderr.print(f"The bundle:  {bundle}", highlight=False, soft_wrap=True)
    stderr.print(
        f"The trust file:  {trust} (a real auditor gets it from the operator another way)",
        highlight=False,
        soft_wrap=True,
    )
    stderr.print("\nCheck it yourself, offline:", highlight=False)
    stderr.print(
        f"  .venv/bin/provender verify {bundle} --trust {trust} --data {data}",
        style="bold",
        highlight=False,
        soft_wrap=True,
    )


def _near(text: str) -> str:
    path, here = Path(text), Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else text
