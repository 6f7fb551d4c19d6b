"""Recorded objects on S3, and what can be said of them to who verifies."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.seaweedfs import S3Server, running_seaweedfs

pytestmark = pytest.mark.filterwarnings(
    "ignore:unclosed:ResourceWarning"
)  # boto3 leaves its connections to the collector


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with running_seaweedfs() as server:
        yield server


@pytest.fixture
def client(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """One that wrote ``labs/a.parquet``; the environment lets everybody read it."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.secret_key)
    monkeypatch.setenv("AWS_DEFAULT_REGION", s3.region)
    with closing(s3.client()) as opened:
        opened.create_bucket(Bucket="labs")
        put(opened, [1])
        yield opened


def put(client: Any, values: list[int]) -> str:
    """Write the object; gives the SHA-256 of its bytes."""
    file = io.BytesIO()
    pq.write_table(pa.table({"value": values}), file)
    client.put_object(Bucket="labs", Key="a.parquet", Body=file.getvalue())
    return sha256(file.getvalue()).hexdigest()


def test_who_verifies_is_told_what_was_read_now_and_what_never_was(client: Any, s3: S3Server, tmp_path: Path) -> None:
    from feast import FileSource

    from api.feast.sources import opened, standing_of

    source = FileSource(
        name="labs", path="s3://labs/a.parquet", s3_endpoint_override=s3.endpoint, timestamp_field="time"
    )
    digest = put(client, [1])
    state = opened(source, tmp_path).state({})
    assert standing_of(source, state, tmp_path).detail == ""
    found = standing_of(source, state, tmp_path, read=True)
    assert found.standing == "as recorded"
    assert "not read then, and are now" in found.detail
    assert found.detail.endswith(f"labs/a.parquet sha256 {digest}")
    put(client, [2])
    assert standing_of(source, state, tmp_path, read=True).standing == "changed"
    client.delete_object(Bucket="labs", Key="a.parquet")
    assert standing_of(source, state, tmp_path, read=True).standing == "gone"
