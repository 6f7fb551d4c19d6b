"""Snapshots as the signed records speak of them: a file in the store proves nothing by itself.

A snapshot is what a COMPLETE retrieval record names, and its manifest is the one whose SHA-256 that record states.
Rows or manifests that no record names are what a killed process left, or what somebody put there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal

from lineage.errors import SnapshotCorrupt, SnapshotNotRecorded, UnknownSnapshot, ValidationFailed
from lineage.opened_snapshot import OpenSnapshot
from lineage.records import Records, StoredRecord
from lineage.snapshot_names import TD1, name_parts
from lineage.snapshots import SnapshotStore

if TYPE_CHECKING:
    import pyarrow as pa

Standing = Literal["recorded", "not recorded", "damaged"]

_KEYS = {
    "digest": str,
    "rows": int,
    "run": str,
    "created": str,
    "definitions": str,
    "leaves": dict,
    "sources": list,
    "nulls": dict,
    "validation": list,
}
"""Members of every manifest that readers rely on."""
_ITEMS = {"sources": ("name", "state"), "validation": ("expectation", "column", "success", "severity")}
"""What each entry of those lists has."""


@dataclass(frozen=True)
class RecordedManifest:
    """The manifest of one run whose bytes are those that the signed record of that run states."""

    snapshot: str
    run: str
    sha256: str
    """hex, of the manifest's bytes; the record states the same"""
    document: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """``td1-sha256:<hex>`` of the rows, also of a snapshot with a random name."""
        return str(self.document["digest"])

    @property
    def rows(self) -> int:
        """How many there are."""
        return int(self.document["rows"])

    def refuse_failed(self) -> None:
        """Raise ValidationFailed where these rows failed a critical expectation, so that no model may learn them."""
        failed = [one for one in self.document["validation"] if not one["success"] and one["severity"] == "critical"]
        if failed:
            listed = "; ".join(f"{one['expectation']} of {one['column'] or 'the table'}" for one in failed)
            raise ValidationFailed(
                f"Snapshot {self.snapshot} may not be trained on: it failed {len(failed)} critical expectations"
                f" ({listed}). Correct the source and retrieve again, or change the suite and say why."
            )


@dataclass(frozen=True)
class ListedSnapshot:
    """One line of the list of snapshots."""

    name: str
    standing: Standing
    runs: tuple[str, ...]
    """those recorded, oldest first; of what is not recorded, those that left a manifest"""
    rows: int | None
    """None where nothing that can be trusted says it"""
    damaged: tuple[str, ...] = ()
    """those of ``runs`` whose manifest is missing or not the recorded one; with one of them, the standing says so"""


