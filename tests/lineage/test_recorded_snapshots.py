"""What lies in the store is a snapshot only as far as the records of retrievals say so."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import Engine

from governance.canonical import canonical_json
from lineage.errors import SnapshotCorrupt, SnapshotNotRecorded, UnknownSnapshot
from lineage.objects import DirectoryObjects
from lineage.recorded_snapshots import RecordedSnapshots
from lineage.recorder import Act, Subject
from lineage.records import Records
from lineage.snapshots import Snapshot, SnapshotStore
from lineage.td1 import digest_table
from tests.lineage.acts import catalogue, recorder

TABLE = pa.table({"patient": pa.array([1, 2, 3], pa.int64()), "alb": [4.5, 3.2, 3.9]})
FORGED = TABLE.set_column(1, "alb", pa.array([9.9, 9.9, 9.9]))
MANIFEST: dict[str, Any] = {
    "created": "2026-01-01T00:00:00.000000Z",
    "definitions": "ab" * 32,
    "sources": [{"name": "labs", "state": "computed"}],
    "nulls": {},
    "validation": [{"expectation": "x", "column": None, "success": False, "severity": "critical"}],
}


@dataclass(frozen=True)
class Shelf:
    """A store and a catalogue, and what is asked of both."""

    engine: Engine
    store: SnapshotStore
    root: Path

    @property
    def recorded(self) -> RecordedSnapshots:
        return RecordedSnapshots(self.store, Records(self.engine))

    def put(self, table: pa.Table = TABLE, *, state: str | None = "COMPLETE", **changes: Any) -> Snapshot:
        run = str(uuid4())
        manifest = {key: value for key, value in {**MANIFEST, **changes}.items() if value is not None}
        snapshot, document = self.store.put(table, run=run, manifest=manifest)
        if state is not None:
            self.record(snapshot, document, state)
        return snapshot

    def record(self, snapshot: Snapshot, document: bytes, state: str = "COMPLETE") -> None:
        algorithm, digits = snapshot.id.split(":")
        said = {
            "run": snapshot.run_id,
            "state": state,
            "snapshot": snapshot.id,
            "manifest": sha256(document).hexdigest(),
        }
        subject = Subject(f"snapshot:{snapshot.run_id}", algorithm, digits)
        recorder(self.engine).record(Act(kind="retrieval", actor="me", subjects=(subject,), predicate=said))

    def manifest(self, snapshot: Snapshot) -> Path:
        (path,) = self.root.rglob(f"{snapshot.run_id}.json")
        return path


@pytest.fixture
def make_shelf(tmp_path: Path) -> Iterator[Callable[[int], Shelf]]:
    engine = catalogue(tmp_path)
    yield lambda min_rows: Shelf(
        engine, SnapshotStore(DirectoryObjects(tmp_path / "objects"), min_rows=min_rows), tmp_path / "objects"
    )
    engine.dispose()


@pytest.fixture(params=[1, 4], ids=["named by its digest", "named at random"])
def shelf(make_shelf: Callable[[int], Shelf], request: pytest.FixtureRequest) -> Shelf:
    return make_shelf(request.param)


def standings(shelf: Shelf) -> dict[str, str]:
    return {one.name: one.standing for one in shelf.recorded.list()}


def test_a_recorded_snapshot_is_read_and_listed(shelf: Shelf) -> None:
    snapshot = shelf.put()
    manifest = shelf.recorded.manifest(snapshot.id)
    assert (manifest.run, manifest.digest, manifest.rows) == (snapshot.run_id, snapshot.digest, 3)
    assert manifest.sha256 == sha256(shelf.manifest(snapshot).read_bytes()).hexdigest()
    assert shelf.recorded.read(snapshot.id).equals(TABLE)
    (listed,) = shelf.recorded.list()
    assert (listed.name, listed.standing, listed.rows, listed.runs) == (
        snapshot.id,
        "recorded",
        3,
        (snapshot.run_id,),
    )


def test_every_recorded_run_counts_oldest_first(make_shelf: Callable[[int], Shelf]) -> None:
    shelf = make_shelf(1)
    first, second = shelf.put(), shelf.put()
    assert [one.run for one in shelf.recorded.manifests(first.id)] == [first.run_id, second.run_id]
    assert shelf.recorded.manifest(first.id, second.run_id).run == second.run_id


@pytest.mark.parametrize("state", [None, "START", "FAIL"])
def test_what_no_complete_retrieval_names_is_not_recorded(shelf: Shelf, state: str | None) -> None:
    snapshot = shelf.put(state=state)
    assert standings(shelf) == {snapshot.id: "not recorded"}
    for ask in (shelf.recorded.manifests, shelf.recorded.read, lambda name: list(shelf.recorded.batches(name))):
        with pytest.raises(SnapshotNotRecorded, match="no signed record"):
            ask(snapshot.id)


def test_a_further_manifest_that_nobody_recorded_is_not_looked_at(make_shelf: Callable[[int], Shelf]) -> None:
    shelf = make_shelf(1)
    snapshot, orphan = shelf.put(), shelf.put(state=None)
    assert [one.run for one in shelf.recorded.manifests(snapshot.id)] == [snapshot.run_id]
    with pytest.raises(SnapshotNotRecorded, match=orphan.run_id):
        shelf.recorded.manifest(snapshot.id, orphan.run_id)


def test_a_forged_manifest_is_corrupt_whatever_it_says(shelf: Shelf) -> None:
    snapshot = shelf.put()
    path = shelf.manifest(snapshot)
    good = json.loads(path.read_bytes())
    for forged in (b"[]", b"", b"\xff", canonical_json({**good, "validation": []}), path.read_bytes() + b"\n"):
        path.write_bytes(forged)
        assert standings(shelf) == {snapshot.id: "damaged"}
        for ask in (shelf.recorded.manifest, shelf.recorded.read):
            with pytest.raises(SnapshotCorrupt, match="changed after it was recorded"):
                ask(snapshot.id)


def test_a_missing_manifest_is_corrupt_and_still_listed(shelf: Shelf) -> None:
    snapshot = shelf.put()
    shelf.manifest(snapshot).unlink()
    assert standings(shelf) == {snapshot.id: "damaged"}
    with pytest.raises(SnapshotCorrupt, match="missing"):
        shelf.recorded.manifests(snapshot.id)


def test_rows_and_manifest_forged_together_are_corrupt(shelf: Shelf) -> None:
    snapshot = shelf.put()
    path = shelf.manifest(snapshot)
    pq.write_table(FORGED, path.with_name("data.parquet"))
    with pytest.raises(SnapshotCorrupt, match="rows"):
        shelf.recorded.read(snapshot.id)
    path.write_bytes(canonical_json({**json.loads(path.read_bytes()), "digest": digest_table(FORGED).digest}))
    with pytest.raises(SnapshotCorrupt, match="manifest"):
        shelf.recorded.read(snapshot.id)


@pytest.mark.parametrize(
    "changes", [{"nulls": None}, {"sources": 7}, {"sources": [{}]}, {"validation": [1]}, {"created": 3}]
)
def test_a_manifest_that_was_recorded_incomplete_is_told_in_words(shelf: Shelf, changes: dict[str, Any]) -> None:
    snapshot = shelf.put(**changes)
    with pytest.raises(SnapshotCorrupt, match=next(iter(changes))):
        shelf.recorded.manifest(snapshot.id)


def test_what_is_neither_stored_nor_recorded_is_unknown(shelf: Shelf) -> None:
    with pytest.raises(UnknownSnapshot, match="no snapshot"):
        shelf.recorded.manifests("td1-sha256:" + "0" * 64)
    with pytest.raises(UnknownSnapshot, match="does not name"):
        shelf.recorded.manifests("latest")


def test_a_run_is_opened_without_a_look_at_the_others(
    make_shelf: Callable[[int], Shelf], monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = make_shelf(1)
    lost, forged, sound = shelf.put(), shelf.put(), shelf.put()
    shelf.manifest(lost).unlink()
    shelf.manifest(forged).write_bytes(b"{}")
    asked: list[str] = []
    read = SnapshotStore.document

    def counted(store: SnapshotStore, name: str, run: str) -> bytes:
        asked.append(run)
        return read(store, name, run)

    monkeypatch.setattr(SnapshotStore, "document", counted)
    assert shelf.recorded.open(sound.id, sound.run_id).to_arrow().equals(TABLE)
    assert asked == [sound.run_id]
    assert shelf.recorded.manifest(sound.id).run == sound.run_id  # the first that is as it was recorded
    with pytest.raises(SnapshotCorrupt, match=lost.run_id):
        shelf.recorded.open(lost.id, lost.run_id)
    for whole in (shelf.recorded.manifests, lambda name: list(shelf.recorded.batches(name))):
        with pytest.raises(SnapshotCorrupt, match="missing"):
            whole(sound.id)


def test_the_list_names_the_runs_that_are_damaged_and_goes_on(make_shelf: Callable[[int], Shelf]) -> None:
    shelf = make_shelf(1)
    lost, sound, other = shelf.put(), shelf.put(), shelf.put(FORGED)
    shelf.manifest(lost).unlink()
    nameless = Snapshot("", "td1-sha256:none", "no run", "", 0)
    shelf.record(nameless, b"")
    listed = {one.name: one for one in shelf.recorded.list()}
    assert listed[nameless.id].standing == "damaged"
    assert listed[other.id].standing == "recorded"
    half = listed[sound.id]
    assert (half.standing, half.rows) == ("damaged", 3)
    assert (half.runs, half.damaged) == ((lost.run_id, sound.run_id), (lost.run_id,))
