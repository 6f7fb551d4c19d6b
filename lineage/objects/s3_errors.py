"""What S3 and the way to it answer, as one sentence that says what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from lineage.errors import ObjectsUnreachable
from lineage.sources.s3 import S3Access

ABSENT = frozenset({"404", "NoSuchKey", "NoSuchVersion", "NoSuchUpload", "NotFound"})
TAKEN = frozenset({"412", "PreconditionFailed"})
DENIED = frozenset({"403", "AccessDenied", "AllAccessDisabled", "Forbidden"})
_CREDENTIALS = frozenset(
    {"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "AuthorizationHeaderMalformed"}
)


def answered(ask: Callable[..., Any], **arguments: Any) -> Any:
    """The answer about one object, None where there is no such object. Raises what botocore raises for the rest."""
    from botocore.exceptions import ClientError

    try:
        return ask(**arguments)
    except ClientError as error:
        if code_of(error) in ABSENT:
            return None
        raise


def code_of(error: Any) -> str:
    """S3's name of an error; of an answer without a body, its HTTP status."""
    return str(error.response.get("Error", {}).get("Code", ""))


@contextmanager
def s3_errors(bucket: str, access: S3Access) -> Iterator[None]:
    """Any other answer becomes ObjectsUnreachable."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        raise ObjectsUnreachable(_answer(code_of(error), bucket, error.operation_name)) from None
    except (BotoCoreError, ValueError) as error:  # boto3 says ValueError of an endpoint that is no URL
        raise ObjectsUnreachable(_way(error, bucket, access)) from None


def _answer(code: str, bucket: str, asked: str) -> str:
    if code == "NoSuchBucket":
        return f"There is no bucket {bucket!r}. Create it, or correct its name in feature_store.yaml."
    if code in _CREDENTIALS:
        return (
            f"The store of bucket {bucket!r} does not accept the credentials ({code}). Expected those of a user of this"
            " store: check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or the profile."
        )
    if code in DENIED:
        return (
            f"Bucket {bucket!r} denies {asked} to these credentials. Expected the right to list the bucket, to get and"
            " put its objects, and with a retention to put that; docs/snapshots.md lists them."
        )
    return f"Bucket {bucket!r} answered {asked} with {code or 'an error'}. Expected it to be done; run again."


def _way(error: Exception, bucket: str, access: S3Access) -> str:
    what, where = type(error).__name__, access.endpoint or "the endpoint that AWS has for the region"
    if "Credential" in what or "Profile" in what:
        return (
            f"There are no credentials for bucket {bucket!r} ({what}). Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY,"
            " or a profile."
        )
    return (
        f"The store of bucket {bucket!r} cannot be reached at {where} ({what}). Check AWS_ENDPOINT_URL_S3 (or"
        " AWS_ENDPOINT_URL), AWS_REGION and the network."
    )
