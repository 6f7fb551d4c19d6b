"""The rows that differ between two snapshots, read from the chunks that differ and from nothing else.

Values are compared as td1 encodes them, so what differs here is what gives another digest: a null is not 0, -0.0 is
not 0.0, all NaNs are one. They are values of the data: whoever shows them, shows them to somebody who may see them.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from lineage.td1.tree import CHUNK_ROWS, leaf_hash

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from lineage.snapshot_diff import SnapshotDiff

Column: TypeAlias = Any
"""A ``pyarrow.ChunkedArray``."""
Standing = Literal["changed", "only left", "only right"]


class Chunked(Protocol):
    """Where chunks come from: a ``lineage.opened_snapshot.OpenSnapshot``, which verifies each."""

    def chunk(self, number: int, columns: Sequence[str] | None = None) -> pa.Table:
        """The rows of one chunk."""


@dataclass(frozen=True)
class DifferingRow:
    """One row with the cells that differ."""

    row: int
    standing: Standing
    cells: Mapping[str, tuple[Any, Any]]
    """column → left and right value as JSON has them, None for a null and for what is not there"""


def differing_rows(found: SnapshotDiff, left: Chunked, right: Chunked) -> Iterator[DifferingRow]:
    """The rows that differ in columns that both have with one type, in order; read as they are asked for.

    Raises SnapshotCorrupt where a chunk is not as it was recorded.
    """
    for number in sorted({number for column in found.changed for number in column.chunks}):
        names = [column.name for column in found.changed if number in column.chunks]
        sides = zip((left, right), found.rows, strict=True)
        chunks = [side.chunk(number, names) if number * CHUNK_ROWS < rows else None for side, rows in sides]
        yield from _of_chunk(number * CHUNK_ROWS, *chunks)


def _of_chunk(first: int, left: pa.Table | None, right: pa.Table | None) -> Iterator[DifferingRow]:
    both = 0
    if left is not None and right is not None:
        both = min(left.num_rows, right.num_rows)
        found = [_positions(name, left[name].slice(0, both), right[name].slice(0, both)) for name in left.column_names]
        for at, group in groupby(heapq.merge(*found), key=itemgetter(0)):
            cells = {name: (_shown(left[name][at]), _shown(right[name][at])) for _, name in group}
            yield DifferingRow(first + at, "changed", cells)
    for at in range(both, 0 if left is None else left.num_rows):
        yield DifferingRow(first + at, "only left", {name: (value, None) for name, value in _row(left, at)})
    for at in range(both, 0 if right is None else right.num_rows):
        yield DifferingRow(first + at, "only right", {name: (None, value) for name, value in _row(right, at)})


def _positions(name: str, left: Column, right: Column, first: int = 0) -> Iterator[tuple[int, str]]:
    """Where two columns of one length differ, by halving what differs."""
    if _hash(left) == _hash(right):
        return
    if len(left) == 1:
        yield first, name
        return
    half = len(left) // 2
    yield from _positions(name, left.slice(0, half), right.slice(0, half), first)
    yield from _positions(name, left.slice(half), right.slice(half), first + half)


def _hash(column: Column) -> bytes:
    from lineage.td1.encode import encoded
    from lineage.td1.types import logical_type

    return leaf_hash(encoded(logical_type(column.type), column.chunks))


def _row(table: Any, at: int) -> Iterator[tuple[str, Any]]:
    return ((name, _shown(table[name][at])) for name in table.column_names)


def _shown(scalar: Any) -> Any:
    try:
        return _json(scalar.as_py())
    except (ValueError, OverflowError):  # a time that Python's own types cannot say
        return f"{scalar.value} {scalar.type}"


def _json(value: Any) -> Any:
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else str(value)
        case bytes():
            return value.hex()
        case list() | tuple():
            return [_json(item) for item in value]
        case dict():
            return {name: _json(item) for name, item in value.items()}
        case _:
            return str(value)
