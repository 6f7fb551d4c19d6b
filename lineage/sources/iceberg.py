"""Iceberg tables: one snapshot, with its schema, read from the files that its manifests name.

Format: https://iceberg.apache.org/spec/. The catalogue is asked once, when the source is opened.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from governance.canonical import Json, rfc3339, utc_now
from lineage.errors import SourceChanged, SourceGone, SourceUnreadable
from lineage.sources.digests import FileKey
from lineage.sources.files import PinnedFiles, Storage, path_order
from lineage.sources.iceberg_io import path_in
from lineage.sources.iceberg_rows import rows_of
from lineage.sources.local_disk import LocalDisk
from lineage.sources.plan import check_plan, in_plan, plan_digest
from lineage.sources.s3 import S3, S3Access
from lineage.sources.state import FileState, SourceState, TableState

if TYPE_CHECKING:
    from pyiceberg.partitioning import PartitionSpec
    from pyiceberg.schema import Schema
    from pyiceberg.table import FileScanTask, Table


@dataclass(frozen=True)
class IcebergSource:
    """A table of a catalogue."""

    name: str
    uri: str
    table: str
    """``namespace.table``"""
    catalog: str
    """its name"""
    properties: Mapping[str, str] = field(repr=False)
    """what pyiceberg's ``load_catalog`` takes: type, uri, warehouse, token, ``s3.endpoint``, ..."""

    def open(self, at: SourceState | None = None) -> OpenIceberg:
        """The current snapshot, or the one that was recorded."""
        table = self._load()
        if at is None:
            current = table.current_snapshot()
            return OpenIceberg(self, table, None if current is None else current.snapshot_id)
        if at.table is None or at.table.format != "iceberg" or at.table.id != str(table.metadata.table_uuid):
            raise SourceChanged(
                f"The source {self.name} ({self.uri}) is the Iceberg table {table.metadata.table_uuid} now;"
                f" recorded was {at.table.id if at.table else 'no table'}. Bring that one back into the catalogue."
            )
        wanted = None if at.table.snapshot_id is None else int(at.table.snapshot_id)
        if wanted is not None and table.snapshot_by_id(wanted) is None:
            raise SourceGone(
                f"Snapshot {wanted} of the Iceberg table {self.name} is no longer in its metadata ({self.uri}): it has"
                " expired. Bring it back from a backup, and keep snapshots for as long as they must be reproducible."
            )
        return OpenIceberg(self, table, wanted, at)

    def _load(self) -> Table:
        from pyiceberg.catalog import load_catalog

        with _iceberg_errors(self), closing(load_catalog(self.catalog, **self.properties)) as catalog:
            return catalog.load_table(self.table)


