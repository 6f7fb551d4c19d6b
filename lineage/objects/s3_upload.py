"""One file to one key: in one request, or in parts that are put together by one request."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lineage.objects.s3_errors import TAKEN, answered, code_of

MULTIPART = 64 << 20
"""bytes from which a file goes in parts"""
_PART = 32 << 20
_MOST_PARTS = 10_000
_THREADS = 4
_TRIES = 6
_NO_UPLOAD = "NoSuchUpload"
_CONFLICT = frozenset({"409", "ConditionalRequestConflict", "OperationAborted"})


@dataclass(frozen=True)
class Target:
    """Where it goes."""

    client: Any
    bucket: str
    key: str


def upload(target: Target, file: Path, *, create: bool, **lock: Any) -> bool:
    """Send the file; with ``create``, False where the key was taken. Raises what botocore raises."""
    from botocore.exceptions import ClientError

    condition = {"IfNoneMatch": "*"} if create else {}
    send = _in_parts if file.stat().st_size > MULTIPART else _at_once
    try:
        return decided(lambda: send(target, file, condition, lock))
    except ClientError as error:  # of an upload that is done, when its answer was lost and it was asked again
        if code_of(error) != _NO_UPLOAD or not _is_there(target):
            raise
        return False  # ours or another's: whoever has to know looks at it


def _is_there(target: Target) -> bool:
    return answered(target.client.head_object, Bucket=target.bucket, Key=target.key) is not None


def decided(send: Callable[[], object]) -> bool:
    """Whether ``send`` created its key; False where it was taken. Raises what botocore raises.

    S3 may answer that it cannot tell yet, because another is writing the same key; then it is asked again.
    """
    from botocore.exceptions import ClientError

    for tried in range(_TRIES):
        try:
            send()
        except ClientError as error:
            if code_of(error) in TAKEN:
                return False
            if code_of(error) not in _CONFLICT or tried == _TRIES - 1:
                raise
            time.sleep(0.1 * 2**tried)
        else:
            return True
    raise AssertionError("the last try returns or raises")


def _at_once(target: Target, file: Path, condition: dict[str, str], lock: dict[str, Any]) -> None:
    with file.open("rb") as body:
        target.client.put_object(Bucket=target.bucket, Key=target.key, Body=body, **condition, **lock)


def _in_parts(target: Target, file: Path, condition: dict[str, str], lock: dict[str, Any]) -> None:
    from botocore.exceptions import BotoCoreError, ClientError

    at = {"Bucket": target.bucket, "Key": target.key}
    at["UploadId"] = target.client.create_multipart_upload(**at, **lock)["UploadId"]
    try:
        parts = _sent(target.client, at, file)
        target.client.complete_multipart_upload(**at, MultipartUpload={"Parts": parts}, **condition)
    except BaseException:
        with suppress(ClientError, BotoCoreError):  # what went wrong before is what is told
            target.client.abort_multipart_upload(**at)
        raise


def _sent(client: Any, at: dict[str, str], file: Path) -> list[dict[str, Any]]:
    size = file.stat().st_size
    step = max(_PART, -(-size // _MOST_PARTS))

    def send(number: int) -> dict[str, Any]:
        body = os.pread(handle, step, number * step)
        return {"PartNumber": number + 1, "ETag": client.upload_part(**at, PartNumber=number + 1, Body=body)["ETag"]}

    handle = os.open(file, os.O_RDONLY)
    try:
        with ThreadPoolExecutor(_THREADS) as threads:
            return list(threads.map(send, range(-(-size // step))))
    finally:
        os.close(handle)
