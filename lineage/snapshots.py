"""Snapshots: the content-addressed results of retrievals, written once and verified when read.

``snapshots/<name>/data.parquet`` holds the rows, ``snapshots/<name>/<run>.json`` the manifest of each run
that gave them. The name is the hex of the td1 digest, or a random one for a table so small that its
digest could be guessed (``docs/formats/snapshot.md``).
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from governance.canonical import canonical_json
from lineage.errors import NotDigestible, SnapshotCorrupt, UnknownSnapshot
from lineage.objects import ObjectStore

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from lineage.td1 import TableDigest

TD1 = "td1-sha256:"
RANDOM = "random:"
BATCH_ROWS = 65_536

_NAME = re.compile(r"(?P<kind>td1-sha256:|random:)(?P<hex>[0-9a-f]{64})", re.ASCII)
_RUN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


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

    def put(
        self, table: pa.Table, digest: TableDigest, *, run: str, manifest: Mapping[str, Any]
    ) -> tuple[Snapshot, bytes]:
        """Store the rows (once) and this run's manifest; gives the snapshot and the exact manifest bytes."""
        name = snapshot_name(digest.digest, rows=digest.rows, min_rows=self._min_rows)
        place, data = _manifest(name, run), f"{_folder(name)}/data.parquet"
        document = canonical_json({**manifest, **_content(digest), **_blinding(name), "v": 1, "run": run})
        self._objects.create(data, lambda path: _write_parquet(table, path))
        if not self._objects.create_bytes(place, document) and self._objects.read(place) != document:
            raise SnapshotCorrupt(
                f"Run {run} has stored another manifest of snapshot {name} before. Expected one retrieval for each run;"
                " run the retrieval again."
            )
        return Snapshot(digest.digest, name, run, self._objects.path(data).as_uri(), digest.rows), document

    def manifest(self, name: str, run: str | None = None) -> dict[str, Any]:
        """The manifest of one run (of the run with the lowest id, if none is named).

        Raises UnknownSnapshot, and SnapshotCorrupt where it speaks of another content than the snapshot's name.
        """
        path = _manifest(name, run) if run else next(self._manifests(name), None)
        try:
            document = self._objects.read(path) if path else None
        except FileNotFoundError:
            document = None
        if document is None:
            raise UnknownSnapshot(f"There is no snapshot {name} here. `provender snapshot list` shows those that are.")
        return _parsed(document, name)

    def names(self) -> tuple[str, ...]:
        """All snapshots here, sorted: those with a manifest, since without one nothing was recorded."""
        manifests = (name.split("/") for name in self._objects.names("snapshots") if name.endswith(".json"))
        folders = {folder for _, folder, *_ in manifests}
        return tuple(sorted(RANDOM + f[len("random-") :] if f.startswith("random-") else TD1 + f for f in folders))

    def runs(self, name: str) -> tuple[str, ...]:
        """The runs that gave this snapshot, sorted."""
        return tuple(path.rsplit("/", 1)[1].removesuffix(".json") for path in self._manifests(name))

    def read(self, name: str) -> pa.Table:
        """All rows, verified. Raises UnknownSnapshot, SnapshotCorrupt."""
        import pyarrow as pa

        batches = list(self.batches(name))
        return pa.Table.from_batches(batches) if batches else self._parquet(name).schema_arrow.empty_table()

    def batches(self, name: str) -> Iterator[pa.RecordBatch]:
        """The rows in batches; after the last one the digest is compared. Raises UnknownSnapshot, SnapshotCorrupt.

        A reader that stops early has read unverified rows: :class:`SnapshotCorrupt` can only come at the end.
        """
        import pyarrow as pa

        from lineage.td1 import Digester

        # The name says what the rows must give: a manifest forged together with its rows does not help.
        expected = name if name.startswith(TD1) else self.manifest(name)["digest"]
        try:
            with self._parquet(name) as file:
                digester = Digester(file.schema_arrow)
                for batch in file.iter_batches(BATCH_ROWS):
                    digester.update(batch)
                    yield batch
                found = digester.finish().digest
        except (pa.ArrowException, OSError, ValueError, NotDigestible) as error:
            raise SnapshotCorrupt(
                f"The rows of snapshot {name} cannot be read: {error}. Restore them from a backup."
            ) from error
        if found != expected:
            raise SnapshotCorrupt(
                f"The stored rows of snapshot {name} give {found}, expected {expected}: they were changed after they"
                " were recorded. Restore them from a backup, or run the retrieval again."
            )

    def _parquet(self, name: str) -> Any:
        import pyarrow.parquet as pq

        path = self._objects.path(f"{_folder(name)}/data.parquet")
        if not path.exists():
            raise UnknownSnapshot(f"There is no snapshot {name} here. `provender snapshot list` shows those that are.")
        return pq.ParquetFile(path, page_checksum_verification=True)

    def _manifests(self, name: str) -> Iterator[str]:
        return (path for path in self._objects.names(_folder(name)) if path.endswith(".json"))


def snapshot_name(digest: str, *, rows: int, min_rows: int) -> str:
    """The name under which a table is stored: its digest, or a random one where the content could be guessed."""
    return digest if rows >= min_rows else RANDOM + secrets.token_hex(32)


def _folder(name: str) -> str:
    if match := _NAME.fullmatch(name):
        return f"snapshots/{'random-' if match['kind'] == RANDOM else ''}{match['hex']}"
    raise UnknownSnapshot(
        f"{name!r} does not name a snapshot. Expected {TD1}<64 hex digits> (or {RANDOM}<64 hex digits> of a small one)."
    )


def _manifest(name: str, run: str) -> str:
    if not _RUN.fullmatch(run):
        raise UnknownSnapshot(f"{run!r} does not name a run. Expected a UUID in lower case.")
    return f"{_folder(name)}/{run}.json"


def _parsed(document: bytes, name: str) -> dict[str, Any]:
    try:
        value = json.loads(document)
        found: str = value["digest"]
    except (ValueError, TypeError, KeyError) as error:
        raise SnapshotCorrupt(
            f"A manifest of snapshot {name} is damaged: {error}. Restore it from a backup."
        ) from error
    if found != name and (name.startswith(TD1) or not str(found).startswith(TD1)):
        raise SnapshotCorrupt(
            f"A manifest of snapshot {name} speaks of {found}: it was changed after it was recorded. Restore it from a"
            " backup."
        )
    return dict(value)


def _blinding(name: str) -> dict[str, str]:
    """Of a small snapshot the manifest's SHA-256 is published: with this, guessed rows cannot be confirmed by it."""
    return {"blinding": secrets.token_hex(32)} if name.startswith(RANDOM) else {}


def _content(digest: TableDigest) -> dict[str, Any]:
    return {
        "digest": digest.digest,
        "rows": digest.rows,
        "descriptor": digest.descriptor,
        "column_roots": {column.name: column.root for column in digest.columns},
        "leaves": {column.name: list(column.leaves) for column in digest.columns},
    }


def _write_parquet(table: pa.Table, path: Path) -> None:
    import pyarrow.parquet as pq

    pq.write_table(table, path, compression="zstd", row_group_size=BATCH_ROWS, write_page_checksum=True)
