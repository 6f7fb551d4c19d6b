"""A file in a bucket that is read here and there, as Parquet is."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lineage.objects.s3_errors import ABSENT, TAKEN, code_of, s3_errors

if TYPE_CHECKING:
    from lineage.objects.s3 import S3Objects


class S3File(io.RawIOBase):
    """Reads ranges of one object, all of the same ETag: no reading mixes two contents.

    Raises OSError (ESTALE) once the object is another one, ObjectsUnreachable where the store does not answer.
    """

    def __init__(self, store: S3Objects, key: str, head: Mapping[str, Any]) -> None:
        super().__init__()
        self._store, self._key, self._at = store, key, 0
        self._size, self._etag = int(head["ContentLength"]), str(head["ETag"])

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """Where the next byte is read."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Read on from there."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: Any, /) -> int:
        """Fill the buffer as far as the object goes."""
        view = memoryview(buffer).cast("B")
        count = min(len(view), self._size - self._at)
        if count <= 0:
            return 0
        view[:count] = self._range(self._at, count)
        self._at += count
        return count

    def _range(self, start: int, count: int) -> bytes:
        from botocore.exceptions import ClientError

        store, span = self._store, f"bytes={start}-{start + count - 1}"
        with s3_errors(store.bucket, store.access):
            try:
                found = store.client.get_object(Bucket=store.bucket, Key=self._key, Range=span, IfMatch=self._etag)
            except ClientError as error:
                if code_of(error) in TAKEN | ABSENT:
                    raise OSError(errno.ESTALE, os.strerror(errno.ESTALE)) from None
                raise
            if str(found["ETag"]) != self._etag:
                raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))  # from a store that does not know If-Match
            data: bytes = found["Body"].read()
        return data
