"""The rows of a snapshot as they lie in an object store, chunk by chunk; nothing of them is verified here.

They come in the types and the order of columns of :mod:`lineage.stored_types`, without metadata.
``data.parquet`` holds all chunks as its row groups, or ``part-00000.parquet``, ``part-00001.parquet``, … one each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from lineage.errors import NotDigestible, SnapshotCorrupt, UnknownSnapshot
from lineage.objects import Objects
from lineage.snapshot_names import data_place, part_place
from lineage.snapshot_parquet import open_parquet

if TYPE_CHECKING:
    import pyarrow as pa


class StoredRows:
    """The rows of one snapshot. May be pickled and forked; one thread at a time reads.

    Everything here raises UnknownSnapshot where there are no rows, SnapshotCorrupt where they cannot be read, and
    ObjectsUnreachable.
    """

    def __init__(self, objects: Objects, name: str) -> None:
        self._objects, self._name = objects, name
        self._file: tuple[int | None, Any] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_file": None}

    @property
    def schema(self) -> pa.Schema:
        """Of the first chunk, or of all rows where they lie in one file."""
        from lineage.stored_types import stored_schema

        with self._readable():
            return stored_schema(self._of(0)[0].schema_arrow)

    def chunk(self, number: int, columns: Sequence[str] | None = None) -> pa.Table:
        """One chunk of 65,536 rows, the last one maybe shorter; all columns if none are named."""
        from lineage.stored_types import as_given

        with self._readable():
            file, group = self._of(number)
            if columns is None:
                return as_given(file.read_row_group(group))
            return as_given(file.read_row_group(group, columns=list(columns)).select(list(columns)))

    def chunks(self) -> int:
        """How many there are."""
        with self._readable():
            file, _ = self._of(0)
            if self._file is not None and self._file[0] is None:
                return int(file.num_row_groups)
            found = 1
            while self._objects.exists(part_place(self._name, found)):
                found += 1
            return found

    def close(self) -> None:
        """Let go of the file that was read last."""
        if self._file is not None:
            self._file[1].close(force=True)
            self._file = None

    def _of(self, number: int) -> tuple[Any, int]:
        """The file that holds a chunk, and which of its row groups that is."""
        if self._file is None:
            self._file = self._first()
        if self._file[0] is None:
            return self._file[1], number
        if self._file[0] != number:
            self.close()
            self._file = number, open_parquet(self._objects.open(part_place(self._name, number)))
        return self._file[1], 0

    def _first(self) -> tuple[int | None, Any]:
        try:
            return None, open_parquet(self._objects.open(data_place(self._name)))
        except FileNotFoundError:
            pass
        try:
            return 0, open_parquet(self._objects.open(part_place(self._name, 0)))
        except FileNotFoundError:
            raise UnknownSnapshot(
                f"There is no snapshot {self._name} here. `provender snapshot list` shows those that are."
            ) from None

    @contextmanager
    def _readable(self) -> Iterator[None]:
        import pyarrow as pa

        try:
            yield
        except (pa.ArrowException, OSError, ValueError, LookupError, NotDigestible) as error:
            raise unreadable(self._name, error) from None  # what a library says may quote values


def unreadable(name: str, error: Exception) -> SnapshotCorrupt:
    """The sentence for rows that a library cannot read."""
    return SnapshotCorrupt(
        f"The rows of snapshot {name} cannot be read ({type(error).__name__}). Restore them from a backup, or move them"
        " out of the store and run the retrieval again."
    )
