"""Writing Parquet on a disk of this machine: a file is there whole or not at all, and writers wait for each other."""

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
from lineage.sources.files import is_data, sample
from lineage.sources.parquet_files import INT96_UNIT, int96_columns


@dataclass(frozen=True)
class ParquetFile:
    """One file. To append is to write it anew, row group by row group."""

    path: Path

    def exists(self) -> bool:
        """Whether anything lies at the path."""
        return self.path.exists()

    def append(self, rows: pa.Table) -> pa.Table:
        """Add ``rows`` at the end, in the file's own types, and give them so. Raises SourceUnreadable, LossyCast.

        INT96 timestamps become 64-bit ones in microseconds, as all readers here see them; a finer one is refused.
        """
        with _locked(self.path.parent), _read(self.path) as old:
            schema = old.schema_arrow
            new = fitted(rows, schema)
            with _written(self.path) as place, pq.ParquetWriter(place, schema, compression=_compression(old)) as writer:
                for number in range(old.num_row_groups):
                    _refuse_finer(self.path, old, number)
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
        """Add ``rows``, in the types of the files there, and give them so. Raises SourceUnreadable, LossyCast.

        Readers see all of one partition's rows or none; partitions appear one after the other, so a killed append may
        leave some of them.
        """
        self._place.mkdir(parents=True, exist_ok=True)
        with _locked(self._place.parent, shared=True):
            rows, columns = self._as_there(rows)
            if not columns:
                with _written(self._place / f"{uuid.uuid4().hex}.parquet") as place:
                    pq.write_table(rows, place)
                return rows
            with self._staged(rows, columns) as staging:
                for file in _data_below(staging):
                    _move(file, self._place / file.relative_to(staging))
        return rows

    def replace(self, rows: pa.Table) -> None:
        """Write ``rows`` into a new directory, and let it take the place of the old one.

        Whoever is killed in between leaves no directory at the path and the old one hidden beside it
        (``.<hex>.old``): readers find nothing, never rows of both. Raises SourceUnreadable where the directory holds
        anything but Parquet files, which would go with it.
        """
        place = self._place
        place.parent.mkdir(parents=True, exist_ok=True)
        with _locked(place.parent), self._staged(rows, self.partition_by) as staging:
            if not place.exists():
                _move(staging, place)
                return
            self._refuse_others()
            shutil.copymode(place, staging)
            with self._aside(staging.with_name(f"{staging.name}.old")):
                _move(staging, place)

    @property
    def _place(self) -> Path:
        return self.path.resolve()  # of a link, what it leads to

    @contextmanager
    def _aside(self, old: Path) -> Iterator[None]:
        """Within, the directory lies at ``old``; afterwards it is gone, or back in its place after an error."""
        try:
            self._place.rename(old)
        except OSError as error:
            raise SourceUnreadable(
                f"The directory {self.path} cannot be replaced by another: {error.strerror}. A place where something is"
                " mounted cannot; name a directory below it."
            ) from error
        try:
            yield
        except OSError:
            old.rename(self._place)
            raise
        shutil.rmtree(old)

    def _as_there(self, rows: pa.Table) -> tuple[pa.Table, tuple[str, ...]]:
        """``rows`` in the types of the files there, and the partition columns."""
        files = _data_below(self._place)
        if not files:
            return rows, self.partition_by
        columns = _partition_columns(files[0].relative_to(self._place))
        with _read(files[0]) as first:
            inside = first.schema_arrow
        beside = [rows.schema.field(name) for name in columns if name in rows.column_names]
        schema = pa.schema([*inside, *(field for field in beside if field.name not in inside.names)])
        return fitted(rows, schema.remove_metadata()), columns

    def _refuse_others(self) -> None:
        found = [file for file in self._place.rglob("*") if file.is_file() and not file.name.startswith((".", "_"))]
        if others := sorted(str(file) for file in {*found} - {*_data_below(self._place)}):
            raise SourceUnreadable(
                f"The directory {self.path} holds other things than Parquet files, which a replacement would remove:"
                f" {sample(others)}. Write to another directory, or move them."
            )

    @contextmanager
    def _staged(self, rows: pa.Table, columns: Sequence[str]) -> Iterator[Path]:
        """A directory beside the path, where nobody reads, that holds ``rows`` on disk; gone afterwards."""
        name = uuid.uuid4().hex
        staging = self._place.with_name(f".{name}")
        staging.mkdir()
        try:
            if columns:
                _write_partitions(rows, columns, staging, name)
            else:
                pq.write_table(rows, staging / f"{name}.parquet")
            for one in staging.rglob("*"):
                _sync(one)
            yield staging
        finally:
            shutil.rmtree(staging, ignore_errors=True)


def _write_partitions(rows: pa.Table, columns: Sequence[str], place: Path, name: str) -> None:
    kinds = pa.schema([rows.schema.field(column) for column in columns])
    ds.write_dataset(
        rows,
        place,
        format="parquet",
        partitioning=ds.partitioning(kinds, flavor="hive"),
        basename_template=f"{name}-{{i}}.parquet",
        existing_data_behavior="overwrite_or_ignore",  # the directory is there, and empty
    )


def _data_below(directory: Path) -> list[Path]:
    below = (file for file in directory.rglob("*") if is_data(file.relative_to(directory).as_posix()))
    return sorted(file for file in below if file.is_file())


def _partition_columns(relative: Path) -> tuple[str, ...]:
    return tuple(part.partition("=")[0] for part in relative.parts[:-1] if "=" in part)


def _compression(file: pq.ParquetFile) -> str:
    """The codec that the file's columns have now."""
    if not file.num_row_groups or not file.metadata.num_columns:
        return "snappy"
    codec = file.metadata.row_group(0).column(0).compression.lower()
    return "none" if codec == "uncompressed" else str(codec)


def _refuse_finer(path: Path, file: pq.ParquetFile, group: int) -> None:
    """Raise SourceUnreadable for INT96 timestamps of a row group that are not whole microseconds."""
    if not (old := int96_columns(file.metadata)):
        return
    with pq.ParquetFile(path) as other:  # in nanoseconds, modulo 2**64
        fine, coarse = other.read_row_group(group, columns=old), file.read_row_group(group, columns=old)
    if not coarse.cast(fine.schema, safe=False).equals(fine):
        raise SourceUnreadable(
            f"The file {path} cannot be added to: it holds INT96 timestamps finer than a microsecond, which would be"
            " cut down. Write it anew with 64-bit timestamps in nanoseconds."
        )


@contextmanager
def _read(path: Path) -> Iterator[pq.ParquetFile]:
    try:
        file = pq.ParquetFile(path, coerce_int96_timestamp_unit=INT96_UNIT)
    except (OSError, pa.ArrowException) as error:
        raise SourceUnreadable(
            f"The file {path} cannot be added to: it cannot be read as Parquet ({type(error).__name__}). Create it, or"
            " correct the path of the source."
        ) from None  # Arrow quotes bytes
    with file:
        yield file


@contextmanager
def _locked(directory: Path, *, shared: bool = False) -> Iterator[None]:
    """Within, no other writer of ours changes what is in this directory, but those that share the lock."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
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
    """Let a complete file, or directory of files on disk, stand under its name, both on disk."""
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
