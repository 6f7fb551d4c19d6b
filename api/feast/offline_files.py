"""Writing the files behind Feast's sources, saved datasets and log destinations."""

from __future__ import annotations

import uuid
from collections.abc import MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from feast.data_source import DataSource
from feast.errors import SavedDatasetLocationAlreadyExists
from feast.infra.offline_stores.file_source import FileLoggingDestination, FileSource, SavedDatasetFileStorage
from feast.repo_config import RepoConfig

from api.feast.denial import NotOffered
from api.feast.sources import lineage_source
from lineage.errors import SourceUnreadable
from lineage.sources.delta import DeltaSource
from lineage.sources.delta_writing import DeltaDestination
from lineage.sources.destinations import Destination
from lineage.sources.digests import FileKey
from lineage.sources.files import PARQUET, WILDCARDS
from lineage.sources.interface import Source
from lineage.sources.local_disk import LocalDisk
from lineage.sources.parquet_files import ParquetFiles
from lineage.sources.parquet_writing import ParquetDirectory, ParquetFile
from lineage.sources.s3 import S3
from lineage.sources.s3_writing import ParquetPrefix
from lineage.sources.state import SourceState


def place_written(thing: Any, repo: Path) -> str:
    """Where a source, saved dataset or log destination lies, as policies name it. Raises NotOffered."""
    return _files(thing, repo).uri


def places_written(thing: Any, repo: Path) -> tuple[str, ...]:
    """What a verdict is asked about: the place, and a file below it where it is a directory (or will be one).

    A policy may match what lies below a directory and not the directory itself.
    """
    place, destination = place_written(thing, repo), _destination(thing, repo)
    return (place,) if isinstance(destination, ParquetFile) else (place, f"{place}/part.parquet")


def places_touched(thing: Any, repo: Path) -> tuple[str, ...]:
    """The place, and where its last name is a symbolic link on this disk, also where the link itself stands."""
    files = _files(thing, repo)
    path = Path(getattr(files, "path", ""))
    if not files.uri.startswith("file:") or not path.is_absolute():
        return (files.uri,)
    return tuple(dict.fromkeys((files.uri, (path.parent.resolve() / path.name).as_uri())))


def append_to_source(rows: pa.Table, source: DataSource | None, repo: Path) -> pa.Table:
    """Add ``rows`` to the files of a data source, and give them as they are there.

    Raises NotOffered, SourceUnreadable, LossyCast.
    """
    return _destination(source, repo).append(in_source_columns(rows, source))


def in_source_columns(rows: pa.Table, source: DataSource | None) -> pa.Table:
    """``rows`` with the source's own column names: Feast gives those of the features, and the index of a DataFrame."""
    theirs = {new: old for old, new in (source.field_mapping if source else {}).items()}
    named = rows.rename_columns([theirs.get(name, name) for name in rows.column_names])
    return named.drop_columns([name for name in named.column_names if name.startswith("__index_level_")])


def logged_rows(logs: pa.Table | Path) -> pa.Table:
    """Served values as Feast hands them on: rows, or a directory of Parquet files."""
    import pyarrow.dataset as ds

    return logs if isinstance(logs, pa.Table) else ds.dataset(logs, format="parquet").to_table()


def append_logs(rows: pa.Table, destination: object, repo: Path) -> pa.Table:
    """Add served values to a log destination, and give them as they are there.

    Raises NotOffered, SourceUnreadable, LossyCast.
    """
    columns = tuple(getattr(destination, "partition_by", None) or ())
    return _destination(destination, repo, partition_by=columns).append(rows)


def save(rows: pa.Table, storage: SavedDatasetFileStorage, repo: Path, *, allow_overwrite: bool) -> None:
    """Write ``rows`` as a saved dataset. Raises NotOffered, and Feast's SavedDatasetLocationAlreadyExists."""
    refuse_existing(storage, repo, allow_overwrite=allow_overwrite)
    _destination(storage, repo).replace(rows)


