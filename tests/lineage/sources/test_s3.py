from __future__ import annotations

import io
import json
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake
from pyarrow.fs import FileType

from lineage.errors import SourceChanged, SourceGone, SourceUnreadable
from lineage.sources import s3 as s3_module
from lineage.sources.delta import DeltaSource
from lineage.sources.interface import OpenSource
from lineage.sources.parquet_files import ParquetFiles
from lineage.sources.reading_again import check_bytes
from lineage.sources.s3 import S3, S3Access, S3Objects
from lineage.sources.state import SourceState
from tests.lineage.sources import iceberg_tables
from tests.seaweedfs import S3Server

pytestmark = pytest.mark.filterwarnings(
    "ignore:unclosed:ResourceWarning"
)  # boto3 leaves its connections to the collector


def access_to(server: S3Server) -> S3Access:
    return S3Access(server.endpoint, server.access_key, server.secret_key, region=server.region)


@dataclass(frozen=True)
class Bucket:
    """A new bucket, and a client that writes to it."""

    name: str
    client: Any
    access: S3Access

    def put(self, key: str, values: Sequence[object]) -> None:
        file = io.BytesIO()
        pq.write_table(pa.table({"value": values}), file)
        self.client.put_object(Bucket=self.name, Key=key, Body=file.getvalue())

    def keep_versions(self) -> None:
        self.client.put_bucket_versioning(Bucket=self.name, VersioningConfiguration={"Status": "Enabled"})

    def source(self, path: str) -> ParquetFiles:
        return ParquetFiles("labs", f"s3://{self.name}/{path}", f"{self.name}/{path}", S3(self.access))

    def delta(self, path: str) -> DeltaSource:
        place = f"{self.name}/{path}"
        options = self.access.as_object_store_options()
        return DeltaSource("labs", f"s3://{place}", place, f"s3://{place}", S3(self.access), options)


@pytest.fixture
def bucket(s3: S3Server) -> Iterator[Bucket]:
    with closing(s3.client()) as client:
        name = f"b-{uuid.uuid4().hex}"
        client.create_bucket(Bucket=name)
        yield Bucket(name, client, access_to(s3))


def values(opened: OpenSource, **asked: Any) -> list[object]:
    found: list[object] = opened.dataset.to_table(columns=["value"], **asked).column("value").to_pylist()
    return found


def test_an_object_a_prefix_and_a_glob_are_found(bucket: Bucket) -> None:
    for key, value in {"a/2.parquet": 2, "a/1.parquet": 1, "a/deep/3.parquet": 3, "ab/4.parquet": 4}.items():
        bucket.put(key, [value])
    bucket.client.put_object(Bucket=bucket.name, Key="a/_SUCCESS", Body=b"")
    expected = {"a/2.parquet": [2], "a": [1, 2, 3], "a/": [1, 2, 3], "a/*.parquet": [1, 2], "**/[34].parquet": [3, 4]}
    assert {path: values(bucket.source(path).open()) for path in expected} == expected


def test_partitions_columns_and_filters_are_pushed_down(bucket: Bucket) -> None:
    bucket.put("day=7/a.parquet", [1, 2])
    bucket.put("day=8/a.parquet", [3])
    opened = bucket.source("").open()
    assert values(opened, filter=(pc.field("day") == 7) & (pc.field("value") > 1)) == [2]
    assert opened.dataset.to_table(columns=["day"]).column("day").to_pylist() == [7, 7, 8]


def test_many_row_groups_and_columns_come_back_as_they_were_written(bucket: Bucket) -> None:
    rows = pa.table({f"c{n}": pa.array(range(50_000)) for n in range(5)} | {"value": pa.array(range(50_000))})
    file = io.BytesIO()
    pq.write_table(rows, file, row_group_size=7_000)
    bucket.client.put_object(Bucket=bucket.name, Key="rows.parquet", Body=file.getvalue())
    opened = bucket.source("rows.parquet").open()
    assert opened.dataset.to_table().equals(rows)
    assert values(opened, filter=pc.field("value") == 49_999) == [49_999]


def test_the_state_is_what_the_store_states(bucket: Bucket) -> None:
    bucket.put("plain.parquet", [1])
    state = bucket.source("plain.parquet").open().state({})
    head = bucket.client.head_object(Bucket=bucket.name, Key="plain.parquet")
    assert state.state == "stated"
    assert state.as_json()["files"] == [
        {"path": f"{bucket.name}/plain.parquet", "size": head["ContentLength"], "etag": head["ETag"]}
    ]
    bucket.keep_versions()
    bucket.put("kept.parquet", [1])
    kept = bucket.source("kept.parquet").open().state({})
    assert kept.files[0].version_id == bucket.client.head_object(Bucket=bucket.name, Key="kept.parquet")["VersionId"]
    assert SourceState.from_json(json.loads(json.dumps(kept.as_json()))) == kept