class RecordedSnapshots:
    """The snapshots of ``store`` that ``records`` speak of."""

    def __init__(self, store: SnapshotStore, records: Records) -> None:
        self._store, self._records = store, records

    def manifests(self, name: str) -> tuple[RecordedManifest, ...]:
        """The manifests of all recorded runs that gave this snapshot, oldest first; at least one.

        Raises SnapshotNotRecorded, SnapshotCorrupt (a manifest is missing or not the recorded one), UnknownSnapshot.
        """
        stated = self._stated(name)
        if not stated:
            raise self._not_recorded(name)
        found = tuple(self._manifest(name, record.predicate) for record in stated)
        if len({one.digest for one in found}) > 1:
            raise SnapshotCorrupt(
                f"The recorded runs of snapshot {name} disagree about its digest. Expected one content; find out who"
                " wrote these records (`provender ledger audit`)."
            )
        return found

    def manifest(self, name: str, run: str | None = None) -> RecordedManifest:
        """The manifest of one recorded run, whatever became of those of others.

        :param run: if none is named, the first whose manifest is as it was recorded
        Raises as :meth:`manifests`.
        """
        stated = self._stated(name)
        if not stated:
            raise self._not_recorded(name)
        chosen = [one for one in stated if run in (None, one.predicate["run"])]
        if not chosen:
            raise SnapshotNotRecorded(
                f"No record says that run {run} gave snapshot {name}. Recorded runs:"
                f" {', '.join(str(one.predicate['run']) for one in stated)}."
            )
        *others, last = chosen
        for record in others:
            with suppress(SnapshotCorrupt):
                return self._manifest(name, record.predicate)
        return self._manifest(name, last.predicate)

    def open(self, name: str, run: str | None = None) -> OpenSnapshot:
        """The snapshot, to be read verified, with the manifest that :meth:`manifest` gives.

        Raises as :meth:`manifests`.
        """
        return self._opened(self.manifest(name, run))

    def batches(self, name: str) -> Iterator[pa.RecordBatch]:
        """The rows, each chunk compared with the recorded leaves before it is given, and every run's manifest first.

        Raises as :meth:`manifests`.
        """
        snapshot = self._opened(self.manifests(name)[0])
        try:
            yield from snapshot.batches()
        finally:
            snapshot.close()

    def read(self, name: str) -> pa.Table:
        """All rows, verified. Raises as :meth:`manifests`."""
        snapshot = self.open(name)
        try:
            return snapshot.to_arrow()
        finally:
            snapshot.close()

    def list(self) -> tuple[ListedSnapshot, ...]:
        """What is recorded and what lies in the store, by name."""
        recorded = {
            str(record.predicate["snapshot"]) for record in self._records.all("retrieval") if _gave_snapshot(record)
        }
        return tuple(self._listed(name) for name in sorted({*self._store.names(), *recorded}))

    def _listed(self, name: str) -> ListedSnapshot:
        try:
            stated = self._stated(name)
        except UnknownSnapshot:  # a record of something that is no name
            return ListedSnapshot(name, "damaged", (), None)
        if not stated:
            return ListedSnapshot(name, "not recorded", self._store.runs(name), None)
        runs = tuple(str(record.predicate["run"]) for record in stated)
        sound: list[RecordedManifest] = []
        for record in stated:
            with suppress(SnapshotCorrupt):
                sound.append(self._manifest(name, record.predicate))
        damaged = tuple(run for run in runs if run not in {one.run for one in sound})
        agreed = len({one.digest for one in sound}) == 1
        standing: Standing = "recorded" if agreed and not damaged else "damaged"
        return ListedSnapshot(name, standing, runs, sound[0].rows if agreed else None, damaged)

    def _opened(self, manifest: RecordedManifest) -> OpenSnapshot:
        return OpenSnapshot(manifest.snapshot, self._store.rows(manifest.snapshot), manifest.document)

    def _stated(self, name: str) -> tuple[StoredRecord, ...]:
        algorithm, digest = name_parts(name)
        records = self._records.by_subject(algorithm, digest, "retrieval")
        return tuple(one for one in records if _gave_snapshot(one) and one.predicate["snapshot"] == name)

    def _manifest(self, name: str, predicate: Mapping[str, Any]) -> RecordedManifest:
        run, stated = str(predicate["run"]), str(predicate["manifest"])
        try:
            content = self._store.document(name, run)
        except UnknownSnapshot as error:
            raise SnapshotCorrupt(
                f"The manifest of snapshot {name} that run {run} recorded is missing. Restore it from a backup."
            ) from error
        found = sha256(content).hexdigest()
        if found != stated:
            raise SnapshotCorrupt(
                f"The manifest of snapshot {name} and run {run} has SHA-256 {found}, its signed record states {stated}:"
                " it was changed after it was recorded. Restore it from a backup."
            )
        return RecordedManifest(name, run, found, _parsed(content, name, run))

    def _not_recorded(self, name: str) -> SnapshotNotRecorded | UnknownSnapshot:
        if not self._store.holds(name):
            return UnknownSnapshot(f"There is no snapshot {name} here. `provender snapshot list` shows those that are.")
        return SnapshotNotRecorded(
            f"Snapshot {name} is not recorded: something lies under its name, but no signed record of a retrieval says"
            " so. A killed process left it, or somebody put it there. Do not use it; run the retrieval again."
        )


def _gave_snapshot(record: StoredRecord) -> bool:
    said = record.predicate
    return said.get("state") == "COMPLETE" and all(
        isinstance(said.get(n), str) for n in ("snapshot", "run", "manifest")
    )


def _parsed(content: bytes, name: str, run: str) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except ValueError as error:
        raise _damaged(name, run, "is not JSON") from error
    if not isinstance(document, dict):
        raise _damaged(name, run, "is no JSON object")
    for key, kind in _KEYS.items():
        if not isinstance(document.get(key), kind):
            raise _damaged(name, run, f"has no {key!r} of type {kind.__name__}")
    for key, members in _ITEMS.items():
        if not all(isinstance(one, dict) and all(member in one for member in members) for one in document[key]):
            raise _damaged(name, run, f"has an entry in {key!r} without {', '.join(members)}")
    if document["run"] != run or (name.startswith(TD1) and document["digest"] != name):
        raise _damaged(name, run, "speaks of another run or another content")
    return document


def _damaged(name: str, run: str, what: str) -> SnapshotCorrupt:
    return SnapshotCorrupt(
        f"The manifest of snapshot {name} and run {run} {what}, and was recorded so. Run the retrieval again."
    )
