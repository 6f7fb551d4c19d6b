"""Object lock: how long a bucket refuses to delete what is put into it.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from governance.errors import ConfigurationError
from lineage.objects.interface import Retention
from lineage.objects.s3_errors import code_of, s3_errors
from lineage.sources.s3 import S3Access

_NO_LOCK = frozenset({"404", "ObjectLockConfigurationNotFoundError"})
_NOT_SAID = frozenset({"403", "AccessDenied", "NotImplemented", "MethodNotAllowed", "501", "405"})
_CLOSE = timedelta(hours=1)


def bucket_retention(client: Any, bucket: str, access: S3Access, *, asked: Retention | None) -> Retention | None:
    """What new objects get: ``asked``, else the bucket's own default; None where it locks nothing or does not say.

    Raises ObjectsUnreachable, also for a bucket that is not there: some stores make one with the first object.
    """
    from botocore.exceptions import ClientError

    with s3_errors(bucket, access):
        try:
            found = client.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]
        except ClientError as error:
            if code_of(error) in _NOT_SAID:
                client.head_bucket(Bucket=bucket)
                return asked
            if code_of(error) not in _NO_LOCK:
                raise
            found = {}
    if asked is not None and found.get("ObjectLockEnabled") != "Enabled":
        raise ConfigurationError(
            f"`governance: retention_days:` is {asked.days}, and bucket {bucket!r} has no object lock, so it would not"
            " keep anything from being deleted. Use a bucket that was made with object lock, or leave the setting out."
        )
    return asked or _default(found.get("Rule", {}).get("DefaultRetention", {}))


def lock_arguments(retention: Retention | None) -> dict[str, Any]:
    """What a request says so that the new object is kept."""
    if retention is None:
        return {}
    return {"ObjectLockMode": retention.mode, "ObjectLockRetainUntilDate": _until(retention)}


def extend(client: Any, bucket: str, key: str, *, asked: Retention | None) -> None:
    """Keep an object that is there already as long as a new one would be kept. Raises what botocore raises."""
    if asked is None:
        return
    head, until = client.head_object(Bucket=bucket, Key=key), _until(asked)
    if (kept := head.get("ObjectLockRetainUntilDate")) is None or kept < until - _CLOSE:
        lock = {"Mode": head.get("ObjectLockMode", asked.mode), "RetainUntilDate": until}
        client.put_object_retention(Bucket=bucket, Key=key, Retention=lock)


def _until(retention: Retention) -> datetime:
    return datetime.now(UTC) + timedelta(days=retention.days)


def _default(rule: dict[str, Any]) -> Retention | None:
    days = int(rule.get("Days", 0)) + 365 * int(rule.get("Years", 0))
    return Retention(str(rule["Mode"]), days) if days else None
