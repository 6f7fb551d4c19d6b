"""Objects in an S3 bucket, created only where their name is free (``If-None-Match: *``).

Every write of a name is one request that the store decides: ``PutObject`` for small objects, for large ones
``CompleteMultipartUpload``, for parts ``CopyObject``. So a killed writer leaves no half object, and of two writers one
is told that the name is taken (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html).
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from governance.errors import ConfigurationError
from lineage.objects.interface import Retention, Write, checked_name
from lineage.objects.retention import bucket_retention, kept, lock_arguments
from lineage.objects.s3_errors import answered, s3_errors
from lineage.objects.s3_file import S3File
from lineage.objects.s3_parts import S3StagedParts, staged_parts
from lineage.objects.s3_upload import MULTIPART, Target, decided, upload
from lineage.objects.scratch import scratch_file
from lineage.sources.s3 import S3Access


class S3Objects:
    """The object store in a bucket (``governance: objects: s3://bucket/prefix``). May be pickled and forked."""

    def __init__(self, location: str, *, access: S3Access | None = None, retention: Retention | None = None) -> None:
        parts = urlsplit(location)
        if parts.scheme != "s3" or not parts.netloc or parts.query or parts.fragment:
            raise ConfigurationError(f"{location!r} is no object store. Expected s3://bucket or s3://bucket/prefix.")
        self.bucket, self._prefix = parts.netloc, parts.path.strip("/")
        self.access, self._asked = access or S3Access(), retention
        self._client: tuple[int, Any] | None = None

    def __getstate__(self) -> dict[str, Any]:
        kept = {"bucket", "_prefix", "access", "_asked"}
        return {**{name: value for name, value in vars(self).items() if name in kept}, "_client": None}

    @property
    def location(self) -> str:
        """``s3://bucket/prefix``, or without a prefix ``s3://bucket``."""
        return "/".join(filter(None, (f"s3://{self.bucket}", self._prefix)))

    @property
    def client(self) -> Any:
        """This process's connection: one that was open before a fork is not shared."""
        if self._client is None or self._client[0] != os.getpid():
            with s3_errors(self.bucket, self.access):
                self._client = os.getpid(), self.access.client()
        return self._client[1]

    @cached_property
    def retention(self) -> Retention | None:
        """What was asked for, else what the bucket does by itself.

        Raises ObjectsUnreachable (also for a bucket that is not there), ConfigurationError where a retention is asked
        of a bucket without object lock.
        """
        return bucket_retention(self.client, self.bucket, self.access, asked=self._asked)

    def keep(self, name: str) -> Retention | None:
        """Lock an object that is there as long as a new one would be; gives what the store says of it then."""
        key, found = self.key(name), self.retention
        with s3_errors(self.bucket, self.access):
            return kept(self.client, self.bucket, key, asked=self._asked, found=found)

    def uri(self, name: str) -> str:
        """``s3://bucket/prefix/name``."""
        return f"s3://{self.bucket}/{self.key(name)}"

    def key(self, name: str) -> str:
        """The key of an object. Raises ConfigurationError."""
        return self.inside(checked_name(name))

    def inside(self, path: str) -> str:
        """The key of any path below the store's prefix."""
        return f"{self._prefix}/{path}" if self._prefix else path

    def read(self, name: str) -> bytes:
        """The bytes of an object. Raises FileNotFoundError, ObjectsUnreachable."""
        with s3_errors(self.bucket, self.access):
            found = answered(self.client.get_object, Bucket=self.bucket, Key=self.key(name))
            if found is None:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), self.uri(name))
            data: bytes = found["Body"].read()
        return data

    def open(self, name: str) -> Any:
        """A file for random reads, held to the ETag it has now. Raises FileNotFoundError, ObjectsUnreachable."""
        return self.open_key(self.key(name))

    def open_key(self, key: str) -> Any:
        """The same of any key of the bucket, such as a staged part's."""
        with s3_errors(self.bucket, self.access):
            head = answered(self.client.head_object, Bucket=self.bucket, Key=key)
        if head is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), f"s3://{self.bucket}/{key}")
        return S3File(self, key, head)

    def exists(self, name: str) -> bool:
        """Whether there is such an object. Raises ObjectsUnreachable."""
        with s3_errors(self.bucket, self.access):
            return answered(self.client.head_object, Bucket=self.bucket, Key=self.key(name)) is not None

    def names(self, prefix: str) -> Iterator[str]:
        """Names of all objects below the folder ``prefix``, sorted. Raises ObjectsUnreachable."""
        below, start = self.key(prefix) + "/", len(self.inside(""))
        with s3_errors(self.bucket, self.access):
            pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=below)
            found = [one["Key"][start:] for page in pages for one in page.get("Contents", ())]
        yield from sorted(found)

    @contextmanager
    def stage(self, write: Write) -> Iterator[_StagedObject]:
        """Let ``write`` make the bytes of an object, in a nameless local file. Raises ObjectsUnreachable."""
        with scratch_file(write) as file:
            yield _StagedObject(self, file)

    @contextmanager
    def stage_parts(self) -> Iterator[S3StagedParts]:
        """Room for parts, which their writers upload below ``.incomplete/``."""
        _ = self.retention
        with staged_parts(self) as staged:
            yield staged

    def create_bytes(self, name: str, data: bytes) -> bool:
        """Create an object from ``data``; False if the name was taken already. Raises ObjectsUnreachable."""
        with self.stage(lambda path: path.write_bytes(data)) as staged:
            return staged.commit(name)

    def create(self, name: str, file: Path) -> bool:
        """Upload a file under a name that is free; False if it was taken. Raises ObjectsUnreachable."""
        key, lock = self.key(name), self._lock()
        with s3_errors(self.bucket, self.access):
            known = file.stat().st_size > MULTIPART and self.exists(name)  # spares sending it
            if not known and upload(Target(self.client, self.bucket, key), file, create=True, **lock):
                return True
        self.keep(name)
        return False

    def copy(self, source: str, name: str) -> bool:
        """Let the store copy one of its keys to a name that is free; False if it was taken."""
        to = {"Bucket": self.bucket, "Key": self.key(name), "IfNoneMatch": "*", **self._lock()}
        origin = {"Bucket": self.bucket, "Key": source}
        with s3_errors(self.bucket, self.access):
            known = self.exists(name)  # not every store knows the condition of a copy; most names are taken long before
            created = not known and decided(lambda: self.client.copy_object(**to, CopySource=origin))
        if self.retention is not None:
            self.keep(name)  # SeaweedFS copies without the lock
        return created

    def _lock(self) -> dict[str, Any]:
        """What is asked for each new object; what the bucket does by itself needs no asking, and no right to ask."""
        _ = self.retention  # a bucket that is not there, or cannot lock, is found before anything is written
        return lock_arguments(self._asked)


@dataclass(frozen=True)
class _StagedObject:
    store: S3Objects
    file: Path

    def commit(self, name: str) -> bool:
        return self.store.create(name, self.file)
