"""A governed repository whose snapshots lie in a bucket with object lock: one life of a snapshot, through Feast."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from typer.testing import CliRunner

from api.cli.main import app
from api.feast.reproduction import reproduce
from governance.errors import Denied
from tests.seaweedfs import S3Server, running_seaweedfs

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),  # boto3 leaves its connections to the collector
]
SERVICE, BUCKET = "liver_risk", "evidence"


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with running_seaweedfs() as server:
        yield server


@pytest.fixture
def bucket(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.secret_key)
    monkeypatch.setenv("AWS_REGION", s3.region)
    with closing(s3.client()) as client:
        client.create_bucket(Bucket=BUCKET, ObjectLockEnabledForBucket=True)
        yield client


def _retrieved(repository: Any, spine: Any) -> Any:
    store = repository.store()
    job = store.get_historical_features(spine, features=store.get_feature_service(SERVICE))
    return job, job.to_arrow()


def test_a_snapshot_is_stored_locked_verified_opened_repeated_and_found_when_it_is_damaged(
    bucket: Any, make_repository: Any, liver_spine: Any
) -> None:
    on_disk = make_repository("disk")
    on_disk.apply()
    expected, rows = _retrieved(on_disk, liver_spine)

    repository = make_repository("bucket")
    kept = {"objects": f"s3://{BUCKET}/liver", "retention_days": 30, "retention_mode": "GOVERNANCE"}
    repository.configure(lambda document: document["governance"].update(kept))
    with pytest.raises(Denied, match=f"{BUCKET}/liver lies in no known zone"):
        repository.apply()
    _declare_bucket(repository)
    repository.apply()
    job, found = _retrieved(repository, liver_spine)

    assert found.equals(rows)
    assert job.snapshot.id == expected.snapshot.id
    assert job.snapshot.uri.startswith(f"s3://{BUCKET}/liver/snapshots/")
    assert not (repository.path / "data" / "objects").exists()
    assert _opened(repository, job).manifest["retention"]["mode"] == "GOVERNANCE"
    assert _opened(repository, job).to_arrow().equals(rows)
    assert reproduce(repository.parts, job.snapshot.id).exact
    assert _verify(repository, job).exit_code == 0

    [data] = [one["Key"] for one in bucket.list_objects_v2(Bucket=BUCKET)["Contents"] if "data.parquet" in one["Key"]]
    body = bytearray(bucket.get_object(Bucket=BUCKET, Key=data)["Body"].read())
    body[len(body) // 3] ^= 1
    bucket.put_object(Bucket=BUCKET, Key=data, Body=bytes(body))  # a newer version hides the locked one
    assert _verify(repository, job).exit_code == 1


def _declare_bucket(repository: Any) -> None:
    path = repository.path / "policy.yaml"
    text = path.read_text()
    place = f'  - {{match: "s3+http://127.0.0.1:*/{BUCKET}/**", zone: DE}}'
    assert "\npacks:" in text
    path.write_text(text.replace("\npacks:", f"\n{place}\npacks:"))


def _opened(repository: Any, job: Any) -> Any:
    import lineage

    return lineage.open_snapshot(job.snapshot.id, repo=repository.path)


def _verify(repository: Any, job: Any) -> Any:
    return CliRunner().invoke(app, ["snapshot", "verify", job.snapshot.id, "--repo", str(repository.path)])