class OpenIceberg:
    """One snapshot of an Iceberg table."""

    def __init__(
        self, source: IcebergSource, table: Table, snapshot: int | None, recorded: SourceState | None = None
    ) -> None:
        """:param snapshot: its id; None of a table that never had one."""
        self._source, self._table, self._snapshot = source, table, snapshot
        with _iceberg_errors(source):
            tasks: list[FileScanTask] = [] if snapshot is None else list(self._scan.plan_files())
        self._tasks = sorted(tasks, key=lambda task: path_order(task.file.file_path))
        storage, paths = _storage(source, table, self._tasks)
        if recorded is not None:
            check_plan(recorded, paths, self._plan)
        self._files: PinnedFiles = storage.pin(paths) if recorded is None else storage.pin_recorded(recorded.files)

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
        """The rows of the snapshot, file by file in the order of their paths. Raises SourceUnreadable."""
        with _iceberg_errors(self._source):
            tasks = [(path_in(task.file.file_path), task) for task in self._tasks]
            return rows_of(self.name, self._table, self._schema, tasks, self._files.filesystem)

    def state(self, cache: MutableMapping[FileKey, str]) -> SourceState:
        """The snapshot's id, the table's id, and data and delete files of that snapshot. Raises SourceUnreadable."""
        files, known = self._files.states(cache)
        snapshot = None if self._snapshot is None else str(self._snapshot)
        uuid, metadata = str(self._table.metadata.table_uuid), self._table.metadata_location
        table = TableState("iceberg", uuid, snapshot_id=snapshot, metadata=metadata, plan_sha256=self._plan)
        return SourceState(self.name, self.uri, files, known, rfc3339(utc_now()), table)

    def computed(self) -> tuple[FileState, ...]:
        """The files, every byte read since they were pinned. Raises SourceUnreadable."""
        return self._files.computed()

    def check_unchanged(self) -> None:
        """Raise SourceUnreadable where a file of this snapshot went or changed; later snapshots may come."""
        self._files.check_unchanged()

    def key(self) -> Hashable:
        """Id of table and snapshot."""
        return str(self._table.metadata.table_uuid), self._snapshot, self._plan, self._files.key()

    @cached_property
    def _scan(self) -> Any:
        return self._table.scan(snapshot_id=self._snapshot)

    @cached_property
    def _schema(self) -> Schema:
        return self._table.schema() if self._snapshot is None else self._scan.projection()

    @cached_property
    def _plan(self) -> str:
        specs = self._table.specs()
        fields = [[str(one), in_plan(one.initial_default)] for one in self._schema.fields]
        return plan_digest(fields, [_planned(task, specs[task.file.spec_id]) for task in self._tasks])


def _planned(task: FileScanTask, spec: PartitionSpec) -> Json:
    """What the manifests say of one data file: path, partition values, and where deletes from it lie."""
    values = [task.file.partition[place] for place in range(len(spec.fields))]
    partition = {
        f"{one.source_id} {one.transform}": in_plan(value) for one, value in zip(spec.fields, values, strict=True)
    }
    return [task.file.file_path, partition, sorted(one.file_path for one in task.delete_files)]


def _storage(source: IcebergSource, table: Table, tasks: Sequence[FileScanTask]) -> tuple[Storage, list[str]]:
    """Where the files of the tasks lie, and all of them: data, and what is deleted from it."""
    files = {file.file_path for task in tasks for file in (task.file, *task.delete_files)}
    schemes = {urlsplit(file).scheme for file in files or {table.location()}}
    if schemes <= {"", "file"}:
        return LocalDisk(), [path_in(file) for file in files]
    if schemes <= {"s3", "s3a", "s3n"}:
        return S3(_access(table.io.properties)), [path_in(file) for file in files]
    raise SourceUnreadable(
        f"The files of the Iceberg table {source.name} lie at {', '.join(sorted(schemes))}. Expected a local path, or"
        " s3://; configure one of Feast's other offline stores for this source."
    )


def _access(properties: Mapping[str, str]) -> S3Access:
    return S3Access(
        endpoint=properties.get("s3.endpoint"),
        access_key=properties.get("s3.access-key-id"),
        secret_key=properties.get("s3.secret-access-key"),
        session_token=properties.get("s3.session-token"),
        region=properties.get("s3.region"),
    )


@contextmanager
def _iceberg_errors(source: IcebergSource) -> Iterator[None]:
    """What catalogue and files refuse becomes SourceUnreadable; pyiceberg's errors have no base of their own."""
    from pyiceberg import exceptions
    from sqlalchemy.exc import SQLAlchemyError

    missing = (exceptions.NoSuchTableError, exceptions.NoSuchNamespaceError, exceptions.NoSuchIdentifierError)
    failed = (exceptions.RESTError, exceptions.NotInstalledError, exceptions.ResolveError, SQLAlchemyError, OSError)
    try:
        yield
    except (*missing, *failed, exceptions.ValidationError, ValueError, NotImplementedError) as error:
        raise SourceUnreadable(
            f"The Iceberg table {source.table} of source {source.name} cannot be read ({type(error).__name__})."
            f" Expected it in the catalogue {source.catalog}; check its type, endpoint and properties, the names of"
            " namespace and table, and the credentials. Rows deleted by equality cannot be read: compact the table."
        ) from None
