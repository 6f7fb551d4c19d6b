"""Snapshots: the content-addressed results of retrievals, written once and verified when read.

``snapshots/<name>/data.parquet`` holds the rows, ``snapshots/<name>/<run>.json`` the manifest of each run
that gave them. The name is the hex of the td1 digest, or a random one for a table so small that its
digest could be guessed (``docs/formats/snapshot.md``).
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from governance.canonical import canonical_json
from lineage.errors import SnapshotCorrupt, UnknownSnapshot
from lineage.objects import ObjectStore

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from lineage.td1 import TableDigest

TD1 = "td1-sha256:"
RANDOM = "random:"
BATCH_ROWS = 65_536


@dataclass(frozen=True)
class Snapshot:
    """What a caller learns of the snapshot that its retrieval became."""

    digest: str
    """``td1-sha256:<hex>``"""
    id: str
    """The name it is stored and recorded under: the digest, or ``random:<hex>`` for a small table."""
    run_id: str
    """The OpenLineage run that made it."""
    uri: str
    rows: int


class SnapshotStore:
    """Snapshots in an object store."""

    def __init__(self, objects: ObjectStore, *, min_rows: int) -> None:
        self._objects, self._min_rows = objects, min_rows

    def put(self, table: pa.Table, digest: TableDigest, *, run: str, manifest: Mapping[str, Any]) -> tuple[Snapshot, bytes]:
        """Store the rows (once) and this run's manifest; gives the snapshot and the exact manifest bytes."""
        name = snapshot_name(digest.digest, rows=digest.rows, min_rows=self._min_rows)
        data = f"{_folder(name)}/data.parquet"
        self._objects.create(data, lambda path: _write_parquet(table, path))
        document = canonical_json({**manifest, **_content(digest), "v": 1, "run": run})
        self._objects.create_bytes(f"{_folder(name)}/{run}.json", document)
        return Snapshot(digest.digest, name, run, self._objects.path(data).as_uri(), digest.rows), document

    def manifest(self, name: str, run: str | None = None) -> dict[str, Any]:
        """The manifest of one run (of the first, if none is named). Raises UnknownSnapshot, SnapshotCorrupt."""
        path = f"{_folder(name)}/{run}.json" if run else next(self._manifests(name), None)
        try:
            document = self._objects.read(path) if path else None
        except FileNotFoundError:
            document = None
        if document is None:
            raise UnknownSnapshot(f"There is no snapshot {name} here. `provender snapshot list` shows those that are.")
        try:
            value: dict[str, Any] = json.loads(document)
        except ValueError as error:
            raise SnapshotCorrupt(f"The manifest {path} is not JSON: {error}. Restore it from a backup.") from error
        return value

    def names(self) -> tuple[str, ...]:
        """All snapshots here, sorted."""
        folders = {name.split("/")[1] for name in self._objects.names("snapshots")}
        return tuple(sorted(RANDOM + f[len("random-") :] if f.startswith("random-") else TD1 + f for f in folders))

    def runs(self, name: str) -> tuple[str, ...]:
        """The runs that gave this snapshot, sorted."""
        return tuple(path.rsplit("/", 1)[1].removesuffix(".json") for path in self._manifests(name))

    def read(self, name: str) -> pa.Table:
        """All rows, verified. Raises UnknownSnapshot, SnapshotCorrupt."""
        import pyarrow as pa  # noqa: PLC0415

        batches = list(self.batches(name))
        return pa.Table.from_batches(batches) if batches else self._parquet(name).schema_arrow.empty_table()

    def batches(self, name: str) -> Iterator[pa.RecordBatch]:
        """The rows in batches; after the last one the digest is compared. Raises UnknownSnapshot, SnapshotCorrupt.

        A reader that stops early has read unverified rows: :class:`SnapshotCorrupt` can only come at the end.
        """
        import pyarrow as pa  # noqa: PLC0415

        from lineage.td1 import Digester  # noqa: PLC0415

        # The name says what the rows must give: a manifest forged together with its rows does not help.
        expected = name if name.startswith(TD1) else self.manifest(name)["digest"]
        try:
            file = self._parquet(name)
            digester = Digester(file.schema_arrow)
            for batch in file.iter_batches(BATCH_ROWS):
                digester.update(batch)
                yield batch
            found = digester.finish().digest
        except (pa.ArrowInvalid, OSError) as error:
            raise SnapshotCorrupt(f"The rows of snapshot {name} cannot be read: {error}. Restore them from a backup.") from error
        if found != expected:
            raise SnapshotCorrupt(
                f"The stored rows of snapshot {name} give {found}, expected {expected}: they were changed after they were"
                " recorded. Restore them from a backup, or run the retrieval again."
            )

    def _parquet(self, name: str) -> Any:
        import pyarrow.parquet as pq  # noqa: PLC0415

        path = self._objects.path(f"{_folder(name)}/data.parquet")
        if not path.exists():
            raise UnknownSnapshot(f"There is no snapshot {name} here. `provender snapshot list` shows those that are.")
        return pq.ParquetFile(path)

    def _manifests(self, name: str) -> Iterator[str]:
        return (path for path in self._objects.names(_folder(name)) if path.endswith(".json"))


def snapshot_name(digest: str, *, rows: int, min_rows: int) -> str:
    """The name under which a table is stored: its digest, or a random one where the content could be guessed."""
    return digest if rows >= min_rows else RANDOM + secrets.token_hex(32)


def _folder(name: str) -> str:
    if name.startswith(TD1):
        return f"snapshots/{name.removeprefix(TD1)}"
    if name.startswith(RANDOM):
        return f"snapshots/random-{name.removeprefix(RANDOM)}"
    raise UnknownSnapshot(f"{name!r} does not name a snapshot. Expected td1-sha256:<64 hex> (or random:<hex> of a small one).")


def _content(digest: TableDigest) -> dict[str, Any]:
    return {
        "digest": digest.digest,
        "rows": digest.rows,
        "descriptor": digest.descriptor,
        "column_roots": {column.name: column.root for column in digest.columns},
        "leaves": {column.name: list(column.leaves) for column in digest.columns},
    }


def _write_parquet(table: pa.Table, path: Path) -> None:
    import pyarrow.parquet as pq  # noqa: PLC0415

    pq.write_table(table, path, compression="zstd", row_group_size=BATCH_ROWS)
