"""Snapshots in a bucket."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from torch.utils.data import DataLoader

from lineage.errors import SnapshotCorrupt, UnknownSnapshot
from lineage.objects import Retention
from lineage.objects.s3 import S3Objects
from lineage.snapshots import Snapshot, SnapshotStore
from lineage.td1 import CHUNK_ROWS
from tests.lineage.object_stores import bucket_store
from tests.lineage.snapshot_tables import ROWS, opened, put, put_parts, rows_of
from tests.seaweedfs import S3Server

TABLE = rows_of()
Put = Callable[[SnapshotStore, pa.Table], tuple[Snapshot, bytes]]


@pytest.fixture
def objects(s3: S3Server) -> S3Objects:
    return bucket_store(s3)


@pytest.fixture
def store(objects: S3Objects) -> SnapshotStore:
    return SnapshotStore(objects, min_rows=1)


def keys(objects: S3Objects) -> list[str]:
    return [one["Key"] for one in objects.client.list_objects_v2(Bucket=objects.bucket).get("Contents", [])]


@pytest.mark.parametrize("kept", [put, put_parts], ids=["one file", "in parts"])
def test_what_was_stored_is_read_again_verified(store: SnapshotStore, objects: S3Objects, kept: Put) -> None:
    snapshot, document = kept(store, TABLE)
    assert snapshot.uri.startswith(f"{objects.location}/snapshots/")
    assert store.names() == (snapshot.id,)
    assert store.document(snapshot.id, snapshot.run_id) == document
    assert store.read(snapshot.id).select(TABLE.column_names).equals(TABLE)
    reader = pickle.loads(pickle.dumps(opened(store, snapshot)))
    assert reader.to_arrow().equals(TABLE)
    assert reader.chunk(1, ["n"]).equals(TABLE.slice(CHUNK_ROWS, CHUNK_ROWS).select(["n"]))
    assert not [key for key in keys(objects) if ".incomplete" in key]


def test_the_same_rows_are_stored_once_with_a_manifest_for_each_run(store: SnapshotStore, objects: S3Objects) -> None:
    first, _ = put(store, TABLE)
    second, _ = put_parts(store, TABLE)
    assert first.id == second.id
    assert len(keys(objects)) == 3
    assert len(store.runs(first.id)) == 2


def test_the_workers_of_a_loader_read_from_the_bucket(store: SnapshotStore) -> None:
    reader = opened(store, put(store, TABLE)[0])
    loader = DataLoader(reader.to_torch(["n"], batch_rows=10_000), batch_size=None, num_workers=2)
    assert sorted(int(one) for batch in loader for one in batch["n"]) == list(range(ROWS))


def test_a_changed_byte_is_found_in_its_chunk(store: SnapshotStore, objects: S3Objects) -> None:
    snapshot, _ = put(store, TABLE)
    name = next(name for name in objects.names("snapshots") if name.endswith(".parquet"))
    data = bytearray(objects.read(name))
    data[len(data) // 2] ^= 1
    objects.client.put_object(Bucket=objects.bucket, Key=objects.key(name), Body=bytes(data))
    with pytest.raises(SnapshotCorrupt):
        opened(store, snapshot).to_arrow()


def test_a_missing_snapshot_is_unknown(store: SnapshotStore) -> None:
    name = "td1-sha256:" + "0" * 64
    with pytest.raises(UnknownSnapshot):
        store.read(name)
    assert not store.holds(name)


def test_the_manifest_says_what_keeps_the_rows(s3: S3Server) -> None:
    objects = bucket_store(s3, lock=True, retention=Retention("COMPLIANCE", 2))
    snapshot, document = put(SnapshotStore(objects, min_rows=1), TABLE)
    assert json.loads(document)["retention"] == {"mode": "COMPLIANCE", "days": 2}
    for key in keys(objects):
        assert objects.client.head_object(Bucket=objects.bucket, Key=key)["ObjectLockMode"] == "COMPLIANCE"
    assert objects.read(f"snapshots/{snapshot.id.split(':')[1]}/{snapshot.run_id}.json") == document


@pytest.mark.parametrize("kept", [put, put_parts], ids=["one file", "in parts"])
def test_rows_that_are_stored_again_are_kept_as_the_new_manifest_says(s3: S3Server, kept: Put) -> None:
    objects = bucket_store(s3, lock=True, retention=Retention("GOVERNANCE", 2))
    kept(SnapshotStore(objects, min_rows=1), TABLE)
    for asked, expected in [
        (Retention("COMPLIANCE", 3650), {"mode": "COMPLIANCE", "days": 3650}),
        (Retention("GOVERNANCE", 9), {"mode": "COMPLIANCE", "days": 3650}),
        (None, {"mode": "COMPLIANCE", "days": 3650}),
    ]:
        again = S3Objects(objects.location, access=objects.access, retention=asked)
        _, document = put(SnapshotStore(again, min_rows=1), TABLE)
        assert json.loads(document)["retention"] == expected
        for name in objects.names("snapshots"):
            if name.endswith(".parquet"):
                head = objects.client.head_object(Bucket=objects.bucket, Key=objects.key(name))
                assert head["ObjectLockMode"] == "COMPLIANCE"
                assert (head["ObjectLockRetainUntilDate"] - datetime.now(UTC)).days >= 3649


def test_damaged_rows_are_not_recorded_again_and_are_stored_anew_once_they_are_out_of_the_way(s3: S3Server) -> None:
    objects = bucket_store(s3, lock=True, retention=Retention("COMPLIANCE", 2))
    store = SnapshotStore(objects, min_rows=1)
    snapshot, _ = put(store, TABLE)
    at = {"Bucket": objects.bucket, "Key": objects.key(f"snapshots/{snapshot.id.split(':')[1]}/data.parquet")}
    objects.client.put_object(**at, Body=b"")  # hides the locked version
    with pytest.raises(SnapshotCorrupt, match="something else lies already"):
        put(store, TABLE)
    assert store.runs(snapshot.id) == (snapshot.run_id,)
    objects.client.delete_object(**at)
    put(store, TABLE)
    assert opened(store, snapshot).to_arrow().equals(TABLE)
