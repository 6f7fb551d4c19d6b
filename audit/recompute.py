"""Recomputes digests from data that the auditor holds: the rows of snapshots, the files of models.

``DataDirectory(DIR)`` looks for ``snapshots/`` and ``artifacts/`` in DIR, in DIR/objects, and in the data/objects of a
Feast repository that is DIR or lies in it. It serves
``audit.verify`` as its ``Recompute``; what is not there is None, which the verifier prints as NOT CHECKED.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from audit.verify.errors import Malformed
from audit.verify.steps import Table
from audit.verify.trust import VerifyUsage
from lineage.errors import NotDigestible

if TYPE_CHECKING:
    import pyarrow as pa

SIGNATURE = "model.sig"
_NAME = re.compile(r"snapshots/(random-)?[0-9a-f]{64}|artifacts/[0-9a-f]{64}")
_PART = re.compile(r"part-(\d{5,})\.parquet")


class DataDirectory:
    """Stored snapshots and models below a directory. Raises VerifyUsage where there is no such directory."""

    def __init__(self, directory: Path) -> None:
        if not directory.is_dir():
            raise VerifyUsage(
                f"The data directory {directory} is not there. Name the one that holds `snapshots/` and `artifacts/`."
            )
        repositories = (directory, *sorted(path.parent for path in directory.glob("*/feature_store.yaml")))
        self._roots = (directory, directory / "objects", *(one / "data" / "objects" for one in repositories))

    def table(self, snapshot: str) -> Table | None:
        """The td1 digest of the stored rows, computed again. Raises Malformed for unreadable rows."""
        name = snapshot.removeprefix("td1-sha256:").replace(":", "-")
        folder = self._find(f"snapshots/{name}")
        files = () if folder is None else _parquet_files(folder)
        return _digest(files) if files else None

    def model_files(self, model: str) -> list[tuple[str, int, str]] | None:
        """Path, size and SHA-256 of each file but the signature. Raises Malformed where one cannot be read."""
        directory = self._find(f"artifacts/{model.removeprefix('oms1-sha256:')}")
        if directory is None or not directory.is_dir():
            return None
        try:
            paths = sorted(path for path in _walk(directory) if path != directory / SIGNATURE)
            return [_file(path, path.relative_to(directory).as_posix()) for path in paths]
        except OSError as error:
            raise Malformed(f"a file of the model cannot be read: {error.strerror}") from error

    def _find(self, name: str) -> Path | None:
        if not _NAME.fullmatch(name):  # digests come from statements, which need not be well-formed
            return None
        return next((path for root in self._roots if (path := root / name).exists()), None)


def _parquet_files(folder: Path) -> tuple[Path, ...]:
    """The one file of all rows, or those of the chunks in order."""
    if (whole := folder / "data.parquet").exists():
        return (whole,)
    parts = ((match, path) for path in folder.iterdir() if (match := _PART.fullmatch(path.name)))
    return tuple(path for _, path in sorted((int(match[1]), path) for match, path in parts))


def _batches(files: tuple[Path, ...]) -> Iterator[pa.RecordBatch]:
    import pyarrow.parquet as pq

    for path in files:
        with pq.ParquetFile(path) as file:
            yield from file.iter_batches()


def _digest(files: tuple[Path, ...]) -> Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from lineage.td1 import digest_batches

    try:
        found = digest_batches(pq.read_schema(files[0]), _batches(files))
    except (pa.ArrowException, NotDigestible, OSError) as error:
        raise Malformed(f"the stored table cannot be read: {str(error).splitlines()[0]}") from error
    return Table(found.digest, {column.name: column.root for column in found.columns})


def _walk(directory: Path) -> Iterator[Path]:
    for entry in sorted(os.scandir(directory), key=lambda entry: entry.name):
        if entry.is_symlink() or not (entry.is_file() or entry.is_dir()):
            raise Malformed(f"{entry.name!r} is neither a file nor a directory")
        yield from _walk(Path(entry.path)) if entry.is_dir() else (Path(entry.path),)


def _file(path: Path, name: str) -> tuple[str, int, str]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return name, file.tell(), digest