def refuse_existing(storage: SavedDatasetFileStorage, repo: Path, *, allow_overwrite: bool) -> None:
    """Raise Feast's SavedDatasetLocationAlreadyExists where a saved dataset would replace what is there.

    Raises NotOffered where that is a file of another kind, whatever is allowed.
    """
    destination = _destination(storage, repo)
    if not destination.exists():
        return
    if not allow_overwrite:
        raise SavedDatasetLocationAlreadyExists(location=storage.file_options.uri)
    if isinstance(destination, ParquetFile) and not _is_parquet(destination.path):
        raise NotOffered(
            f"{destination.path} is no Parquet file, so no rows take its place. Name another place, or remove it first."
        )


def state_written(thing: Any, repo: Path, cache: MutableMapping[FileKey, str]) -> SourceState | None:
    """The files of a source, saved dataset or log destination as they are now; None where there are none."""
    try:
        return _files(thing, repo).open().state(cache)
    except SourceUnreadable:
        return None  # nothing is there yet


@dataclass(frozen=True)
class Staging:
    """Where retrievals are exported to."""

    location: str
    endpoint: str | None
    repo: Path

    @classmethod
    def of(cls, config: RepoConfig) -> Staging | None:
        """What ``offline_store: staging_location:`` names; None without it."""
        location = getattr(config.offline_store, "staging_location", None)
        endpoint = getattr(config.offline_store, "staging_location_endpoint_override", None)
        return cls(location.rstrip("/"), endpoint, Path(config.repo_path or "")) if location else None

    @property
    def source(self) -> FileSource:
        """The location as a data source."""
        return FileSource(path=self.location, s3_endpoint_override=self.endpoint)

    def export(self, rows: pa.Table) -> list[str]:
        """Write ``rows`` below the location under a name of their own; gives the URIs of the Parquet files."""
        own = f"{self.location}/{uuid.uuid4().hex}"
        path = own if own.startswith("s3://") else f"{own}.parquet"
        files = FileSource(path=path, s3_endpoint_override=self.endpoint)
        destination = _destination(files, self.repo)
        destination.replace(rows)
        if isinstance(destination, ParquetPrefix):
            return [f"s3://{found}" for found in destination.objects()]
        return [place_written(files, self.repo)]


def _is_parquet(path: Path) -> bool:
    """By the magic number; an empty file stands for one that is yet to be written.

    https://parquet.apache.org/docs/file-format/
    """
    with path.open("rb") as file:
        return file.read(4) in (b"", b"PAR1", b"PARE")


def _files(thing: Any, repo: Path) -> Source:
    if isinstance(thing, SavedDatasetFileStorage | FileLoggingDestination):
        return _files(thing.to_data_source(), repo)
    found = lineage_source(thing, repo) if isinstance(thing, FileSource) else None
    if found is None:
        raise NotOffered(
            "Rows are written to Parquet files and Delta tables, on local disks or S3. Found a"
            f" {type(thing).__name__} at {getattr(thing, 'path', 'no path')}; write there with what made it."
        )
    return found


def _destination(thing: Any, repo: Path, *, partition_by: tuple[str, ...] = ()) -> Destination:
    files = _files(thing, repo)
    if isinstance(files, DeltaSource):
        return DeltaDestination(files.location, files.options)
    if isinstance(files, ParquetFiles) and not any(mark in files.path for mark in WILDCARDS):
        if isinstance(files.storage, S3):
            return ParquetPrefix(files.path, files.storage.access)
        if isinstance(files.storage, LocalDisk):
            return _on_disk(Path(files.path), partition_by)
    raise NotOffered(f"{files.uri} stands for many files, so nothing is written there. Name one, or their directory.")


def _on_disk(path: Path, partition_by: tuple[str, ...]) -> ParquetFile | ParquetDirectory:
    one = path.is_file() or (not path.is_dir() and path.name.endswith(PARQUET))
    return ParquetFile(path) if one else ParquetDirectory(path, partition_by)
