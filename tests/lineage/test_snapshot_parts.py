"""Snapshots whose chunks several processes write."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pytest

from lineage.errors import ObjectsUnreachable, RetrievalBroken
from lineage.objects import DirectoryObjects
from lineage.snapshots import SnapshotStore
from lineage.td1 import CHUNK_ROWS, digest_table
from tests.lineage.snapshot_tables import files, opened, put, put_parts, rows_of

TABLE = rows_of()


@pytest.fixture
def objects(tmp_path: Path) -> DirectoryObjects:
    return DirectoryObjects(tmp_path / "objects")


@pytest.fixture
def store(objects: DirectoryObjects) -> SnapshotStore:
    return SnapshotStore(objects, min_rows=1)


def test_chunks_of_many_writers_are_the_snapshot_that_one_would_write(
    store: SnapshotStore, objects: DirectoryObjects
) -> None:
    snapshot, document = put_parts(store, TABLE)
    assert snapshot.id == digest_table(TABLE).digest
    assert [file.rpartition("/")[2] for file in files(objects)] == sorted(
        [*(f"part-0000{number}.parquet" for number in range(3)), f"{snapshot.run_id}.json"]
    )
    assert store.read(snapshot.id).select(TABLE.column_names).equals(TABLE)
    assert opened(store, snapshot).to_arrow().equals(TABLE)
    assert snapshot.uri == (objects.root / f"snapshots/{digest_table(TABLE).hex}").as_uri()
    single, other = put(SnapshotStore(DirectoryObjects(objects.root / "elsewhere"), min_rows=1), TABLE)
    mine, theirs = json.loads(document), json.loads(other)
    assert {**mine, "run": ""} == {**theirs, "run": ""}
    assert single.id == snapshot.id


def test_rows_that_are_there_already_are_not_stored_in_parts_too(
    store: SnapshotStore, objects: DirectoryObjects
) -> None:
    first, _ = put(store, TABLE)
    second, _ = put_parts(store, TABLE)
    assert (first.id, first.uri) == (second.id, second.uri)
    assert not [file for file in files(objects) if "part-" in file]
    assert len(store.runs(first.id)) == 2


def test_parts_that_are_there_already_are_not_stored_as_one_file_too(
    store: SnapshotStore, objects: DirectoryObjects
) -> None:
    first, _ = put_parts(store, TABLE)
    second, _ = put(store, TABLE)
    assert (first.id, first.uri) == (second.id, second.uri)
    assert not [file for file in files(objects) if "data" in file]


def test_parts_of_a_killed_writer_are_completed_by_the_next(store: SnapshotStore, objects: DirectoryObjects) -> None:
    snapshot, _ = put_parts(store, TABLE)
    for left in ("part-00001.parquet", f"{snapshot.run_id}.json"):
        (objects.root / "snapshots" / digest_table(TABLE).hex / left).unlink()
    assert store.names() == ()
    again, _ = put_parts(store, TABLE)
    assert opened(store, again).to_arrow().equals(TABLE)


def test_a_missing_chunk_is_no_snapshot(store: SnapshotStore, objects: DirectoryObjects) -> None:
    with pytest.raises(RetrievalBroken, match=r"2 of 2 chunks that were written\. Expected 3"):
        put_parts(store, TABLE, chunks=[0, 2])
    assert files(objects) == []


def test_a_chunk_too_many_is_no_snapshot(store: SnapshotStore, objects: DirectoryObjects) -> None:
    rows = TABLE.slice(0, 10)
    with store.stage_parts(TABLE.schema) as parts:
        two = parts.of(parts.writer.write(number, rows) for number in range(2))
        with pytest.raises(RetrievalBroken, match=r"2 of 2 chunks that were written\. Expected 1"):
            store.put_parts(two, digest_table(rows), run=str(uuid4()), manifest={})
    assert files(objects) == []


@pytest.mark.parametrize(
    "rows",
    [TABLE.slice(0, 0), TABLE.slice(0, CHUNK_ROWS + 1), TABLE.slice(0, 5).drop_columns(["x"])],
    ids=["none", "too many", "of other columns"],
)
def test_what_is_no_chunk_is_not_written(store: SnapshotStore, rows: pa.Table) -> None:
    with store.stage_parts(TABLE.schema) as parts, pytest.raises(RetrievalBroken, match="Expected 1 to 65536 rows"):
        parts.writer.write(0, rows)


def test_no_rows_at_all_are_a_snapshot_too(objects: DirectoryObjects) -> None:
    store = SnapshotStore(objects, min_rows=0)
    snapshot, _ = put_parts(store, TABLE.slice(0, 0))
    assert opened(store, snapshot).to_arrow().equals(TABLE.slice(0, 0))


def test_a_small_snapshot_in_parts_has_a_name_that_tells_nothing(objects: DirectoryObjects) -> None:
    store = SnapshotStore(objects, min_rows=50)
    snapshot, _ = put_parts(store, TABLE.slice(0, 10))
    assert snapshot.id.startswith("random:")
    assert opened(store, snapshot).to_arrow().equals(TABLE.slice(0, 10))


def test_a_worker_that_does_not_see_the_directory_is_told(store: SnapshotStore, tmp_path: Path) -> None:
    with store.stage_parts(TABLE.schema) as parts:
        writer = pickle.loads(pickle.dumps(parts.writer))
        (tmp_path / "objects").rename(tmp_path / "elsewhere")  # as if it were on another machine
        with pytest.raises(ObjectsUnreachable, match="No such file"):
            writer.write(0, TABLE.slice(0, 10))