def test_an_object_replaced_while_it_is_read_is_refused_by_the_store(bucket: Bucket) -> None:
    bucket.put("a.parquet", [1])
    opened = bucket.source("a.parquet").open()
    state = opened.state({})
    assert values(opened) == [1]
    bucket.put("a.parquet", [2])
    with pytest.raises(SourceUnreadable, match=r"a\.parquet changed while it was read"):
        values(opened)
    with pytest.raises(SourceChanged, match=r"1 of 1 recorded objects hold something else now"):
        bucket.source("a.parquet").open(at=state)


class _WithoutConditions:
    """A store, or a proxy before it, that does not look at ``If-Match``."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def get_object(self, **asked: Any) -> Any:
        asked.pop("IfMatch")
        return self._client.get_object(**asked)


def test_an_answer_of_another_content_is_refused_where_the_store_knows_no_conditions(bucket: Bucket) -> None:
    bucket.put("a.parquet", [1])
    states, _ = S3(bucket.access).pin([f"{bucket.name}/a.parquet"]).states({})
    pinned = S3Objects(_WithoutConditions(bucket.client), states)
    assert pinned.computed()[0].sha256 is not None
    bucket.put("a.parquet", [2])
    with pytest.raises(SourceUnreadable, match=r"a\.parquet changed while it was read"):
        pinned.computed()


def test_what_is_not_pinned_is_not_there(bucket: Bucket) -> None:
    bucket.put("a.parquet", [1])
    filesystem = S3(bucket.access).pin([f"{bucket.name}/a.parquet"]).filesystem
    assert filesystem.get_file_info(f"{bucket.name}/b.parquet").type == FileType.NotFound
    with pytest.raises(FileNotFoundError):
        filesystem.open_input_file(f"{bucket.name}/b.parquet")


def test_every_byte_is_read_for_who_verifies(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_module, "_PIECE", 100)
    bucket.put("a/1.parquet", list(range(1000)))
    bucket.put("a/2.parquet", [2])
    opened = bucket.source("a").open()
    bodies = [bucket.client.get_object(Bucket=bucket.name, Key=f"a/{n}.parquet")["Body"].read() for n in (1, 2)]
    state, now = opened.state({}), opened.computed()
    assert [file.sha256 for file in now] == [sha256(body).hexdigest() for body in bodies]
    assert check_bytes(state, now).endswith(f"{bucket.name}/a/2.parquet sha256 {now[1].sha256}")
    read = replace(state, files=now)
    assert check_bytes(read, now) == ""
    other = (replace(now[0], sha256="0" * 64), now[1])
    with pytest.raises(SourceChanged, match=r"1 of 2 recorded files hold other bytes now: .*a/1\.parquet"):
        check_bytes(read, other)


def test_a_bucket_with_versions_gives_the_opened_one_again(bucket: Bucket) -> None:
    bucket.keep_versions()
    bucket.put("a.parquet", [1])
    opened = bucket.source("a.parquet").open()
    state = opened.state({})
    bucket.put("a.parquet", [2])
    assert values(opened) == [1]
    assert values(bucket.source("a.parquet").open()) == [2]
    bucket.client.delete_object(Bucket=bucket.name, Key="a.parquet")
    again = bucket.source("a.parquet").open(at=state)
    assert values(again) == [1]
    again.check_unchanged()
    assert again.state({}).files == state.files
    assert again.key() == opened.key()
    bucket.client.delete_object(Bucket=bucket.name, Key="a.parquet", VersionId=str(state.files[0].version_id))
    with pytest.raises(SourceGone, match="no longer in the store"):
        bucket.source("a.parquet").open(at=state)


def test_objects_that_come_later_are_no_part_of_what_was_opened(bucket: Bucket) -> None:
    bucket.put("a/1.parquet", [1])
    opened = bucket.source("a").open()
    state = opened.state({})
    bucket.put("a/2.parquet", [2])
    assert values(opened) == [1]
    opened.check_unchanged()
    again = bucket.source("a").open(at=state)
    assert values(again) == [1]
    again.check_unchanged()


def test_missing_objects_and_buckets_are_said(bucket: Bucket) -> None:
    for path in ("absent.parquet", "absent/*.parquet"):
        with pytest.raises(SourceUnreadable, match="has no files"):
            bucket.source(path).open()
    with pytest.raises(SourceUnreadable, match="has no files"):
        replace(bucket, name="no-such-bucket").source("a.parquet").open()


def test_a_table_format_is_not_read_as_plain_objects(bucket: Bucket) -> None:
    bucket.put("a/1.parquet", [1])
    bucket.client.put_object(Bucket=bucket.name, Key="a/_delta_log/0.json", Body=b"{}")
    with pytest.raises(SourceUnreadable, match="is a Delta table"):
        bucket.source("a").open()


@pytest.mark.parametrize(
    "wrong",
    [{"secret_key": "not the secret"}, {"access_key": "nobody"}, {"endpoint": "http://127.0.0.1:9"}],
    ids=["secret", "user", "endpoint"],
)
def test_a_store_that_refuses_is_said_without_its_secrets(bucket: Bucket, wrong: dict[str, str]) -> None:
    with pytest.raises(SourceUnreadable, match=r"does not give .* Check the endpoint") as refused:
        replace(bucket, access=replace(bucket.access, **wrong)).source("a.parquet").open()
    assert "not the secret" not in str(refused.value)
    assert "secret" not in repr(replace(bucket.access, **wrong))


def test_a_delta_table_is_pinned_to_its_version(bucket: Bucket) -> None:
    source = bucket.delta("table")
    options = dict(source.options)
    rows = pa.table({"value": [1, 2], "zone": ["a/ b%", "c"]})
    write_deltalake(source.location, rows, partition_by=["zone"], storage_options=options)
    opened = source.open()
    state = opened.state({})
    assert (state.state, [file.sha256 for file in state.files]) == ("stated", [None, None])
    assert state.table is not None
    assert state.table.version == 0
    DeltaTable(source.location, storage_options=options).delete("value = 1")
    assert sorted(values(opened), key=str) == [1, 2]
    opened.check_unchanged()
    assert values(source.open()) == [2]
    assert sorted(values(source.open(at=state)), key=str) == [1, 2]


def iceberg(bucket: Bucket, folder: Path) -> dict[str, str]:
    """What leads to a catalogue whose tables lie in the bucket."""
    access = {
        "s3.endpoint": bucket.access.endpoint or "",
        "s3.access-key-id": bucket.access.access_key or "",
        "s3.secret-access-key": bucket.access.secret_key or "",
        "s3.region": "us-east-1",
    }
    return iceberg_tables.properties(folder, f"s3://{bucket.name}/warehouse", **access)


@pytest.mark.parametrize("replaced", ["data", "deletes"])
def test_files_that_pyiceberg_reads_are_held_to_their_state_too(bucket: Bucket, tmp_path: Path, replaced: str) -> None:
    made = iceberg(bucket, tmp_path)
    iceberg_tables.create(made, pa.table({"value": [1, 2]}))
    with iceberg_tables.catalogue(made) as found:
        table = found.load_table(iceberg_tables.NAME)
        iceberg_tables.delete_by_position(table, next(iter(table.scan().plan_files())).file.file_path, 0)
    opened = iceberg_tables.source(made).open()
    (path,) = [one.path for one in opened.state({}).files if ("deletes-" in one.path) == (replaced == "deletes")]
    key = path.removeprefix(f"{bucket.name}/")
    rows = pq.read_table(io.BytesIO(bucket.client.get_object(Bucket=bucket.name, Key=key)["Body"].read()))
    other = io.BytesIO()
    pq.write_table(rows.set_column(rows.num_columns - 1, rows.schema.field(-1), [pa.array([1] * len(rows))]), other)
    bucket.client.put_object(Bucket=bucket.name, Key=key, Body=other.getvalue())
    with pytest.raises(SourceUnreadable, match="changed while it was read"):
        values(opened)


def test_an_iceberg_table_is_pinned_to_its_snapshot(bucket: Bucket, tmp_path: Path) -> None:
    made = iceberg(bucket, tmp_path)
    iceberg_tables.create(made, pa.table({"value": [1, 2]}))
    opened = iceberg_tables.source(made).open()
    state = opened.state({})
    assert state.state == "stated"
    assert state.files[0].etag is not None
    with iceberg_tables.catalogue(made) as found:
        table = found.load_table(iceberg_tables.NAME)
        iceberg_tables.delete_by_position(table, next(iter(table.scan().plan_files())).file.file_path, 0)
    assert values(opened) == [1, 2]
    assert values(iceberg_tables.source(made).open()) == [2]
    assert values(iceberg_tables.source(made).open(at=state)) == [1, 2]
