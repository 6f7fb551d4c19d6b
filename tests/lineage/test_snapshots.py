from __future__ import annotations

import hashlib
import json
import math
import os
import signal
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from subprocess import Popen
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from governance.canonical import canonical_json
from lineage.errors import SnapshotCorrupt, SnapshotNotRecorded, UnknownSnapshot
from lineage.objects import DirectoryObjects
from lineage.snapshots import Snapshot, SnapshotStore
from lineage.stored_types import stored_schema
from lineage.td1 import digest_table

Spawn = Callable[[str], "Popen[str]"]
RUN = "00000000-0000-4000-8000-000000000001"
OTHER = "00000000-0000-4000-8000-000000000002"
TABLE = pa.table(
    {
        "patient": pa.array([1, 2, None], pa.int64()),
        "t": pa.array([0, 1, -1], pa.timestamp("us", "UTC")),
        "alb": pa.array([4.5, math.nan, -0.0]),
        "name": pa.array(["ä", "", None]),
        "day": pa.array([date(1, 1, 1), None, date(9999, 12, 31)]),
        "cost": pa.array([Decimal("1.50"), None, Decimal("-2.00")], pa.decimal128(9, 2)),
        "codes": pa.array([[1, None], [], None], pa.list_(pa.int32())),
        "more": pa.array([{"a": 1}, None, {"a": None}], pa.struct([("a", pa.int64())])),
        "kind": pa.array(["x", "y", "x"]).dictionary_encode(),
        "nothing": pa.nulls(3),
    }
)


@pytest.fixture
def objects(tmp_path: Path) -> DirectoryObjects:
    return DirectoryObjects(tmp_path / "objects")


@pytest.fixture
def store(objects: DirectoryObjects) -> SnapshotStore:
    return SnapshotStore(objects, min_rows=1)


def put(store: SnapshotStore, table: pa.Table = TABLE, run: str = RUN, **manifest: Any) -> tuple[Snapshot, bytes]:
    return store.put(table, run=run, manifest=manifest)


def files(objects: DirectoryObjects) -> list[str]:
    return sorted(path.relative_to(objects.root).as_posix() for path in objects.root.rglob("*") if path.is_file())


def data(objects: DirectoryObjects) -> Path:
    (path,) = objects.root.rglob("data.parquet")
    return path


def test_what_was_stored_is_read_again(store: SnapshotStore) -> None:
    snapshot, _ = put(store)
    assert snapshot.id == snapshot.digest == digest_table(TABLE).digest
    assert (snapshot.rows, snapshot.run_id) == (3, RUN)
    assert Path(snapshot.uri.removeprefix("file://")).is_file()
    assert digest_table(store.read(snapshot.id)) == digest_table(TABLE)
    assert store.read(snapshot.id).schema == stored_schema(TABLE.schema)


def test_a_snapshot_of_many_chunks_and_one_of_no_rows_are_read_again(objects: DirectoryObjects) -> None:
    store = SnapshotStore(objects, min_rows=0)
    many = pa.table({"n": pa.array(range(70_000), pa.int64())})
    for table in (many, many.slice(0, 0)):
        snapshot, _ = put(store, table)
        assert store.read(snapshot.id).equals(table)
    assert len(store.names()) == 2


def test_the_manifest_is_the_bytes_that_were_given(store: SnapshotStore, objects: DirectoryObjects) -> None:
    snapshot, document = put(store, labels={"pii": True}, digest="mine", v=7)
    manifest = json.loads(store.document(snapshot.id, RUN))
    digest = digest_table(TABLE)
    assert document == objects.read(f"snapshots/{digest.hex}/{RUN}.json") == canonical_json(manifest)
    assert manifest["labels"] == {"pii": True}
    assert (manifest["v"], manifest["run"], manifest["digest"], manifest["rows"]) == (1, RUN, digest.digest, 3)
    assert manifest["descriptor"] == digest.descriptor
    assert manifest["column_roots"] == {column.name: column.root for column in digest.columns}
    assert manifest["leaves"] == {column.name: list(column.leaves) for column in digest.columns}


def test_the_same_rows_are_stored_once_with_a_manifest_for_each_run(
    store: SnapshotStore, objects: DirectoryObjects
) -> None:
    first, _ = put(store)
    inode = data(objects).stat().st_ino
    rebatched = pa.concat_tables([TABLE.slice(0, 1), TABLE.slice(1)])
    second, _ = put(store, rebatched, run=OTHER)
    assert first.id == second.id
    assert store.names() == (first.id,)
    assert store.runs(first.id) == (RUN, OTHER)
    assert data(objects).stat().st_ino == inode


