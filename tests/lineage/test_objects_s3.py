"""The object store on S3, against a real one."""

from __future__ import annotations

import multiprocessing
import pickle
import socket
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError

from governance.errors import ConfigurationError
from lineage.errors import ObjectsUnreachable
from lineage.objects import DirectoryObjects, Retention, open_objects, s3_parts, s3_upload
from lineage.objects.s3 import S3Objects
from tests.lineage.object_stores import access_to, bucket_store, new_bucket
from tests.seaweedfs import S3Server

LARGE = bytes(range(256)) * 50_000  # 12.8 MB: three parts of the least size that S3 takes
DAY = timedelta(days=1)


@pytest.fixture
def in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Large objects are smaller here."""
    monkeypatch.setattr(s3_upload, "MULTIPART", 6 << 20)
    monkeypatch.setattr(s3_upload, "_PART", 5 << 20)


@pytest.mark.usefixtures("in_parts")
def test_a_large_object_goes_in_parts_and_is_created_once(s3: S3Server) -> None:
    store = bucket_store(s3)
    assert store.create_bytes("a/large", LARGE)
    assert store.client.head_object(Bucket=store.bucket, Key=store.key("a/large"))["ETag"].endswith('-3"')
    assert not store.create_bytes("a/large", LARGE[::-1])
    assert store.read("a/large") == LARGE


@pytest.mark.usefixtures("in_parts")
def test_of_two_large_objects_under_way_one_is_told_that_the_name_is_taken(s3: S3Server, tmp_path: Path) -> None:
    store, file = bucket_store(s3), tmp_path / "large"
    file.write_bytes(LARGE)
    target = s3_upload.Target(store.client, store.bucket, store.key("a"))
    assert store.create_bytes("a", b"meanwhile")
    assert not s3_upload.upload(target, file, create=True)
    assert store.read("a") == b"meanwhile"
    assert not uploads(store)


def test_processes_that_race_for_a_name_agree_who_was_first(s3: S3Server) -> None:
    store = bucket_store(s3)
    start = multiprocessing.get_context("fork")
    store.create_bytes("open", b"the connection is there before the fork, and is not shared after it")
    answers: Any = start.Queue()
    processes = [start.Process(target=_create, args=(store, number, answers)) for number in range(4)]
    for process in processes:
        process.start()
    found = [answers.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 4
    for name in range(10):
        (winner,) = [number for number, created in found if created[name]]
        assert store.read(f"race/{name}") == str(winner).encode() * 1000


def _create(store: S3Objects, number: int, answers: Any) -> None:
    answers.put((number, [store.create_bytes(f"race/{name}", str(number).encode() * 1000) for name in range(10)]))


def test_a_store_travels_to_another_process(s3: S3Server) -> None:
    store = bucket_store(s3)
    store.create_bytes("a", b"1")
    copy = pickle.loads(pickle.dumps(store))
    assert copy.read("a") == b"1"
    assert copy.location == store.location


def test_an_object_that_is_replaced_behind_our_back_is_not_read_on(s3: S3Server) -> None:
    store = bucket_store(s3)
    store.create_bytes("a", b"recorded")
    with store.open("a") as file:
        assert file.read(3) == b"rec"
        store.client.put_object(Bucket=store.bucket, Key=store.key("a"), Body=b"replaced")
        with pytest.raises(OSError, match="Stale"):
            file.read(3)


def test_a_bucket_that_is_not_there_is_not_made(s3: S3Server) -> None:
    store = S3Objects("s3://no-such-bucket-here", access=access_to(s3))
    for ask in (lambda: store.create_bytes("a", b"1"), lambda: store.read("a"), lambda: list(store.names("a"))):
        with pytest.raises(ObjectsUnreachable, match="no bucket 'no-such-bucket-here'"):
            ask()
    names = [bucket["Name"] for bucket in s3.client().list_buckets()["Buckets"]]
    assert "no-such-bucket-here" not in names


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"secret_key": "wrong"}, "does not accept the credentials .SignatureDoesNotMatch"),
        ({"access_key": "nobody"}, "does not accept the credentials .InvalidAccessKeyId"),
    ],
)
def test_wrong_credentials_are_told_and_not_quoted(s3: S3Server, other: dict[str, str], said: str) -> None:
    store = S3Objects(f"s3://{new_bucket(s3)}", access=access_to(s3, **other))
    with pytest.raises(ObjectsUnreachable, match=said) as refused:
        store.read("a")
    assert s3.secret_key not in str(refused.value)
    with pytest.raises(ObjectsUnreachable, match=said):
        store.create_bytes("a", b"1")


def test_no_credentials_at_all_are_told(s3: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    store = S3Objects("s3://some", access=access_to(s3, access_key=None, secret_key=None))
    with pytest.raises(ObjectsUnreachable, match="no credentials"):
        store.read("a")


def test_the_environment_gives_the_credentials_as_boto3_reads_them(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.secret_key)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3.endpoint)
    monkeypatch.setenv("AWS_DEFAULT_REGION", s3.region)
    store = open_objects(f"s3://{new_bucket(s3)}/p")
    assert store.create_bytes("a", b"1")
    assert store.read("a") == b"1"


def test_a_store_that_nobody_answers_for_is_told(s3: S3Server) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        access = access_to(s3, endpoint=f"http://127.0.0.1:{free.getsockname()[1]}")
        with pytest.raises(ObjectsUnreachable, match="cannot be reached at http://127"):
            S3Objects("s3://some", access=access).read("a")


@pytest.mark.parametrize("location", ["s3://", "s3:///a", "gs://b/p", "s3://b/p?versionId=1", "https://b"])
def test_what_is_no_object_store_is_refused(location: str) -> None:
    with pytest.raises(ConfigurationError, match="no object store"):
        open_objects(location)


def test_a_directory_keeps_nobody_from_deleting_and_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="30 days"):
        open_objects(str(tmp_path), retention=Retention("COMPLIANCE", 30))
    assert isinstance(open_objects(str(tmp_path)), DirectoryObjects)


@pytest.mark.parametrize("mode", ["GOVERNANCE", "COMPLIANCE"])
def test_a_retention_refuses_deletion(s3: S3Server, mode: str) -> None:
    store = bucket_store(s3, lock=True, retention=Retention(mode, 2))
    assert store.retention == Retention(mode, 2)
    assert store.create_bytes("a", b"1")
    refuse_deletion(store, "a", mode=mode, days=2)
    with store.stage_parts() as staged:
        staged.writer.write("part", lambda path: path.write_bytes(b"2"))
        assert staged.commit("part", "b")
    refuse_deletion(store, "b", mode=mode, days=2)


@pytest.mark.usefixtures("in_parts")
def test_a_large_object_is_retained_too(s3: S3Server) -> None:
    store = bucket_store(s3, lock=True, retention=Retention("COMPLIANCE", 2))
    assert store.create_bytes("large", LARGE)
    refuse_deletion(store, "large", mode="COMPLIANCE", days=2)


def test_what_is_stored_again_is_retained_anew(s3: S3Server) -> None:
    store = bucket_store(s3, lock=True, retention=Retention("COMPLIANCE", 2))
    assert store.create_bytes("a", b"1")
    longer = S3Objects(store.location, access=store.access, retention=Retention("GOVERNANCE", 9))
    assert not longer.create_bytes("a", b"1")
    refuse_deletion(store, "a", mode="COMPLIANCE", days=9)
    assert not store.create_bytes("a", b"1")
    refuse_deletion(store, "a", mode="COMPLIANCE", days=9)


def test_the_default_of_the_bucket_applies_and_is_known(s3: S3Server) -> None:
    store = bucket_store(s3, lock=True)
    assert store.retention is None
    rule = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 3}}}
    store.client.put_object_lock_configuration(Bucket=store.bucket, ObjectLockConfiguration=rule)
    again = S3Objects(store.location, access=store.access)
    assert again.retention == Retention("GOVERNANCE", 3)
    assert again.create_bytes("a", b"1")
    refuse_deletion(again, "a", mode="GOVERNANCE", days=3)


def test_a_retention_is_not_promised_where_the_bucket_cannot_keep_it(s3: S3Server) -> None:
    store = bucket_store(s3, retention=Retention("GOVERNANCE", 2))
    with pytest.raises(ConfigurationError, match="no object lock"):
        store.create_bytes("a", b"1")
    assert not store.exists("a")


def test_a_bucket_that_keeps_versions_lets_nobody_create_a_second_one(s3: S3Server) -> None:
    store = bucket_store(s3, lock=True)
    assert store.create_bytes("a", b"1")
    assert not store.create_bytes("a", b"2")
    versions = store.client.list_object_versions(Bucket=store.bucket)["Versions"]
    assert len(versions) == 1


def refuse_deletion(store: S3Objects, name: str, *, mode: str, days: int) -> None:
    at = {"Bucket": store.bucket, "Key": store.key(name)}
    head = store.client.head_object(**at)
    assert head["ObjectLockMode"] == mode
    assert abs(head["ObjectLockRetainUntilDate"] - datetime.now(UTC) - days * DAY) < DAY / 2
    with pytest.raises(ClientError, match="AccessDenied"):
        store.client.delete_object(**at, VersionId=head["VersionId"])
    assert store.exists(name)


def test_what_a_killed_process_uploaded_is_removed_a_day_later(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    store = bucket_store(s3)
    left = {"Bucket": store.bucket, "Key": store.inside(".incomplete/token/part-00000.parquet")}
    store.client.put_object(**left, Body=b"half of a snapshot")
    store.client.create_multipart_upload(Bucket=store.bucket, Key=store.key(f"snapshots/{'0' * 64}/data.parquet"))
    store.client.create_multipart_upload(Bucket=store.bucket, Key="some/prefix2/x")
    with store.stage_parts():
        assert len(uploads(store)) == 2  # it may still be under way
    monkeypatch.setattr(s3_parts, "ABANDONED", timedelta(seconds=-60))
    with store.stage_parts():
        assert [one["Key"] for one in uploads(store)] == ["some/prefix2/x"]
    assert store.client.list_objects_v2(Bucket=store.bucket)["KeyCount"] == 0


def test_uploads_of_other_applications_in_the_bucket_are_left_alone(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = S3Objects(f"s3://{new_bucket(s3)}", access=access_to(s3))
    theirs = ["backup.tar", "snapshots/x", "snapshots/index/data.parquet", f"old/snapshots/{'0' * 64}/data.parquet"]
    ours = [".incomplete/token/part", f"snapshots/{'0' * 64}/data.parquet", f"snapshots/random-{'0' * 64}/data.parquet"]
    for key in theirs + ours:
        store.client.create_multipart_upload(Bucket=store.bucket, Key=key)
    monkeypatch.setattr(s3_parts, "ABANDONED", timedelta(seconds=-60))
    with store.stage_parts():
        assert sorted(one["Key"] for one in uploads(store)) == sorted(theirs)


def test_parts_leave_no_version_where_versions_are_kept(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    store = bucket_store(s3, lock=True, retention=Retention("COMPLIANCE", 2))
    monkeypatch.setattr(s3_parts, "_AT_ONCE", 2)
    with store.stage_parts() as staged:
        for number in range(5):
            staged.writer.write(f"part-{number}", lambda path: path.write_bytes(b"2"))
        assert staged.commit("part-3", "b")
    assert [version["Key"] for version in versions(store)] == [store.key("b")]
    left = {"Bucket": store.bucket, "Key": store.inside(".incomplete/token/part")}
    store.client.put_object(**left, Body=b"half of a snapshot")
    store.client.delete_object(**left)  # hides it
    monkeypatch.setattr(s3_parts, "ABANDONED", timedelta(seconds=-60))
    with store.stage_parts():
        assert [version["Key"] for version in versions(store)] == [store.key("b")]


def test_parts_that_the_bucket_locks_by_itself_stay_and_hinder_nobody(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = locking_store(s3, "COMPLIANCE", 3)
    monkeypatch.setattr(s3_parts, "ABANDONED", timedelta(seconds=-60))
    for number in range(2):
        with store.stage_parts() as staged:
            staged.writer.write("part", lambda path: path.write_bytes(b"2"))
            assert staged.commit("part", f"rows/{number}")
    assert list(store.names("rows")) == ["rows/0", "rows/1"]
    assert len(versions(store)) == 4


def test_a_part_that_cannot_be_deleted_for_another_reason_is_told(s3: S3Server) -> None:
    store = bucket_store(s3)
    answer_instead(
        store, "DeleteObjects", 200, b"<DeleteResult><Error><Code>AccessDenied</Code></Error></DeleteResult>"
    )
    with pytest.raises(ObjectsUnreachable, match="denies DeleteObjects"), store.stage_parts() as staged:
        staged.writer.write("part", lambda path: path.write_bytes(b"2"))


@pytest.mark.usefixtures("in_parts")
@pytest.mark.parametrize("kind", ["object", "part"])
def test_an_upload_whose_last_answer_is_lost_is_there(s3: S3Server, tmp_path: Path, kind: str) -> None:
    store, file = bucket_store(s3), tmp_path / "large"
    file.write_bytes(LARGE)
    asked: list[int] = []

    def once_more(attempts: int, **_: Any) -> float | None:
        asked.append(attempts)
        return 0 if attempts == 1 else None

    store.client.meta.events.register_first("needs-retry.s3.CompleteMultipartUpload", once_more)
    s3_upload.upload(s3_upload.Target(store.client, store.bucket, store.key("a")), file, create=kind == "object")
    assert len(asked) == 2
    assert store.read("a") == LARGE
    assert not uploads(store)


@pytest.mark.usefixtures("in_parts")
def test_an_upload_that_somebody_else_ended_is_no_object(s3: S3Server) -> None:
    store = bucket_store(s3)

    def ended(params: dict[str, Any], **_: Any) -> None:
        at = {name: params[name] for name in ("Bucket", "Key", "UploadId")}
        store.client.abort_multipart_upload(**at)

    store.client.meta.events.register("before-parameter-build.s3.CompleteMultipartUpload", ended)
    with pytest.raises(ObjectsUnreachable, match="CompleteMultipartUpload with NoSuchUpload"):
        store.create_bytes("a", LARGE)
    assert not store.exists("a")


@pytest.mark.usefixtures("in_parts")
def test_what_went_wrong_first_is_what_is_told(s3: S3Server) -> None:
    store = bucket_store(s3)
    for operation in ("UploadPart", "AbortMultipartUpload"):
        answer_instead(store, operation, 400, f"<Error><Code>Broken{operation}</Code></Error>".encode())
    with pytest.raises(ObjectsUnreachable, match="UploadPart with BrokenUploadPart"):
        store.create_bytes("a", LARGE)


def test_a_copy_replaces_nothing_in_a_store_that_ignores_its_condition(s3: S3Server) -> None:
    store = bucket_store(s3)
    forget(store, "CopyObject", "IfNoneMatch")
    with store.stage_parts() as staged:
        for part in ("one", "two"):
            staged.writer.write(part, partial(Path.write_bytes, data=part.encode()))
        assert staged.commit("one", "a")
        assert not staged.commit("two", "a")
    assert store.read("a") == b"one"


def test_an_object_that_is_replaced_is_not_read_on_in_a_store_that_ignores_the_condition(s3: S3Server) -> None:
    store = bucket_store(s3)
    forget(store, "GetObject", "IfMatch")
    store.create_bytes("a", b"recorded")
    with store.open("a") as file:
        assert file.read(3) == b"rec"
        store.client.put_object(Bucket=store.bucket, Key=store.key("a"), Body=b"replaced")
        with pytest.raises(OSError, match="Stale"):
            file.read(3)


def test_a_lock_becomes_longer_and_stricter_and_never_less(s3: S3Server) -> None:
    store = bucket_store(s3, lock=True, retention=Retention("GOVERNANCE", 5))
    assert store.create_bytes("a", b"1")
    for asked, expected in [
        (Retention("GOVERNANCE", 2), Retention("GOVERNANCE", 5)),
        (Retention("COMPLIANCE", 2), Retention("COMPLIANCE", 5)),
        (Retention("GOVERNANCE", 9), Retention("COMPLIANCE", 9)),
        (None, Retention("COMPLIANCE", 9)),
    ]:
        assert S3Objects(store.location, access=store.access, retention=asked).keep("a") == expected
        refuse_deletion(store, "a", mode=expected.mode, days=expected.days)


def test_the_default_of_the_bucket_is_for_what_is_there_already_too(s3: S3Server) -> None:
    store = bucket_store(s3, lock=True)
    assert store.create_bytes("a", b"1")
    assert store.keep("a") is None
    again = locking_store(s3, "GOVERNANCE", 3, store)
    assert not again.create_bytes("a", b"1")
    refuse_deletion(again, "a", mode="GOVERNANCE", days=3)
    assert again.keep("a") == Retention("GOVERNANCE", 3)


def test_who_may_not_extend_a_lock_is_told_where_it_was_asked_for(s3: S3Server) -> None:
    store = locking_store(s3, "GOVERNANCE", 3)
    assert store.create_bytes("a", b"1")
    longer = locking_store(s3, "GOVERNANCE", 9, store)
    asked = S3Objects(store.location, access=store.access, retention=Retention("GOVERNANCE", 9))
    for one in (longer, asked):
        answer_instead(one, "PutObjectRetention", 403, b"<Error><Code>AccessDenied</Code></Error>")
    assert longer.keep("a") == Retention("GOVERNANCE", 3)
    with pytest.raises(ObjectsUnreachable, match="denies PutObjectRetention"):
        asked.keep("a")


def locking_store(server: S3Server, mode: str, days: int, store: S3Objects | None = None) -> S3Objects:
    """One whose bucket locks all that it gets."""
    store = store or bucket_store(server, lock=True)
    rule = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": mode, "Days": days}}}
    store.client.put_object_lock_configuration(Bucket=store.bucket, ObjectLockConfiguration=rule)
    return S3Objects(store.location, access=store.access)


def forget(store: S3Objects, operation: str, parameter: str) -> None:
    """As if the store did not know this condition."""

    def drop(params: dict[str, Any], **_: Any) -> None:
        params.pop(parameter, None)

    store.client.meta.events.register(f"before-parameter-build.s3.{operation}", drop)


def answer_instead(store: S3Objects, operation: str, status: int, body: bytes) -> None:
    """Let the store answer so from now on."""

    def answer(request: Any, **_: Any) -> AWSResponse:
        return AWSResponse(request.url, status, {}, SimpleNamespace(stream=lambda: iter([body])))

    store.client.meta.events.register(f"before-send.s3.{operation}", answer)


def versions(store: S3Objects) -> list[dict[str, Any]]:
    """Those that are hidden, and what hides them, included."""
    answer = store.client.list_object_versions(Bucket=store.bucket)
    found: list[dict[str, Any]] = [*answer.get("Versions", []), *answer.get("DeleteMarkers", [])]
    return found


def uploads(store: S3Objects) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = store.client.list_multipart_uploads(Bucket=store.bucket).get("Uploads", [])
    return found
