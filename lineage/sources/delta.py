"""Delta tables: one version, read by Arrow from the files that the table's log names.

Format: https://github.com/delta-io/delta/blob/master/PROTOCOL.md. Statistics of the log are not used to skip files:
writers cut timestamps in them to milliseconds, so a filter between two of those would lose rows. Parquet's own are.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.dataset as ds

from governance.canonical import rfc3339, utc_now
from lineage.errors import SourceChanged, SourceGone, SourceUnreadable
from lineage.sources.digests import FileKey
from lineage.sources.files import PinnedFiles, Storage, path_order
from lineage.sources.parquet_files import parquet_format, partition
from lineage.sources.plan import check_plan, in_plan, plan_digest
from lineage.sources.state import FileState, SourceState, TableState

if TYPE_CHECKING:
    from deltalake import DeltaTable

_READABLE = frozenset({"timestampNtz", "v2Checkpoint", "vacuumProtocolCheck"})
"""Reader features that change nothing about the rows in the files."""

_ADVICE = {
    "deletionVectors": "In Spark: SET TBLPROPERTIES ('delta.enableDeletionVectors' = false), then REORG TABLE ... APPLY"
    " (PURGE), then ALTER TABLE ... DROP FEATURE deletionVectors.",
    "columnMapping": "In Spark: SET TBLPROPERTIES ('delta.columnMapping.mode' = 'none').",
}


@dataclass(frozen=True)
class DeltaSource:
    """The Delta table below ``path`` of ``storage``."""

    name: str
    uri: str
    path: str
    """as ``storage`` takes it"""
    location: str
    """the same as deltalake takes it: an absolute path, or ``s3://bucket/key``"""
    storage: Storage
    options: Mapping[str, str] = field(default_factory=dict, repr=False)
    """deltalake's storage options: endpoint, credentials, region"""

    def open(self, at: SourceState | None = None) -> OpenDelta:
        """The latest version, or the one that was recorded."""
        if at is None:
            table = self._table(None)
            found = _files(self, table)
            return OpenDelta(self, table, found, self.storage.pin([path for path, _ in found]))
        if at.table is None or at.table.format != "delta":
            raise SourceChanged(
                f"The source {self.name} is a Delta table now ({self.uri}); recorded was something else."
            )
        try:
            table = self._table(at.table.version)
        except SourceUnreadable as error:
            raise SourceGone(
                f"Version {at.table.version} of the Delta table {self.name} cannot be read any more ({self.uri}): the"
                " table or the log of that version is gone. Bring it back from a backup."
            ) from error
        if _id(table) != at.table.id:
            raise SourceChanged(
                f"At {self.uri} of source {self.name} stands another Delta table: id {_id(table)}, recorded"
                f" was {at.table.id}. Bring the recorded one back from a backup."
            )
        found = _files(self, table)
        check_plan(at, [path for path, _ in found], _plan(table, found))
        return OpenDelta(self, table, found, self.storage.pin_recorded(at.files))

    def _table(self, version: int | None) -> DeltaTable:
        from deltalake import DeltaTable

        with _delta_errors(self):
            table = DeltaTable(self.location, version=version, storage_options=dict(self.options) or None)
        _refuse_inexact(self, table)
        return table


class OpenDelta:
    """One version of a Delta table."""

    def __init__(
        self, source: DeltaSource, table: DeltaTable, found: list[tuple[str, dict[str, Any]]], files: PinnedFiles
    ) -> None:
        """:param found: path and partition values of each of the ``files``."""
        self._source, self._table, self._found, self._files = source, table, found, files

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
        """The rows of this version, file by file in the order of their paths. Raises SourceUnreadable."""
        form, filesystem = parquet_format(), self._files.filesystem
        schema = pa.schema([one.with_nullable(nullable=True) for one in pa.schema(self._table.schema().to_arrow())])
        fragments = [form.make_fragment(path, filesystem, partition(values)) for path, values in self._found]
        return ds.FileSystemDataset(fragments, schema, form, filesystem)

    def state(self, cache: MutableMapping[FileKey, str]) -> SourceState:
        """The version, the table's id, and the files of that version. Raises SourceUnreadable."""
        files, known = self._files.states(cache)
        plan = _plan(self._table, self._found)
        version = TableState("delta", _id(self._table), version=self._table.version(), plan_sha256=plan)
        return SourceState(self.name, self.uri, files, known, rfc3339(utc_now()), version)

    def computed(self) -> tuple[FileState, ...]:
        """The files, every byte read since they were pinned. Raises SourceUnreadable."""
        return self._files.computed()

    def check_unchanged(self) -> None:
        """Raise SourceUnreadable where a file of this version went or changed; later versions may come."""
        self._files.check_unchanged()

    def key(self) -> Hashable:
        """Id and version of the table."""
        plan = _plan(self._table, self._found)
        return _id(self._table), self._table.version(), plan, self._files.key()


def _id(table: DeltaTable) -> str:
    return str(table.metadata().id)  # a UUID, whatever its annotation says


def _files(source: DeltaSource, table: DeltaTable) -> list[tuple[str, dict[str, Any]]]:
    """Path and partition values of each file of the version, in order."""
    with _delta_errors(source):
        added = pa.table(table.get_add_actions(flatten=True))
    columns = table.metadata().partition_columns
    values = added.select([f"partition.{column}" for column in columns]).rename_columns(columns).to_pylist()
    found = zip((_path(source, path) for path in added.column("path").to_pylist()), values, strict=True)
    return sorted(found, key=lambda one: path_order(one[0]))


def _plan(table: DeltaTable, found: list[tuple[str, dict[str, Any]]]) -> str:
    files = [[path, {column: in_plan(value) for column, value in values.items()}] for path, values in found]
    return plan_digest(json.loads(table.schema().to_json()), files)


def _path(source: DeltaSource, logged: str) -> str:
    if "://" in logged or logged.startswith("/"):
        raise SourceUnreadable(
            f"The Delta table {source.name} at {source.uri} is a shallow clone: its files belong to another table,"
            " which may remove them. Point the source at that table, or make a deep clone."
        )
    return f"{source.path.rstrip('/')}/{unquote(logged)}"


def _refuse_inexact(source: DeltaSource, table: DeltaTable) -> None:
    """Raise SourceUnreadable for a table whose files alone do not say which rows and columns it has."""
    needed = set(table.protocol().reader_features or ()) - _READABLE
    mapping = table.metadata().configuration.get("delta.columnMapping.mode") or "none"
    if mapping == "none":
        needed.discard("columnMapping")
    else:
        needed.add("columnMapping")  # with reader version 2, no feature says so
    if needed:
        raise SourceUnreadable(
            f"The Delta table {source.name} at {source.uri} needs {', '.join(sorted(needed))}, without which its files"
            f" give wrong rows. {' '.join(_ADVICE.get(one, '') for one in sorted(needed))}".rstrip()
        )


@contextmanager
def _delta_errors(source: DeltaSource) -> Iterator[None]:
    from deltalake.exceptions import DeltaError

    try:
        yield
    except (DeltaError, OSError) as error:
        raise SourceUnreadable(
            f"The Delta table {source.name} at {source.uri} cannot be opened ({type(error).__name__}). Expected a table"
            " with its _delta_log; create it, or correct path, endpoint (s3_endpoint_override) or credentials."
        ) from None