def test_a_run_has_one_manifest(store: SnapshotStore) -> None:
    put(store, created="now")
    put(store, created="now")
    with pytest.raises(SnapshotCorrupt, match=RUN):
        put(store, created="later")


def test_a_small_table_goes_by_a_random_name_that_tells_nothing(objects: DirectoryObjects) -> None:
    store = SnapshotStore(objects, min_rows=4)
    (first, document), (second, again) = put(store), put(store)
    hidden = digest_table(TABLE).hex
    assert first.id.startswith("random:")
    assert first.id != second.id
    assert hidden not in first.id + first.uri
    assert first.digest.endswith(hidden)
    assert not any(hidden in name for name in files(objects))
    assert digest_table(store.read(first.id, digest=first.digest)) == digest_table(TABLE)
    assert set(store.names()) == {first.id, second.id}
    assert hashlib.sha256(document).hexdigest() != hashlib.sha256(again).hexdigest()  # nobody can guess rows by it


def test_the_digest_of_a_table_large_enough_is_its_name(objects: DirectoryObjects) -> None:
    assert put(SnapshotStore(objects, min_rows=3))[0].id == digest_table(TABLE).digest


@pytest.mark.parametrize("name", ["td1-sha256:" + "0" * 64, "random:" + "0" * 64])
def test_a_missing_snapshot_is_unknown(store: SnapshotStore, name: str) -> None:
    snapshot, _ = put(store)
    some = snapshot.digest
    with pytest.raises(UnknownSnapshot, match="no snapshot"):
        store.read(name, digest=some)
    with pytest.raises(UnknownSnapshot, match="no snapshot"):
        store.chunk(name, 0)
    for asked, run in ((name, RUN), (snapshot.id, OTHER)):
        with pytest.raises(UnknownSnapshot, match="no manifest"):
            store.document(asked, run)
    assert store.holds(snapshot.id)
    assert not store.holds(name)
    assert store.runs(name) == ()


HEX = "0" * 64


@pytest.mark.parametrize(
    "name",
    [
        "",
        "td1-sha256:",
        "random:",
        HEX,
        f"sha256:{HEX}",
        f"td1-sha256:{HEX[1:]}",
        f"td1-sha256:{HEX}0",
        f"td1-sha256:{HEX}\n",
        f"TD1-SHA256:{HEX}",
        "td1-sha256:" + "A" * 64,
        "td1-sha256:" + "\N{ARABIC-INDIC DIGIT ZERO}" * 64,
        "td1-sha256:../../etc",
        "random:../../etc",
        "td1-sha256:" + "/" * 64,
    ],
)
def test_garbage_names_no_snapshot(store: SnapshotStore, name: str) -> None:
    for ask in (store.read, lambda name: store.document(name, RUN), store.runs, store.holds):
        with pytest.raises(UnknownSnapshot, match="does not name"):
            ask(name)


@pytest.mark.parametrize("run", ["../x", "x", "data", RUN.replace("-", ""), RUN + "\n", "A" * 36])
def test_garbage_names_no_run(store: SnapshotStore, objects: DirectoryObjects, run: str) -> None:
    with pytest.raises(UnknownSnapshot, match="does not name a run"):
        put(store, run=run)
    assert files(objects) == []


def test_every_changed_byte_is_noticed_or_means_nothing(store: SnapshotStore, objects: DirectoryObjects) -> None:
    snapshot, _ = put(store, TABLE.select(["patient", "t", "alb", "name"]))
    path = data(objects)
    good = path.read_bytes()
    original = store.read(snapshot.id)
    noticed = 0
    for at in range(0, len(good), 7):
        path.write_bytes(good[:at] + bytes([good[at] ^ 0x55]) + good[at + 1 :])
        try:
            assert digest_table(store.read(snapshot.id)) == digest_table(original)
        except SnapshotCorrupt:
            noticed += 1
    assert noticed > 20


@pytest.mark.parametrize("cut", [0, 3, 100, -1])
def test_a_file_cut_short_is_corrupt(store: SnapshotStore, objects: DirectoryObjects, cut: int) -> None:
    snapshot, _ = put(store)
    path = data(objects)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(SnapshotCorrupt, match="backup"):
        store.read(snapshot.id)


def test_other_rows_are_corrupt_even_with_a_manifest_to_match(store: SnapshotStore, objects: DirectoryObjects) -> None:
    snapshot, _ = put(store)
    forged = TABLE.set_column(0, "patient", pa.array([1, 2, 3], pa.int64()))
    pq.write_table(forged, data(objects))
    with pytest.raises(SnapshotCorrupt, match="changed after"):
        store.read(snapshot.id)
    path = data(objects).with_name(f"{RUN}.json")
    path.write_bytes(canonical_json({**json.loads(path.read_bytes()), "digest": digest_table(forged).digest}))
    with pytest.raises(SnapshotCorrupt, match="changed after"):
        store.read(snapshot.id)


