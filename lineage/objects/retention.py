"""Object lock: how long a bucket refuses to delete what is put into it.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from governance.errors import ConfigurationError
from lineage.objects.interface import Retention
from lineage.objects.s3_errors import code_of, s3_errors
from lineage.sources.s3 import S3Access

_NO_LOCK = frozenset({"404", "ObjectLockConfigurationNotFoundError"})
_NOT_SAID = frozenset({"403", "AccessDenied", "NotImplemented", "MethodNotAllowed", "501", "405"})
_CLOSE = timedelta(hours=1)
_COMPLIANCE = "COMPLIANCE"


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


def kept(client: Any, bucket: str, key: str, *, asked: Retention | None, found: Retention | None) -> Retention | None:
    """Lock an object that is there as a new one would be, never less than it is; gives what the store says then.

    ``found`` is what :func:`bucket_retention` gave. To extend what a bucket locks by itself takes a right that storing
    does not need: without it the lock stays as it is, and the answer says so. Raises what botocore raises.
    """
    from botocore.exceptions import ClientError

    at = {"Bucket": bucket, "Key": key}
    before = client.head_object(**at)
    request = _more(before, found)
    if request is not None:
        try:
            client.put_object_retention(**at, **request)
        except ClientError as error:
            if asked is not None or code_of(error) not in _NOT_SAID:
                raise
    return _said(before if request is None else client.head_object(**at))


def _more(head: Mapping[str, Any], wanted: Retention | None) -> dict[str, Any] | None:
    """What to ask for, so that the object is locked as wanted; None where it is."""
    if wanted is None:
        return None
    mode, until = head.get("ObjectLockMode"), head.get("ObjectLockRetainUntilDate")
    stricter = wanted.mode == _COMPLIANCE != mode
    if until is not None and not stricter and until >= _until(wanted) - _CLOSE:
        return None
    longer = _until(wanted) if until is None else max(until, _until(wanted))
    lock = {"Mode": wanted.mode if mode is None or stricter else mode, "RetainUntilDate": longer}
    bypass = {"BypassGovernanceRetention": True} if mode is not None and stricter else {}
    return {"Retention": lock, **bypass}  # stores take even the stricter mode for a change that needs the right


def _said(head: Mapping[str, Any]) -> Retention | None:
    mode, until = head.get("ObjectLockMode"), head.get("ObjectLockRetainUntilDate")
    if mode is None or until is None or until <= datetime.now(UTC):
        return None
    return Retention(str(mode), (until - datetime.now(UTC) + _CLOSE).days)


def _until(retention: Retention) -> datetime:
    return datetime.now(UTC) + timedelta(days=retention.days)


def _default(rule: dict[str, Any]) -> Retention | None:
    days = int(rule.get("Days", 0)) + 365 * int(rule.get("Years", 0))
    return Retention(str(rule["Mode"]), days) if days else None
