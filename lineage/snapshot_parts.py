"""Snapshots that several processes write: one Parquet file a chunk, put in place together.

Part k is chunk k whoever cut the work, so parts of two writers of the same rows never contradict each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
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

    def write(self, number: int, rows: pa.Table) -> None:
        """Stage the rows of one chunk; those of an earlier try of the same task are replaced.

        Raises ObjectsUnreachable, and RetrievalBroken for what is no chunk of this table.
        """
        if not 0 < rows.num_rows <= CHUNK_ROWS or not rows.schema.equals(self.schema):
            raise RetrievalBroken(
                f"Found {rows.num_rows} rows of the columns {rows.column_names} as chunk {number}. Expected 1 to"
                f" {CHUNK_ROWS} rows of {self.schema.names}, in the types of the whole table."
            )
        self.parts.write(part_file(number), partial(write_rows, rows))


@dataclass(frozen=True)
class SnapshotParts:
    """The chunks of one snapshot in the making."""

    staged: StagedParts
    schema: pa.Schema

    @property
    def writer(self) -> ChunkWriter:
        """What the processes get that write."""
        return ChunkWriter(self.staged.writer, self.schema)

    def check(self, rows: int) -> None:
        """Raises RetrievalBroken where these are not all chunks of so many rows."""
        found, expected = self.staged.parts(), {part_file(number) for number in range(chunks_of(rows))}
        if found != expected:
            raise RetrievalBroken(
                f"Found {len(found & expected)} of {len(expected)} chunks, and {len(found - expected)} others. Expected"
                " each chunk from one task. Where `governance: objects:` is a directory, every worker has to see it"
                " under the same path; else use s3://bucket/prefix."
            )

    def reader(self, rows: int) -> pa.RecordBatchReader:
        """All rows as they are staged, in their order, a chunk at a time in memory."""
        import pyarrow as pa

        def batches() -> Iterator[pa.RecordBatch]:
            for number in range(chunks_of(rows)):
                with self.staged.open(part_file(number)) as file:
                    yield from open_parquet(file).iter_batches(CHUNK_ROWS)

        return pa.RecordBatchReader.from_batches(self.schema, batches())

    def commit(self, name: str) -> None:
        """Put all of them in their places. Raises ObjectsUnreachable."""
        with ThreadPoolExecutor(_THREADS) as threads:
            for _ in threads.map(partial(self._commit, name), range(len(self.staged.parts()))):
                pass

    def _commit(self, name: str, number: int) -> bool:
        return self.staged.commit(part_file(number), part_place(name, number))
