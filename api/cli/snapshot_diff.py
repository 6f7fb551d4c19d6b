"""``provender snapshot diff``: which columns, chunks and, on demand, rows of two snapshots differ."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.console import HERE, JsonOption, RepoOption, print_json, stdout

if TYPE_CHECKING:
    from lineage.differing_rows import DifferingRow
    from lineage.recorded_snapshots import RecordedSnapshots
    from lineage.snapshot_diff import SnapshotDiff

LeftArgument = Annotated[
    str, typer.Argument(metavar="A", help="td1-sha256:<hex>, or random:<hex> of a small snapshot.")
]
RightArgument = Annotated[str, typer.Argument(metavar="B", help="The snapshot to compare it with.")]
RowsOption = Annotated[
    int, typer.Option("--rows", min=0, help="Show so many of the rows that differ: prints values of the data.")
]


def diff(
    left: LeftArgument, right: RightArgument, repo: RepoOption = HERE, rows: RowsOption = 0, as_json: JsonOption = False
) -> None:
    """Compare two snapshots by the digests of their columns and chunks, without reading a row.

    Exit code 0: the same content; 1: another.
    """
    from api.assembly import opened
    from lineage.snapshot_diff import diff as compare

    recorded = opened(repo.resolve(), create=False).recorded_snapshots()
    found = compare(recorded.manifest(left), recorded.manifest(right))
    shown = _rows(recorded, found, rows) if rows else []
    if as_json:
        print_json({**_document(found), **({"differing_rows": [_row(one) for one in shown]} if rows else {})})
    else:
        _print(found, shown)
    if not found.equal:
        raise typer.Exit(1)


def _rows(recorded: RecordedSnapshots, found: SnapshotDiff, limit: int) -> list[DifferingRow]:
    from lineage.differing_rows import differing_rows

    if not found.changed:
        return []
    left, right = recorded.open(found.left), recorded.open(found.right)
    try:
        return list(islice(differing_rows(found, left, right), limit))
    finally:
        left.close()
        right.close()


def _document(found: SnapshotDiff) -> dict[str, Any]:
    return {
        "left": found.left,
        "right": found.right,
        "equal": found.equal,
        "rows": list(found.rows),
        "added": [{"column": one.name, "type": one.type} for one in found.added],
        "removed": [{"column": one.name, "type": one.type} for one in found.removed],
        "retyped": [{"column": one.name, "left": one.left, "right": one.right} for one in found.retyped],
        "changed": [
            {"column": one.name, "chunks": list(one.chunks), "rows": [list(pair) for pair in found.ranges(one)]}
            for one in found.changed
        ],
    }


def _row(one: DifferingRow) -> dict[str, Any]:
    return {"row": one.row, "standing": one.standing, "cells": {name: list(pair) for name, pair in one.cells.items()}}


def _print(found: SnapshotDiff, shown: list[DifferingRow]) -> None:
    if found.equal:
        _line("The same content: both have one digest.")
        return
    before, after = found.rows
    _line(f"rows         {before:,}{'' if before == after else f' in A, {after:,} in B'}")
    for column in found.added:
        _line(f"only in B    {column.name} ({_type(column.type)})")
    for column in found.removed:
        _line(f"only in A    {column.name} ({_type(column.type)})")
    for retyped in found.retyped:
        _line(f"other type   {retyped.name}: {_type(retyped.left)} in A, {_type(retyped.right)} in B")
    for changed in found.changed:
        places = ", ".join(f"{first:,}-{last:,}" for first, last in found.ranges(changed))
        _line(f"differs      {changed.name}, in rows {places}")
    if before != after and found.changed:
        _line("Rows are compared by their number: one row more or less moves all rows after it.")
    for row in shown:
        _line(f"row {row.row:,} ({row.standing})")
        for name, (one, other) in row.cells.items():
            _line(f"  {name}: {_value(one)} in A, {_value(other)} in B")


def _type(kind: Any) -> str:
    return kind if isinstance(kind, str) else repr(kind)


def _value(value: Any) -> str:
    return "null" if value is None else repr(value)


def _line(text: str) -> None:
    stdout.print(text, markup=False, highlight=False, soft_wrap=True)
