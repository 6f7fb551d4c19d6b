"""Parquet files: one, those of a directory with or without Hive partitions, or those that a glob matches."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, MutableMapping
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import and_
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from governance.canonical import rfc3339, utc_now
from lineage.errors import SourceChanged, SourceUnreadable
from lineage.sources.digests import FileKey, no_files
from lineage.sources.files import PinnedFiles, Storage, folder_of
from lineage.sources.hive import partition_columns
from lineage.sources.parquet_schema import one_schema, schemas_of
from lineage.sources.state import FileState, SourceState

_TABLE_FORMATS = {
    "_delta_log/*.json": "a Delta table, whose files hold deleted rows too. Declare file_format=DeltaFormat()",
    "metadata/*.metadata.json": "an Iceberg table, whose files hold deleted rows too. Declare an IcebergSource",
}


@dataclass(frozen=True)
class ParquetFiles:
    """The files that ``path`` stands for in ``storage``."""

    name: str
    uri: str
    path: str
    storage: Storage

    def open(self, at: SourceState | None = None) -> OpenParquetFiles:
        """Those that are there now, or those that were recorded and no others that came since."""
        if at is None:
            return OpenParquetFiles(self, self.storage.pin(self.find()))
        if at.table is not None:
            raise SourceChanged(
                f"The source {self.name} is plain files now ({self.uri}); recorded was a table of the format"
                f" {at.table.format}, whose files hold deleted rows too. Declare the source as it was then."
            )
        return OpenParquetFiles(self, self.storage.pin_recorded(at.files))

    def find(self) -> tuple[str, ...]:
        """The files that are there now. Raises SourceUnreadable for none, and for a table format."""
        found = self.storage.find(self.path)
        if self.path in found:
            return found
        for log, what in _TABLE_FORMATS.items():
            if self.storage.find(f"{self.path.rstrip('/')}/{log}"):
                raise SourceUnreadable(f"The source {self.name} at {self.uri} is {what}.")
        if not found:
            raise no_files(self.name, self.uri)
        return found


class OpenParquetFiles:
    """Files as they were pinned, as one table."""

    def __init__(self, source: ParquetFiles, files: PinnedFiles) -> None:
        self._source, self._files = source, files

    @property
    def name(self) -> str:
        """What the data source is called."""
        return self._source.name

    @property
    def uri(self) -> str:
        """The place of the source."""
        return self._source.uri

    @cached_property
    def dataset(self) -> Any:
        """All files in the order of their paths. Raises SourceUnreadable, also where their schemas differ."""
        paths, filesystem, form = self._files.paths, self._files.filesystem, parquet_format()
        partitions = partition_columns(self.name, folder_of(self._source.path, paths), paths)
        schemas = schemas_of(self.name, [form.make_fragment(path, filesystem) for path in paths])
        schema = one_schema(self.name, paths, schemas)
        added = {column: found for column, found in partitions.items() if column not in schema.names}
        for column, (type_, _) in added.items():
            schema = schema.append(pa.field(column, type_))
        fragments = [
            form.make_fragment(path, filesystem, partition({name: values[n] for name, (_, values) in added.items()}))
            for n, path in enumerate(paths)
        ]
        return ds.FileSystemDataset(fragments, schema, form, filesystem)

    def state(self, cache: MutableMapping[FileKey, str]) -> SourceState:
        """Digests of local files, ETags and versions of objects. Raises SourceUnreadable."""
        files, known = self._files.states(cache)
        return SourceState(self.name, self.uri, files, known, rfc3339(utc_now()))

    def computed(self) -> tuple[FileState, ...]:
        """The files, every byte read since they were pinned. Raises SourceUnreadable."""
        return self._files.computed()

    def check_unchanged(self) -> None:
        """Raise SourceUnreadable where one of the files changed or went; others may come, and are not read."""
        self._files.check_unchanged()

    def key(self) -> Hashable:
        """Paths with inode and times, or ETags."""
        return self._files.key()


INT96_UNIT = "us"
"""The unit of the old INT96 timestamps: read in nanoseconds, those after 2262 would wrap around into the past."""


def parquet_format() -> Any:
    """How Parquet is read: neighbouring ranges in one request; the old INT96 timestamps in microseconds."""
    reads = ds.ParquetReadOptions(coerce_int96_timestamp_unit=INT96_UNIT)
    scans = ds.ParquetFragmentScanOptions(pre_buffer=True)
    return ds.ParquetFileFormat(read_options=reads, default_fragment_scan_options=scans)


def int96_columns(metadata: Any) -> list[str]:
    """The columns of a file (its ``pyarrow.parquet.FileMetaData``) that hold INT96 timestamps, at any depth."""
    schema = metadata.schema
    physical = [schema.column(number) for number in range(len(schema))]
    return sorted({one.path.partition(".")[0] for one in physical if one.physical_type == "INT96"})


def partition(values: Mapping[str, Any]) -> Any:
    """What holds for every row of a file with these partition values; None of a file in no partition."""
    holds = [pc.field(name).is_null() if value is None else pc.field(name) == value for name, value in values.items()]
    return reduce(and_, holds) if holds else None
