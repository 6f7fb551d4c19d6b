"""Refs in an S3 bucket: an object for each, changed by conditional writes.

``If-Match`` and ``If-None-Match: *`` let the store itself decide between two writers
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html). Few stores delete on a condition, so
an empty object stands for None.
"""

from __future__ import annotations

from typing import Any

from lineage.objects.s3 import S3Objects
from lineage.objects.s3_errors import ABSENT, answered, code_of, s3_errors
from lineage.objects.s3_upload import decided
from lineage.sources.s3 import S3Access


class S3Refs:
    """The refs below ``s3://bucket/prefix``."""

    def __init__(self, location: str, *, access: S3Access | None = None) -> None:
        """Raises ConfigurationError where ``location`` is no such URI."""
        self._objects = S3Objects(location, access=access)

    @property
    def location(self) -> str:
        """``s3://bucket/prefix``."""
        return self._objects.location

    def read(self, name: str) -> bytes | None:
        """What the object holds. Raises ObjectsUnreachable."""
        return self._found(name)[0]

    def swap(self, name: str, old: bytes | None, new: bytes | None) -> bool:
        """Write the object if it holds ``old`` and, when the store decides, is still that. Raises ObjectsUnreachable.

        An answer that was lost on the way looks like a refusal when the request is sent again: what the object holds
        then decides.
        """
        held, tag = self._found(name)
        if held != old:
            return False
        if old == new or self._put(name, new or b"", {"IfNoneMatch": "*"} if tag is None else {"IfMatch": tag}):
            return True
        return self.read(name) == new

    def _found(self, name: str) -> tuple[bytes | None, str | None]:
        store = self._objects
        with s3_errors(store.bucket, store.access):
            found = answered(store.client.get_object, Bucket=store.bucket, Key=store.key(name))
            return (None, None) if found is None else (found["Body"].read() or None, found["ETag"])

    def _put(self, name: str, data: bytes, condition: dict[str, Any]) -> bool:
        from botocore.exceptions import ClientError

        store = self._objects
        to = {"Bucket": store.bucket, "Key": store.key(name), "Body": data}
        with s3_errors(store.bucket, store.access):
            try:
                return decided(lambda: store.client.put_object(**to, **condition))
            except ClientError as error:
                if code_of(error) in ABSENT and "IfMatch" in condition:
                    return False  # somebody removed the object itself
                raise
