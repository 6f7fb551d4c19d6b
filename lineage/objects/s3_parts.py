"""Parts that many machines upload and one process puts in their places.

They go to ``<prefix>/.incomplete/<token>/``, where nothing is an object, and the store itself copies them from there.
What a killed process left there, uploads in parts included, is removed a day later by the next that stages parts. A
bucket that locks by itself all that it gets locks these too: they stay until their lock ends.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from lineage.objects.interface import INCOMPLETE, Write, checked_name
from lineage.objects.s3_errors import DENIED, answered, s3_errors
from lineage.objects.s3_upload import Target, upload
from lineage.objects.scratch import scratch_file

if TYPE_CHECKING:
    from lineage.objects.s3 import S3Objects

ABANDONED = timedelta(days=1)
"""How old a part is that nobody will commit any more."""
_OURS = re.compile(rf"({re.escape(INCOMPLETE)}|snapshots/(random-)?[0-9a-f]{{64}})/", re.ASCII)
"""What we upload in parts; other applications may share the bucket."""
_OBJECTS = ("list_objects_v2", "Contents")
_VERSIONS = ("list_object_versions", "Versions", "DeleteMarkers")
_AT_ONCE = 1000
"""versions that one request may delete"""


@dataclass(frozen=True)
class S3PartsWriter:
    """Uploads parts. On another machine it finds credentials as boto3 does there, unless it was given some."""

    store: S3Objects
    folder: str

    def write(self, part: str, write: Write) -> None:
        """Stage one part. Raises ObjectsUnreachable."""
        store = self.store
        with scratch_file(write) as file, s3_errors(store.bucket, store.access):
            upload(Target(store.client, store.bucket, self.key(part)), file, create=False)

    def key(self, part: str) -> str:
        """Where a part waits."""
        return f"{self.folder}/{checked_name(part)}"


@dataclass(frozen=True)
class S3StagedParts:
    """Parts of one snapshot in the making."""

    writer: S3PartsWriter

    def parts(self) -> frozenset[str]:
        """The parts that are there."""
        below = f"{self.writer.folder}/"
        return frozenset(one["Key"].removeprefix(below) for one in _listed(self.writer.store, below, *_OBJECTS))

    def open(self, part: str) -> Any:
        """A part, held to the ETag that it has now."""
        return self.writer.store.open_key(self.writer.key(part))

    def commit(self, part: str, name: str) -> bool:
        """Let the store copy a part to its name; False if that was taken."""
        return self.writer.store.copy(self.writer.key(part), name)


@contextmanager
def staged_parts(store: S3Objects) -> Iterator[S3StagedParts]:
    """A folder of its own, empty again afterwards."""
    _remove_abandoned(store)
    folder = store.inside(f"{INCOMPLETE}/{secrets.token_hex(16)}")
    try:
        yield S3StagedParts(S3PartsWriter(store, folder))
    finally:
        _delete(store, _listed(store, f"{folder}/", *_VERSIONS))


def _remove_abandoned(store: S3Objects) -> None:
    before = datetime.now(UTC) - ABANDONED
    left = _listed(store, store.inside(f"{INCOMPLETE}/"), *_VERSIONS)
    _delete(store, [one for one in left if one["LastModified"] < before])
    root = len(store.inside(""))
    for one in _listed(store, store.inside(""), "list_multipart_uploads", "Uploads"):
        if one["Initiated"] < before and _OURS.match(one["Key"][root:]):
            with s3_errors(store.bucket, store.access):
                at = {"Bucket": store.bucket, "Key": one["Key"], "UploadId": one["UploadId"]}
                answered(store.client.abort_multipart_upload, **at)  # it may have come to its end since


def _listed(store: S3Objects, prefix: str, operation: str, *members: str) -> list[Mapping[str, Any]]:
    with s3_errors(store.bucket, store.access):
        pages = store.client.get_paginator(operation).paginate(Bucket=store.bucket, Prefix=prefix)
        return [one for page in pages for member in members for one in page.get(member, ())]


def _delete(store: S3Objects, versions: Sequence[Mapping[str, Any]]) -> None:
    """Delete them for good: in a bucket that keeps versions, a key alone would only be hidden.

    What the bucket locks by itself stays, for the one that stages parts when the lock has ended.
    """
    from botocore.exceptions import ClientError

    for start in range(0, len(versions), _AT_ONCE):
        doomed = [{name: one[name] for name in ("Key", "VersionId")} for one in versions[start : start + _AT_ONCE]]
        with s3_errors(store.bucket, store.access):
            answer = store.client.delete_objects(Bucket=store.bucket, Delete={"Objects": doomed, "Quiet": True})
            for error in answer.get("Errors", ()):
                if store.retention is None or error.get("Code") not in DENIED:
                    raise ClientError({"Error": error}, "DeleteObjects")