def test_the_rows_of_a_random_name_are_compared_with_the_recorded_digest_and_no_file(objects: DirectoryObjects) -> None:
    store = SnapshotStore(objects, min_rows=4)
    snapshot, _ = put(store)
    forged = TABLE.set_column(0, "patient", pa.array([1, 2, 3], pa.int64()))
    pq.write_table(forged, data(objects))
    path = data(objects).with_name(f"{RUN}.json")
    path.write_bytes(canonical_json({**json.loads(path.read_bytes()), "digest": digest_table(forged).digest}))
    with pytest.raises(SnapshotNotRecorded, match="says nothing about its rows"):
        store.read(snapshot.id)
    with pytest.raises(SnapshotCorrupt, match="changed after") as corrupt:
        store.read(snapshot.id, digest=snapshot.digest)
    assert "td1-sha256:" not in str(corrupt.value)  # the digest of a small table tells what is in it


def test_stray_files_are_neither_snapshots_nor_runs(store: SnapshotStore, objects: DirectoryObjects) -> None:
    snapshot, _ = put(store)
    folder = data(objects).parent
    for stray in (folder.parent / "x.json", folder.parent / "zzz" / f"{RUN}.json", folder / "notes.json"):
        stray.parent.mkdir(exist_ok=True)
        stray.write_text("{}")
    assert store.names() == (snapshot.id,)
    assert store.runs(snapshot.id) == (RUN,)


def test_bytes_that_are_not_text_are_corrupt(store: SnapshotStore, objects: DirectoryObjects) -> None:
    snapshot, _ = put(store, pa.table({"x": ["a"]}))
    broken = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0"), pa.py_buffer(b"\xff")])
    pq.write_table(pa.table({"x": broken}), data(objects))
    with pytest.raises(SnapshotCorrupt):
        store.read(snapshot.id)


CODE = """
from pathlib import Path
import sys, time
import pyarrow as pa
from lineage.objects import DirectoryObjects
from lineage import snapshots
table = pa.table({{"n": pa.array(range(100_000), pa.int64())}})
store = snapshots.SnapshotStore(DirectoryObjects(Path({root!r})), min_rows=1)
{before}
print("ready", flush=True)
input()
store.put(table, run={run!r}, manifest={{}})
print("done", flush=True)
"""
HANG = """
def write(table, path):
    path.write_bytes(b"PAR1 and half of the rows")
    print("writing", flush=True)
    time.sleep(600)
snapshots.write_rows = write
"""


def go(process: Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def says(process: Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_processes_that_store_the_same_snapshot_at_once_store_it_once(objects: DirectoryObjects, spawn: Spawn) -> None:
    runs = [f"00000000-0000-4000-8000-00000000000{n}" for n in range(3)]
    processes = [spawn(CODE.format(root=str(objects.root), run=run, before="")) for run in runs]
    assert [says(process) for process in processes] == ["ready"] * 3
    for process in processes:
        go(process)
    assert [says(process) for process in processes] == ["done"] * 3
    store = SnapshotStore(objects, min_rows=1)
    (name,) = store.names()
    assert store.runs(name) == tuple(runs)
    assert store.read(name).num_rows == 100_000
    assert len(files(objects)) == 4


def test_a_writer_killed_in_the_middle_leaves_nothing_half_there(objects: DirectoryObjects, spawn: Spawn) -> None:
    killed = spawn(CODE.format(root=str(objects.root), run=RUN, before=HANG))
    assert says(killed) == "ready"
    go(killed)
    assert says(killed) == "writing"
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    store = SnapshotStore(objects, min_rows=1)
    table = pa.table({"n": pa.array(range(100_000), pa.int64())})
    assert store.names() == ()
    with pytest.raises(UnknownSnapshot):
        store.read(digest_table(table).digest)
    snapshot, _ = put(store, table, run=OTHER)
    assert store.read(snapshot.id).equals(table)
    assert len(files(objects)) == 2  # what the killed one left is gone


def test_rows_without_a_manifest_are_no_snapshot_until_a_run_gives_them_again(objects: DirectoryObjects) -> None:
    store = SnapshotStore(objects, min_rows=1)
    snapshot, _ = put(store)
    data(objects).with_name(f"{RUN}.json").unlink()  # as if the process died between the two
    assert store.names() == ()
    with pytest.raises(UnknownSnapshot):
        store.document(snapshot.id, RUN)
    assert put(store, run=OTHER)[0].id == snapshot.id
    assert store.names() == (snapshot.id,)
