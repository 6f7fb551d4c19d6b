"""Writing Parquet objects below a prefix of an S3 store: each is there whole or not at all, under a name of its own."""

from __future__ import annotations

import io
import uuid
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lineage.errors import SourceUnreadable
from lineage.sources.destinations import fitted
from lineage.sources.files import is_data
from lineage.sources.parquet_files import parquet_format
from lineage.sources.s3 import S3, S3Access


@dataclass(frozen=True)
class ParquetPrefix:
    """The Parquet objects below ``bucket/prefix``. To append is to create one."""

    path: str
    """``bucket/prefix``"""
    access: S3Access

    def exists(self) -> bool:
        """Whether an object lies there. Raises SourceUnreadable."""
        return bool(self.objects())

    def append(self, rows: pa.Table) -> pa.Table:
        """Add an object with ``rows``, in the types of those there, and give them so.

        Raises SourceUnreadable, LossyCast.
        """
        found = self.objects()
        if any("=" in part for path in found for part in path.removeprefix(self.path).split("/")):
            raise SourceUnreadable(
                f"The objects below {self.path} are Hive partitions, which nothing is added to. Write them with what"
                " made them."
            )
        if found:
            one = found[:1]
            rows = fitted(rows, parquet_format().inspect(one[0], self._store.pin(one).filesystem).remove_metadata())
        self._create(rows)
        return rows

    def replace(self, rows: pa.Table) -> None:
        """Let one object with ``rows`` be there: a new one, or in one request the next content of the only one.

        Raises SourceUnreadable where several objects are there: no request replaces those at once.
        """
        before = self.objects()
        if len(before) > 1:
            raise SourceUnreadable(
                f"Below {self.path} lie {len(before)} objects, which S3 cannot replace at once: readers would find old"
                " rows beside new ones. Write to a prefix without objects, or remove these first."
            )
        if not before:
            self._create(rows)
            return
        (only,) = self._store.pin(before).states({})[0]
        self._put(only.path, rows, IfMatch=only.etag)

    def objects(self) -> tuple[str, ...]:
        """``bucket/key`` of each that lies there. Raises SourceUnreadable."""
        found = self._store.find(self.path)
        if self.path in found:
            raise SourceUnreadable(
                f"{self.path} is one object, which cannot be added to. Point the source at a prefix of objects."
            )
        return tuple(path for path in found if is_data(path.removeprefix(f"{self.path.rstrip('/')}/")))

    def _create(self, rows: pa.Table) -> None:
        bucket, _, prefix = self.path.rstrip("/").partition("/")
        name = f"{prefix}/{uuid.uuid4().hex}.parquet".lstrip("/")
        self._put(f"{bucket}/{name}", rows, IfNoneMatch="*")

    def _put(self, path: str, rows: pa.Table, **condition: Any) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        bucket, _, key = path.partition("/")
        content = io.BytesIO()
        pq.write_table(rows, content)
        try:
            self._client.put_object(Bucket=bucket, Key=key, Body=content.getvalue(), **condition)
        except (BotoCoreError, ClientError) as error:
            raise SourceUnreadable(
                f"The object store took no object below {self.path} ({type(error).__name__}). Check the endpoint, the"
                " credentials, and what they may write."
            ) from None

    @cached_property
    def _store(self) -> S3:
        return S3(self.access)

    @cached_property
    def _client(self) -> Any:
        return self.access.client()
