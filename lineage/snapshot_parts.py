"""Snapshots that several processes write: one Parquet file a chunk, put in place together.

Part k is chunk k whoever cut the work. A task may run twice, and an engine may give other rows the second time, so each
try stages a file of its own; the one that becomes part k is that whose hashes were taken.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from lineage.errors import RetrievalBroken
from lineage.objects import PartsWriter, StagedParts
from lineage.snapshot_names import part_file, part_place
from lineage.snapshot_parquet import chunks_of, open_parquet, write_rows
from lineage.td1.tree import CHUNK_ROWS

if TYPE_CHECKING:
    import pyarrow as pa

_THREADS = 8


@dataclass(frozen=True)
class ChunkWriter:
    """Writes chunks, on whatever machine they are; it can be pickled and sent there."""

    parts: PartsWriter
    schema: pa.Schema

    def write(self, number: int, rows: pa.Table) -> str:
        """Stage the rows of one chunk; gives the file, which no other try of the same task has.

        Raises ObjectsUnreachable, and RetrievalBroken for what is no chunk of this table.
        """
        if not 0 < rows.num_rows <= CHUNK_ROWS or not rows.schema.equals(self.schema):
            raise RetrievalBroken(
                f"Found {rows.num_rows} rows of the columns {rows.column_names} as chunk {number}. Expected 1 to"
                f" {CHUNK_ROWS} rows of {self.schema.names}, in the types of the whole table."
            )
        file = f"{secrets.token_hex(8)}-{part_file(number)}"
        self.parts.write(file, partial(write_rows, rows))
        return file


@dataclass(frozen=True)
class SnapshotParts:
    """The chunks of one snapshot in the making."""

    staged: StagedParts
    schema: pa.Schema
    files: tuple[str, ...] = ()
    """The staged file of each chunk that counts, in order; beside them may lie those of other tries."""

    def of(self, files: Iterable[str]) -> SnapshotParts:
        """These parts, with the file that its writer gave for each chunk, in order."""
        return replace(self, files=tuple(files))

    @property
    def writer(self) -> ChunkWriter:
        """What the processes get that write."""
        return ChunkWriter(self.staged.writer, self.schema)

    def check(self, rows: int) -> None:
        """Raises RetrievalBroken where these are not all chunks of so many rows."""
        found = len(self.staged.parts().intersection(self.files))
        if not found == len(self.files) == chunks_of(rows):
            raise RetrievalBroken(
                f"Found the files of {found} of {len(self.files)} chunks that were written. Expected {chunks_of(rows)},"
                " each from one task. Where `governance: objects:` is a directory, every worker has to see it"
                " under the same path; else use s3://bucket/prefix."
            )

    def reader(self) -> pa.RecordBatchReader:
        """All rows as they are staged, in their order, a chunk at a time in memory."""
        import pyarrow as pa

        from lineage.stored_types import as_given, stored_schema

        def batches() -> Iterator[pa.RecordBatch]:
            for one in self.files:
                with self.staged.open(one) as file:
                    yield from as_given(open_parquet(file).read()).to_batches()

        return pa.RecordBatchReader.from_batches(stored_schema(self.schema), batches())

    def commit(self, name: str) -> bool:
        """Put all of them in their places; False if one of these was taken. Raises ObjectsUnreachable."""
        with ThreadPoolExecutor(_THREADS) as threads:
            return all(list(threads.map(partial(self._commit, name), range(len(self.files)))))

    def _commit(self, name: str, number: int) -> bool:
        return self.staged.commit(self.files[number], part_place(name, number))
