"""Parts that many machines upload and one process puts in their places.

They go to ``<prefix>/.incomplete/<token>/``, where nothing is an object, and the store itself copies them from there.
What a killed process left there, uploads in parts included, is removed a day later by the next that stages parts.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from lineage.objects.interface import INCOMPLETE, Write, checked_name
from lineage.objects.s3_errors import s3_errors
from lineage.objects.s3_upload import Target, upload
from lineage.objects.scratch import scratch_file

if TYPE_CHECKING:
    from lineage.objects.s3 import S3Objects

ABANDONED = timedelta(days=1)
"""How old a part is that nobody will commit any more."""


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
        return frozenset(one["Key"].removeprefix(below) for one in _listed(self.writer.store, below))

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
        _delete(store, [one["Key"] for one in _listed(store, f"{folder}/")])


def _remove_abandoned(store: S3Objects) -> None:
    before = datetime.now(UTC) - ABANDONED
    _delete(
        store,
        [one["Key"] for one in _listed(store, store.inside(f"{INCOMPLETE}/")) if one["LastModified"] < before],
    )
    at: dict[str, Any] = {"Bucket": store.bucket}
    with s3_errors(store.bucket, store.access):
        pages = store.client.get_paginator("list_multipart_uploads").paginate(**at, Prefix=store.inside(""))
        for one in [one for page in pages for one in page.get("Uploads", ()) if one["Initiated"] < before]:
            store.client.abort_multipart_upload(**at, Key=one["Key"], UploadId=one["UploadId"])


def _listed(store: S3Objects, prefix: str) -> list[Mapping[str, Any]]:
    with s3_errors(store.bucket, store.access):
        pages = store.client.get_paginator("list_objects_v2").paginate(Bucket=store.bucket, Prefix=prefix)
        return [one for page in pages for one in page.get("Contents", ())]


def _delete(store: S3Objects, keys: list[str]) -> None:
    with s3_errors(store.bucket, store.access):
        for key in keys:
            store.client.delete_object(Bucket=store.bucket, Key=key)
