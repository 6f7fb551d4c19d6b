"""Opening a repository: to record in it, or only to look."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pytest

import lineage
from api.assembly import assemble, opened
from api.settings import Settings, load_settings
from audit.errors import KeysUnusable, LedgerForked, UnknownRecord
from governance.errors import ConfigurationError
from lineage.errors import ObjectsUnreachable, SnapshotNotRecorded, UnknownSnapshot
from lineage.objects.s3 import S3Objects
from lineage.recorder import Act, Subject
from tests.seaweedfs import S3Server, running_seaweedfs

CONFIGURATION = "project: clinic\nregistry: data/registry\ngovernance: {policy: policy.yaml}\n"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "feature_store.yaml").write_text(CONFIGURATION)
    return load_settings(tmp_path, environ={})


def connections_below(directory: Path) -> int:
    gc.collect()
    descriptors = Path("/proc/self/fd").iterdir()
    return sum(os.path.realpath(descriptor).startswith(f"{directory}/") for descriptor in descriptors)


def files(settings: Settings) -> list[str]:
    return sorted(str(path.relative_to(settings.repo)) for path in settings.repo.rglob("*"))


def test_whoever_only_looks_makes_nothing(settings: Settings) -> None:
    before = files(settings)
    with pytest.raises(UnknownRecord, match="nothing was ever recorded here"):
        assemble(settings, create=False)
    assert files(settings) == before


def test_a_repository_is_begun_with_the_signed_empty_tree(settings: Settings) -> None:
    parts = assemble(settings)
    signed = parts.ledger.checkpoint()
    assert signed is not None
    assert signed.size == 0
    assert parts.ledger.audit().ok
    assert assemble(settings, create=False).ledger.checkpoint() == signed


def test_keys_that_are_gone_are_not_replaced_by_whoever_only_looks(settings: Settings) -> None:
    assemble(settings).engine.dispose()
    Path(settings.keys).rename(settings.repo / "elsewhere")
    with pytest.raises(KeysUnusable, match="no keys directory"):
        assemble(settings, create=False)
    assert not Path(settings.keys).exists()


def test_a_table_that_is_gone_is_not_made_by_whoever_only_looks(settings: Settings) -> None:
    parts = assemble(settings)
    with parts.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE event")
    with pytest.raises(LedgerForked, match="lacks the table event"):
        assemble(settings, create=False)


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with running_seaweedfs() as server:
        yield server


@pytest.fixture
def repo(s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose objects are in a bucket that the environment leads to."""
    bucket = f"b-{uuid4().hex}"
    s3.client().create_bucket(Bucket=bucket)
    text = f"project: clinic\ngovernance: {{policy: policy.yaml, objects: 's3://{bucket}/clinic'}}\n"
    (tmp_path / "feature_store.yaml").write_text(text)
    for name, value in {
        "AWS_ENDPOINT_URL": s3.endpoint,
        "AWS_ACCESS_KEY_ID": s3.access_key,
        "AWS_SECRET_ACCESS_KEY": s3.secret_key,
        "AWS_DEFAULT_REGION": s3.region,
    }.items():
        monkeypatch.setenv(name, value)
    return tmp_path


def test_a_snapshot_in_a_bucket_is_opened_by_its_name_alone(repo: Path) -> None:
    parts, table = opened(repo), pa.table({"n": pa.array(range(100), pa.int64())})
    said = {"created": "now", "definitions": "ab" * 32, "sources": [], "nulls": {"n": 0}, "validation": []}
    snapshot, document = parts.snapshots.put(table, run=str(uuid4()), manifest=said)
    with pytest.raises(SnapshotNotRecorded):
        lineage.open_snapshot(snapshot.id, repo=repo)
    algorithm, digits = snapshot.id.split(":")
    stated = {"run": snapshot.run_id, "snapshot": snapshot.id, "manifest": sha256(document).hexdigest()}
    subject = Subject(f"snapshot:{snapshot.run_id}", algorithm, digits)
    act = Act(kind="retrieval", actor="me", subjects=(subject,), predicate={**stated, "state": "COMPLETE"})
    parts.recorder.record(act)
    assert isinstance(parts.objects, S3Objects)
    assert lineage.open_snapshot(snapshot.id, repo=repo).to_arrow().equals(table)
    assert [one.standing for one in parts.recorded_snapshots().list()] == ["recorded"]


def test_what_needs_files_is_told_that_the_objects_are_in_a_bucket(repo: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"s3://.*Expected a directory"):
        _ = opened(repo).directory


def test_a_bucket_that_does_not_answer_is_no_internal_error(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(ObjectsUnreachable, match=r"cannot be reached at http://127\.0\.0\.1:9"):
        opened(repo).snapshots.names()


def test_a_process_that_sees_many_repositories_keeps_few_of_them_connected(tmp_path: Path) -> None:
    repositories = [tmp_path / str(number) for number in range(40)]
    for repository in repositories:
        repository.mkdir()
        (repository / "feature_store.yaml").write_text(CONFIGURATION)
        opened(repository)
    kept = connections_below(tmp_path)
    assert 0 < kept < 2 * len(repositories)
    assert connections_below(tmp_path / "0") == 0
    with pytest.raises(UnknownSnapshot):
        lineage.open_snapshot(f"td1-sha256:{'0' * 64}", repo=repositories[0])
    assert connections_below(tmp_path / "0") > 0
