"""A snapshot that is open for reading: every row is verified before it is handed out.

    snapshot = lineage.open_snapshot("td1-sha256:…", repo="feature_repo")
    table = snapshot.to_arrow(columns=["heart_rate", "label"])
    for batch in snapshot.batches(): ...

The manifest's leaves and the stored types are first seen to give its digest; then each chunk that is read has to have
these types and give its leaves, since 1.0 and a large integer may be the same bytes. So a reader that streams never
sees a row that is not the recorded one, and one column or one chunk is verified alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from governance.errors import ConfigurationError
from lineage.errors import NotDigestible, RetrievalBroken, SnapshotCorrupt
from lineage.snapshot_parquet import chunks_of
from lineage.stored_rows import StoredRows, unreadable
from lineage.td1.tree import CHUNK_ROWS

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from lineage.torch_rows import TorchRows


class OpenSnapshot:
    """Rows and manifest of one recorded snapshot. May be pickled and forked; one thread at a time reads.

    Every way to the rows raises SnapshotCorrupt before it gives one that is not as it was recorded, and
    UnknownSnapshot and ObjectsUnreachable where they are not to be had.
    """

    def __init__(self, name: str, rows: StoredRows, manifest: Mapping[str, Any]) -> None:
        """``manifest`` is a recorded one. Raises SnapshotCorrupt where it does not give its own digest."""
        self._name, self._stored, self._manifest = name, rows, manifest
        self._stored_schema = rows.schema
        self._leaves = _leaves(name, manifest)
        _require_digest(name, self._stored_schema, self._leaves, manifest)
        self._schema = _in_order(name, self._stored_schema, manifest)

    @property
    def name(self) -> str:
        """``td1-sha256:<hex>``, or ``random:<hex>`` of a small one."""
        return self._name

    @property
    def manifest(self) -> Mapping[str, Any]:
        """What the signed record of its retrieval stands for; docs/formats/snapshot.md has its members."""
        return self._manifest

    @property
    def rows(self) -> int:
        """How many there are."""
        return int(self._manifest["rows"])

    @property
    def chunks(self) -> int:
        """How many chunks of 65,536 rows."""
        return chunks_of(self.rows)

    @property
    def schema(self) -> pa.Schema:
        """Of the rows, in the order of their columns: the one that the run gave them, as its manifest says."""
        return self._schema

    def chunk(self, number: int, columns: Sequence[str] | None = None) -> pa.Table:
        """The verified rows of one chunk; all columns if none are named."""
        chosen = self._chosen(columns)
        if not 0 <= number < self.chunks:
            raise IndexError(f"snapshot {self._name} has {self.chunks} chunks, counted from 0; there is none {number}")
        expected = self._expected(chosen)
        table = self._stored.chunk(number, expected.names)
        self._verify(table, number, expected)
        return table.select(chosen)

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """The verified rows, chunk by chunk; not more than one chunk is held in memory."""
        for number in range(self.chunks):
            yield from self.chunk(number, columns).combine_chunks().to_batches()

    def to_arrow(self, columns: Sequence[str] | None = None) -> pa.Table:
        """All rows, verified."""
        import pyarrow as pa

        tables = [self.chunk(number, columns) for number in range(self.chunks)]
        return pa.concat_tables(tables) if tables else self._schema.empty_table().select(self._chosen(columns))

    def to_pandas(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """All rows, verified, as pandas has them: nullable integers become floats there."""
        return self.to_arrow(columns).to_pandas()

    def to_torch(self, columns: Sequence[str] | None = None, *, batch_rows: int = 1024) -> TorchRows:
        """A ``torch.utils.data.IterableDataset`` of dictionaries, column → tensor of ``batch_rows`` rows.

        It streams and verifies chunk by chunk, and shares the rows out among the workers of a ``DataLoader`` (use
        ``batch_size=None``) and the ranks of ``torch.distributed``, where that is initialised by now.

        :raises ConfigurationError: a column is not numeric or has nulls, or ``batch_rows`` is no number of rows
        """
        from lineage.torch_rows import TorchRows

        return TorchRows(self, self._chosen(columns), batch_rows=batch_rows)

    def close(self) -> None:
        """Let go of the file that was read last."""
        self._stored.close()

    def _chosen(self, columns: Sequence[str] | None) -> list[str]:
        chosen = list(self._schema.names if columns is None else columns)
        if unknown := [name for name in chosen if name not in self._leaves]:
            raise ConfigurationError(
                f"Snapshot {self._name} has no column {unknown[0]!r}. It has: {', '.join(self._schema.names)}."
            )
        return chosen

    def _expected(self, chosen: Sequence[str]) -> pa.Schema:
        import pyarrow as pa

        return pa.schema([field for field in self._stored_schema if field.name in set(chosen)])

    def _verify(self, table: pa.Table, number: int, expected: pa.Schema) -> None:
        from lineage.td1 import chunk_leaves

        first = number * CHUNK_ROWS
        if table.num_rows != min(CHUNK_ROWS, self.rows - first):
            raise self._changed(number, "has another number of rows")
        if not table.schema.equals(expected, check_metadata=True):
            raise self._changed(number, "has columns of other types")
        try:
            found = chunk_leaves(expected, table, first_row=first)
        except NotDigestible as error:
            raise unreadable(self._name, error) from None
        if changed := [name for name in expected.names if found[name] != self._leaves[name][number]]:
            raise self._changed(number, f"gives other leaves in {', '.join(map(repr, changed))}")

    def _changed(self, number: int, what: str) -> SnapshotCorrupt:
        return SnapshotCorrupt(
            f"Chunk {number} of snapshot {self._name} (from row {number * CHUNK_ROWS} on) {what}: the stored rows were"
            " changed after they were recorded. Restore them from a backup, or move them out of the store and run the"
            " retrieval again."
        )


def _leaves(name: str, manifest: Mapping[str, Any]) -> dict[str, list[str]]:
    leaves = manifest.get("leaves")
    if not isinstance(leaves, dict) or not all(isinstance(one, list) for one in leaves.values()):
        raise SnapshotCorrupt(f"The manifest of snapshot {name} has no leaves. Run the retrieval again.")
    return leaves


def _in_order(name: str, stored: pa.Schema, manifest: Mapping[str, Any]) -> pa.Schema:
    """``stored`` in the manifest's order of columns; as it is where a manifest of before says none."""
    import pyarrow as pa

    order = manifest.get("columns", stored.names)
    if not isinstance(order, list) or sorted(order, key=str) != sorted(stored.names):
        raise SnapshotCorrupt(
            f"The manifest of snapshot {name} does not name each of its columns once. Run the retrieval again."
        )
    return pa.schema([stored.field(column) for column in order])


def _require_digest(name: str, schema: pa.Schema, leaves: dict[str, list[str]], manifest: Mapping[str, Any]) -> None:
    """The stored types, the number of rows and the leaves together give the recorded digest, or it is corrupt."""
    from lineage.td1 import combine

    rows = int(manifest["rows"])
    try:
        chunks = [{column: ones[number] for column, ones in leaves.items()} for number in range(chunks_of(rows))]
        found = combine(schema, chunks, rows=rows).digest
    except (NotDigestible, RetrievalBroken, IndexError):
        found = None
    if found != manifest["digest"] or any(len(ones) != chunks_of(rows) for ones in leaves.values()):
        raise SnapshotCorrupt(
            f"The stored columns of snapshot {name} and the leaves of its manifest do not give the recorded digest: the"
            " rows were replaced after they were recorded. Restore them from a backup, or move them out of the store"
            " and run the retrieval again."
        )
