"""Snapshots: the content-addressed results of retrievals, written once and verified when read.

``snapshots/<name>/data.parquet`` holds the rows (or one ``part-<chunk>.parquet`` each chunk),
``snapshots/<name>/<run>.json`` the manifest of each run that gave them. The name is the hex of the td1 digest, or a
random one for a table so small that its digest could be guessed (``docs/formats/snapshot.md``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from lineage.errors import NotDigestible, SnapshotCorrupt, SnapshotNotRecorded, UnknownSnapshot
from lineage.known_rows import lock_of, part_places, places_of, require_same
from lineage.objects import Objects, Staged
from lineage.snapshot_names import (
    TD1,
    data_place,
    folder,
    manifest_of,
    manifest_place,
    name_parts,
    snapshot_name,
)
from lineage.snapshot_parquet import write_rows
from lineage.snapshot_parts import SnapshotParts
from lineage.snapshot_writing import Snapshot, Writing, manifest_document
from lineage.stored_rows import StoredRows, unreadable

if TYPE_CHECKING:
    import pyarrow as pa

    from lineage.td1 import TableDigest

__all__ = ["Snapshot", "SnapshotStore"]

_THREADS = 2
"""that hash columns, beside the one that writes Parquet"""


class SnapshotStore:
    """Snapshots in an object store. A store that does not answer is ObjectsUnreachable everywhere."""

    def __init__(self, objects: Objects, *, min_rows: int) -> None:
        self._objects, self._min_rows = objects, min_rows

    def put(self, table: pa.Table, *, run: str, manifest: Mapping[str, Any]) -> tuple[Snapshot, bytes]:
        """Store the rows (once) and this run's manifest; gives the snapshot and the exact manifest bytes.

        Raises NotDigestible, and SnapshotCorrupt where something else lies in the place of the rows.
        """
        with self.writing(table) as writing:
            return writing.put(run=run, manifest=manifest)

    @contextmanager
    def writing(self, table: pa.Table) -> Iterator[Writing]:
        """Digest a table and write its Parquet at once, in threads of their own; nothing is there until it is put.

            with store.writing(table) as writing:
                validation = validate(table)  # meanwhile
                snapshot, document = writing.put(run=run, manifest={"validation": validation})

        Raises ObjectsUnreachable, NotDigestible.
        """
        from lineage.td1 import digest_table

        with ThreadPoolExecutor(2) as pool, ExitStack() as stack:
            staging = pool.submit(stack.enter_context, self._objects.stage(partial(write_rows, table)))
            digesting = pool.submit(digest_table, table, threads=_THREADS)
            try:
                yield Writing(staging, digesting, partial(self._finish, table.column_names))
            finally:
                staging.exception()  # what it enters is left here, not before

    @contextmanager
    def stage_parts(self, schema: pa.Schema) -> Iterator[SnapshotParts]:
        """Room for a snapshot whose chunks other processes write; what is not put is gone afterwards.

        with store.stage_parts(schema) as parts:
            ...  # wherever chunk k is: files[k] = parts.writer.write(k, rows_of_chunk_k)
            snapshot, document = store.put_parts(parts.of(files), digest, run=run, manifest=manifest)
        """
        with self._objects.stage_parts() as staged:
            yield SnapshotParts(staged, schema)

    def put_parts(
        self, parts: SnapshotParts, digest: TableDigest, *, run: str, manifest: Mapping[str, Any]
    ) -> tuple[Snapshot, bytes]:
        """Store the chunks that were written (once) and this run's manifest, as :meth:`put` does.

        :param digest: combined from the leaves of the chunks
        :param parts: with the file of each chunk (:meth:`SnapshotParts.of`)
        :raises RetrievalBroken: a chunk is missing, or there is one too many
        :raises SnapshotCorrupt: something else lies where the rows belong
        """
        parts.check(digest.rows)
        if not digest.rows:
            return self.put(parts.schema.empty_table(), run=run, manifest=manifest)
        name = self._name(digest, run)
        known = places_of(self._objects, name, digest.rows)
        if known or not parts.commit(name):
            require_same(self._objects, name, digest)
        said = {**manifest, "columns": parts.schema.names}
        return self._recordable(name, known or part_places(name, digest.rows), digest, run, said)

    def document(self, name: str, run: str) -> bytes:
        """The manifest of one run as it lies here: it proves nothing until a signed record states its SHA-256.

        :class:`lineage.recorded_snapshots.RecordedSnapshots` compares the two.
        Raises UnknownSnapshot, and SnapshotCorrupt where it cannot be read.
        """
        try:
            return self._objects.read(manifest_place(name, run))
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
        return next(self._objects.names(folder(name)), None) is not None

    def names(self) -> tuple[str, ...]:
        """All names with a manifest, sorted; whether a record speaks of them is another question."""
        found = (manifest_of(place) for place in self._objects.names("snapshots"))
        return tuple(sorted({one[0] for one in found if one}))

    def runs(self, name: str) -> tuple[str, ...]:
        """The runs that left a manifest under this name, sorted."""
        found = (manifest_of(place) for place in self._objects.names(folder(name)))
        return tuple(one[1] for one in found if one)

    def rows(self, name: str) -> StoredRows:
        """The rows as they lie here, unverified: :class:`lineage.opened_snapshot.OpenSnapshot` compares each chunk."""
        name_parts(name)
        return StoredRows(self._objects, name)

    def chunk(self, name: str, number: int) -> pa.Table:
        """One chunk of the rows as it lies here, unverified. Raises UnknownSnapshot, SnapshotCorrupt."""
        rows = self.rows(name)
        try:
            return rows.chunk(number)
        finally:
            rows.close()

    def read(self, name: str, *, digest: str | None = None) -> pa.Table:
        """All rows, verified by their digest alone: for who has no recorded manifest at hand.

        :param digest: ``td1-sha256:<hex>`` that a recorded manifest states; a random name does not say it
        :raises UnknownSnapshot: there are no such rows
        :raises SnapshotCorrupt: the rows give another digest, or cannot be read
        :raises SnapshotNotRecorded: the name is random and no digest is given
        """
        import pyarrow as pa

        from lineage.td1 import digest_table

        expected, rows = _expected(name, digest), self.rows(name)
        try:
            table = pa.concat_tables(
                [rows.chunk(number) for number in range(rows.chunks())] or [rows.schema.empty_table()]
            )
            found = digest_table(table, threads=_THREADS).digest
        except (pa.ArrowException, NotDigestible) as error:
            raise unreadable(name, error) from None
        finally:
            rows.close()
        if found != expected:
            raise _changed(name, found, expected)
        return table

    def _finish(
        self, columns: list[str], staged: Staged, digest: TableDigest, run: str, manifest: Mapping[str, Any]
    ) -> tuple[Snapshot, bytes]:
        name = self._name(digest, run)
        known = places_of(self._objects, name, digest.rows)
        if known or not staged.commit(data_place(name)):
            require_same(self._objects, name, digest)
        said = {**manifest, "columns": columns}
        return self._recordable(name, known or (data_place(name),), digest, run, said)

    def _name(self, digest: TableDigest, run: str) -> str:
        name = snapshot_name(digest.digest, rows=digest.rows, min_rows=self._min_rows)
        manifest_place(name, run)  # before anything is stored: it refuses what is no run
        return name

    def _recordable(
        self, name: str, places: Sequence[str], digest: TableDigest, run: str, manifest: Mapping[str, Any]
    ) -> tuple[Snapshot, bytes]:
        """The snapshot, once its manifest is there as well: rows first, so that no manifest speaks of rows to come."""
        lock = lock_of(self._objects, places)
        document = manifest_document(manifest, name=name, run=run, digest=digest, retention=lock)
        place = manifest_place(name, run)
        if not self._objects.create_bytes(place, document) and self._objects.read(place) != document:
            raise SnapshotCorrupt(
                f"Run {run} has stored another manifest of snapshot {name} before. Expected one retrieval for each run;"
                " run the retrieval again."
            )
        rows = data_place(name) if data_place(name) in places else folder(name)
        return Snapshot(digest.digest, name, run, self._objects.uri(rows), digest.rows), document


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


def _changed(name: str, found: str, expected: str) -> SnapshotCorrupt:
    compared = f"{found}, expected {expected}" if name.startswith(TD1) else "another digest than the recorded one"
    return SnapshotCorrupt(
        f"The stored rows of snapshot {name} give {compared}: they were changed after they were recorded."
        " Restore them from a backup, or move them out of the store and run the retrieval again."
    )
