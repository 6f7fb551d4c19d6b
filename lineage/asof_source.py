"""A source as the join reads it: twice, in one order, and never whole.

The first pass reads times and keys, the second the values of the rows that matched. Both go through the same row groups
(those whose statistics do not rule them out) in the same order and filter no single row, so the number of a row is
its place in that order. The second pass leaves out row groups in which no row matched.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
from pyarrow.fs import LocalFileSystem, SubTreeFileSystem

from lineage.asof_ticks import in_reach
from lineage.duckdb_engine import Limits
from lineage.errors import SourceUnreadable
from lineage.lossless import takeable

BATCH = 2**16
"""Rows that are read, and looked at, together: their columns stay in the processor's cache."""

_SPARING = ds.ParquetFragmentScanOptions(pre_buffer=False)
"""Reading ahead pays where each read is a request, and is a copy of the file in memory where it is not."""


class Source:
    """The rows of a dataset that statistics do not rule out, in one order."""

    def __init__(
        self,
        rows: Any,
        *,
        names: Sequence[str],
        timestamp: str,
        reach: tuple[int | None, int | None],
        limits: Limits,
    ) -> None:
        """:param rows: a ``pyarrow.dataset.Dataset`` or table.

        :param names: columns that will be read, for an error.

        :param reach: first and last time (microseconds since 1970, None is open); rows of other times may be left out.
        """
        self._dataset = rows if isinstance(rows, ds.Dataset) else ds.dataset(rows)
        self._names = names
        with _readable(names):
            self._pieces = _pieces(self._dataset, in_reach(self._dataset.schema, timestamp, *reach))
        self._starts = np.cumsum([0, *(piece.rows for piece in self._pieces or ())])
        share = _share(self._pieces or (), limits)
        self._together = max(1, int(min(share, limits.workers)))
        self._width = max(1, int(min(share, 1) * len(self.schema)))

    @property
    def schema(self) -> pa.Schema:
        """Of the dataset."""
        return self._dataset.schema

    def fields(self, columns: Mapping[str, str]) -> dict[str, Any]:
        """Expressions for columns of the source (our name → its name)."""
        return {name: ds.field(source) for name, source in columns.items()}

    def schema_of(self, columns: Mapping[str, Any]) -> pa.Schema:
        """What :meth:`scan` gives. Raises SourceUnreadable."""
        with _readable(self._names):
            return self._dataset.scanner(columns=columns).projected_schema

    def where(self, columns: Mapping[str, str], inside: Any) -> pa.Table:
        """``columns`` (name → source column) of the rows that the filter lets pass. Raises SourceUnreadable."""
        wanted = self.fields(columns)
        with _readable(self._names):
            return pa.Table.from_batches(self._batches(self._pieces, wanted, inside), self.schema_of(wanted))

    def scan(self, columns: Mapping[str, Any]) -> Iterator[tuple[int, pa.RecordBatch]]:
        """``columns`` (name → expression) of all rows in batches, each with the number of its first row.

        :raises SourceUnreadable: also where the files have changed since their sizes were read.
        """
        first = 0
        with _readable(self._names):
            for batch in self._batches(self._pieces, columns):
                yield first, batch
                first += len(batch)
        if self._pieces is not None and first != self._starts[-1]:
            raise _changed()

    def take(self, columns: Mapping[str, str], numbers: Any) -> pa.Table:
        """``columns`` (name → source column) of the rows with these numbers (sorted, distinct numpy integers).

        :raises SourceUnreadable: also where the files have changed since the first pass.
        """
        pieces, places = self._holding(numbers)
        taken: dict[str, Any] = {}
        for at in range(0, len(columns), self._width):  # a part of a row group at a time, if whole ones are too large
            part = self._taken(pieces, dict(list(columns.items())[at : at + self._width]), places)
            taken |= zip(part.column_names, part.columns, strict=True)
        return pa.table(taken)

    def _taken(self, pieces: Sequence[_Piece] | None, columns: Mapping[str, str], places: Any) -> pa.Table:
        wanted, first, taken = self.fields(columns), 0, list[pa.Table]()
        schema = self.schema_of(wanted)
        with _readable(self._names):
            for batch in self._batches(pieces, wanted):
                low, high = np.searchsorted(places, [first, first + len(batch)])
                if low < high:
                    taken.append(_takeable(pa.table(batch)).take(pa.array(places[low:high] - first)))
                first += len(batch)
        if sum(len(rows) for rows in taken) != len(places):
            raise _changed()
        return pa.concat_tables([_takeable(schema.empty_table()), *taken])

    def _batches(
        self, pieces: Sequence[_Piece] | None, columns: Mapping[str, Any], inside: Any = None
    ) -> Iterator[pa.RecordBatch]:
        rows = self._dataset
        if pieces is not None:
            if not pieces:
                return
            rows = ds.FileSystemDataset([piece.fragment for piece in pieces], self.schema, rows.format, rows.filesystem)
        options = {"fragment_scan_options": _SPARING} if pieces and _local(rows) else {}
        yield from rows.scanner(
            columns=columns, filter=inside, batch_size=BATCH, fragment_readahead=self._together, **options
        ).to_batches()

    def _holding(self, numbers: Any) -> tuple[Sequence[_Piece] | None, Any]:
        """The pieces that hold rows with these numbers, and the places of those rows in a scan of these pieces."""
        if self._pieces is None:
            return None, numbers
        of = np.searchsorted(self._starts, numbers, side="right") - 1
        chosen, which = np.unique(of, return_inverse=True)
        begins = np.cumsum([0, *np.diff(self._starts)[chosen]])
        return [self._pieces[at] for at in chosen], numbers - self._starts[of] + begins[which]


@dataclass(frozen=True)
class _Piece:
    """One row group."""

    fragment: Any
    rows: int
    size: int
    """bytes of all its columns in memory, as its file says"""


def _pieces(dataset: Any, reach: Any) -> list[_Piece] | None:
    """The row groups of Parquet files; None for other datasets, which are read as they are."""
    if not isinstance(dataset, ds.FileSystemDataset):
        return None
    fragments = list(dataset.get_fragments(filter=reach))
    if not all(isinstance(fragment, ds.ParquetFileFragment) for fragment in fragments):
        return None
    groups = [group for each in fragments for group in each.split_by_row_group(filter=reach, schema=dataset.schema)]
    return [
        _Piece(
            group, sum(one.num_rows for one in group.row_groups), sum(one.total_byte_size for one in group.row_groups)
        )
        for group in groups
    ]


def _share(pieces: Sequence[_Piece], limits: Limits) -> float:
    """How many row groups, of the largest there is, fit into half of the limit."""
    if limits.memory_bytes is None:
        return math.inf
    return limits.memory_bytes / 2 / max(1, *(piece.size for piece in pieces), 1)


def _local(rows: Any) -> bool:
    files = rows.filesystem
    return isinstance(files.base_fs if isinstance(files, SubTreeFileSystem) else files, LocalFileSystem)


def _takeable(table: pa.Table) -> pa.Table:
    return pa.table([takeable(column) for column in table.columns], names=table.column_names)


def _changed() -> SourceUnreadable:
    return SourceUnreadable("A source changed while it was read. Run again when its writer is done.")


@contextmanager
def _readable(names: Sequence[str]) -> Iterator[None]:
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        raise SourceUnreadable(
            f"A source cannot be read ({type(error).__name__}). Expected the columns {sorted(set(names))};"
            " correct the source or its feature view."
        ) from None  # Arrow quotes values, which may be a person's
