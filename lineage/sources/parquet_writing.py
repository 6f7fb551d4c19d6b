"""Writing Parquet on a disk of this machine: a file is there whole or not at all, and appends wait for each other."""

from __future__ import annotations

import fcntl
import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from lineage.errors import SourceUnreadable
from lineage.sources.destinations import fitted
from lineage.sources.files import is_data


@dataclass(frozen=True)
class ParquetFile:
    """One file. To append is to write it anew, row group by row group."""

    path: Path

    def exists(self) -> bool:
        """Whether anything lies at the path."""
        return self.path.exists()

    def append(self, rows: pa.Table) -> pa.Table:
        """Add ``rows`` at the end, in the file's own types, and give them so. Raises SourceUnreadable, LossyCast."""
        with _locked(self.path.parent), _read(self.path) as old:
            schema = old.schema_arrow
            new = fitted(rows, schema)
            with _written(self.path) as place, pq.ParquetWriter(place, schema, compression=_compression(old)) as writer:
                for number in range(old.num_row_groups):
                    writer.write_table(old.read_row_group(number))
                writer.write_table(new)
        return new

    def replace(self, rows: pa.Table) -> None:
        """Let the file hold ``rows``."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(self.path.parent), _written(self.path) as place:
            pq.write_table(rows, place)


@dataclass(frozen=True)
class ParquetDirectory:
    """The Parquet files below a directory. To append is to add one, or one for each Hive partition."""

    path: Path
    partition_by: tuple[str, ...] = ()
    """columns of the partitions of a directory that has no files yet"""

    def exists(self) -> bool:
        """Whether anything lies at the path."""
        return self.path.exists()

    def append(self, rows: pa.Table) -> pa.Table:
        """Add ``rows``, in the types of the files there, and give them so. Raises SourceUnreadable, LossyCast."""
        files = self._files()
        columns = _partition_columns(files[0].relative_to(self.path)) if files else self.partition_by
        if files:
            with _read(files[0]) as first:
                inside = first.schema_arrow
            beside = [rows.schema.field(name) for name in columns if name in rows.column_names]
            schema = pa.schema([*inside, *(field for field in beside if field.name not in inside.names)])
            rows = fitted(rows, schema.remove_metadata())
        self._add(rows, columns)
        return rows

    def replace(self, rows: pa.Table) -> None:
        """Add ``rows``, then remove the files that were there before."""
        before = self._files()
        self._add(rows, self.partition_by)
        for file in before:
            file.unlink()

    def _files(self) -> list[Path]:
        below = (file for file in self.path.rglob("*") if is_data(file.relative_to(self.path).as_posix()))
        return sorted(file for file in below if file.is_file())

    def _add(self, rows: pa.Table, columns: Sequence[str]) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        name = uuid.uuid4().hex
        if columns:
            self._add_partitions(rows, columns, name)
            return
        with _written(self.path / f"{name}.parquet") as place:
            pq.write_table(rows, place)

    def _add_partitions(self, rows: pa.Table, columns: Sequence[str], name: str) -> None:
        staging = self.path.with_name(f".{name}")  # beside: a reader may be walking through what is below
        try:
            kinds = pa.schema([rows.schema.field(column) for column in columns])
            ds.write_dataset(
                rows,
                staging,
                format="parquet",
                partitioning=ds.partitioning(kinds, flavor="hive"),
                basename_template=f"{name}-{{i}}.parquet",
            )
            for file in sorted(staging.rglob("*.parquet")):
                _move(file, self.path / file.relative_to(staging))
        finally:
            shutil.rmtree(staging, ignore_errors=True)


def _partition_columns(relative: Path) -> tuple[str, ...]:
    return tuple(part.partition("=")[0] for part in relative.parts[:-1] if "=" in part)


def _compression(file: pq.ParquetFile) -> str:
    """The codec that the file's columns have now."""
    if not file.num_row_groups or not file.metadata.num_columns:
        return "snappy"
    codec = file.metadata.row_group(0).column(0).compression.lower()
    return "none" if codec == "uncompressed" else str(codec)


@contextmanager
def _read(path: Path) -> Iterator[pq.ParquetFile]:
    try:
        file = pq.ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        raise SourceUnreadable(
            f"The file {path} cannot be added to: it cannot be read as Parquet ({type(error).__name__}). Create it, or"
            " correct the path of the source."
        ) from None  # Arrow quotes bytes
    with file:
        yield file


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Within, no other writer of ours changes a file of this directory."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _written(path: Path) -> Iterator[Path]:
    """A file beside ``path`` to write, which takes its place when it is complete and on disk."""
    place = path.with_name(f".{uuid.uuid4().hex}.parquet")
    try:
        yield place
        if path.exists():
            shutil.copymode(path, place)
        _move(place, path)
    finally:
        place.unlink(missing_ok=True)


def _move(place: Path, path: Path) -> None:
    """Let a complete file stand under its name, both on disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _sync(place)
    place.replace(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
