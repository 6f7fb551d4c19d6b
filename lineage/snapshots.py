"""Snapshots: the content-addressed results of retrievals, written once and verified when read.

``snapshots/<name>/data.parquet`` holds the rows, ``snapshots/<name>/<run>.json`` the manifest of each run
that gave them. The name is the hex of the td1 digest, or a random one for a table so small that its
digest could be guessed (``docs/formats/snapshot.md``).
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from governance.canonical import canonical_json
from lineage.errors import NotDigestible, SnapshotCorrupt, SnapshotNotRecorded, UnknownSnapshot
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
_PLACE = re.compile(rf"snapshots/(?P<random>random-)?(?P<hex>[0-9a-f]{{64}})/(?P<run>{_RUN.pattern})\.json", re.ASCII)
"""Where a manifest lies; every other file below ``snapshots/`` is a stray one or rows."""


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

    def document(self, name: str, run: str) -> bytes:
        """The manifest of one run as it lies here: it proves nothing until a signed record states its SHA-256.

        :class:`lineage.recorded_snapshots.RecordedSnapshots` compares the two.
        Raises UnknownSnapshot, and SnapshotCorrupt where it cannot be read.
        """
        try:
            return self._objects.read(_manifest(name, run))
        except FileNotFoundError as error:
            raise UnknownSnapshot(
                f"There is no manifest of snapshot {name} and run {run} here. `provender snapshot list` shows the"
                " snapshots that are."
            ) from error
        except OSError as error:
            raise SnapshotCorrupt(
                f"The manifest of snapshot {name} and run {run} cannot be read: {error.strerror}. Restore it from a"
                " backup."
            ) from error

    def holds(self, name: str) -> bool:
        """Whether anything lies under this name. Raises UnknownSnapshot for what is no name."""
        return next(self._objects.names(_folder(name)), None) is not None

    def names(self) -> tuple[str, ...]:
        """All names with a manifest, sorted; whether a record speaks of them is another question."""
        places = (_PLACE.fullmatch(path) for path in self._objects.names("snapshots"))
        found = {(RANDOM if place["random"] else TD1) + place["hex"] for place in places if place}
        return tuple(sorted(found))

    def runs(self, name: str) -> tuple[str, ...]:
        """The runs that left a manifest under this name, sorted."""
        places = (_PLACE.fullmatch(path) for path in self._objects.names(_folder(name)))
        return tuple(place["run"] for place in places if place)

    def read(self, name: str, *, digest: str | None = None) -> pa.Table:
        """All rows, verified; ``digest`` as for :meth:`batches`. Raises as that does."""
        import pyarrow as pa

        batches = list(self.batches(name, digest=digest))
        return pa.Table.from_batches(batches) if batches else self._parquet(name).schema_arrow.empty_table()

    def batches(self, name: str, *, digest: str | None = None) -> Iterator[pa.RecordBatch]:
        """The rows in batches; after the last one the digest is compared.

        A reader that stops early has read unverified rows: :class:`SnapshotCorrupt` can only come at the end.

        :param digest: ``td1-sha256:<hex>`` that a recorded manifest states; a random name does not say it
        :raises UnknownSnapshot: there are no such rows
        :raises SnapshotCorrupt: the rows give another digest, or cannot be read
        :raises SnapshotNotRecorded: the name is random and no digest is given
        """
        import pyarrow as pa

        from lineage.td1 import Digester

        expected = _expected(name, digest)
        try:
            with self._parquet(name) as file:
                digester = Digester(file.schema_arrow)
                for batch in file.iter_batches(BATCH_ROWS):
                    digester.update(batch)
                    yield batch
                found = digester.finish().digest
        except (pa.ArrowException, OSError, ValueError, NotDigestible) as error:
            raise SnapshotCorrupt(
                f"The rows of snapshot {name} cannot be read ({type(error).__name__}). Restore them from a backup."
            ) from None  # what a library says may quote values
        if found != expected:
            compared = (
                f"{found}, expected {expected}" if name.startswith(TD1) else "another digest than the recorded one"
            )
            raise SnapshotCorrupt(
                f"The stored rows of snapshot {name} give {compared}: they were changed after they were recorded."
                " Restore them from a backup, or run the retrieval again."
            )

    def _parquet(self, name: str) -> Any:
        import pyarrow.parquet as pq

        path = self._objects.path(f"{_folder(name)}/data.parquet")
        if not path.exists():
            raise UnknownSnapshot(f"There is no snapshot {name} here. `provender snapshot list` shows those that are.")
        return pq.ParquetFile(path, page_checksum_verification=True)


def snapshot_name(digest: str, *, rows: int, min_rows: int) -> str:
    """The name under which a table is stored: its digest, or a random one where the content could be guessed."""
    return digest if rows >= min_rows else RANDOM + secrets.token_hex(32)


def name_parts(name: str) -> tuple[str, str]:
    """The algorithm and the hex that a record's subject has for this name. Raises UnknownSnapshot."""
    if match := _NAME.fullmatch(name):
        return match["kind"].removesuffix(":"), match["hex"]
    raise UnknownSnapshot(
        f"{name!r} does not name a snapshot. Expected {TD1}<64 hex digits> (or {RANDOM}<64 hex digits> of a small one)."
    )


def _folder(name: str) -> str:
    algorithm, digits = name_parts(name)
    return f"snapshots/{'random-' if algorithm + ':' == RANDOM else ''}{digits}"


def _expected(name: str, digest: str | None) -> str:
    """What the rows must give: of a name that says it, nothing else counts."""
    name_parts(name)
    if name.startswith(TD1):
        return name
    if digest is None:
        raise SnapshotNotRecorded(
            f"The name of snapshot {name} says nothing about its rows, and no recorded digest is known here. Expected"
            " the one of its recorded manifest."
        )
    return digest


def _manifest(name: str, run: str) -> str:
    if not _RUN.fullmatch(run):
        raise UnknownSnapshot(f"{run!r} does not name a run. Expected a UUID in lower case.")
    return f"{_folder(name)}/{run}.json"


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
