"""Object stores to test with: buckets on a real S3, each with a name of its own."""

from __future__ import annotations

import uuid
from typing import Any

from lineage.objects import Retention
from lineage.objects.s3 import S3Objects
from lineage.sources.s3 import S3Access
from tests.seaweedfs import S3Server


def access_to(server: S3Server, **other: Any) -> S3Access:
    """With the credentials of the tests, unless others are given."""
    known = {
        "endpoint": server.endpoint,
        "access_key": server.access_key,
        "secret_key": server.secret_key,
        "region": server.region,
    }
    return S3Access(**{**known, **other})


def new_bucket(server: S3Server, *, lock: bool = False) -> str:
    """An empty bucket; with ``lock``, one whose objects can be locked, which keeps versions."""
    name = f"b-{uuid.uuid4().hex}"
    client = server.client()
    client.create_bucket(Bucket=name, **({"ObjectLockEnabledForBucket": True} if lock else {}))
    client.close()
    return name


def bucket_store(server: S3Server, *, lock: bool = False, retention: Retention | None = None) -> S3Objects:
    """A store below a prefix of a new bucket."""
    location = f"s3://{new_bucket(server, lock=lock)}/some/prefix"
    return S3Objects(location, access=access_to(server), retention=retention)
