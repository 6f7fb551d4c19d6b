"""The state of a source: which files, how long, which SHA-256, so that a later reader knows what was there."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, MutableMapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from governance.canonical import rfc3339, utc_now
from lineage.errors import SourceUnreadable

FileKey = tuple[int, int, int, int, int]
"""(device, inode, size, mtime_ns, ctime_ns): while it stands still, so does the file's content."""


@dataclass(frozen=True)
class FileState:
    """One file as it was seen."""

    path: str
    size: int
    """bytes"""
    sha256: str


@dataclass(frozen=True)
class SourceState:
    """All files of one source as they were seen."""

    name: str
    uri: str
    files: tuple[FileState, ...]
    state: Literal["computed", "cached", "unknown"]
    """``computed`` read every byte now; ``cached`` trusts an earlier reading of the same inode and times;
    ``unknown`` is a source that is not files, which the report names as a gap."""
    time: str

    def as_json(self) -> dict[str, Any]:
        """The ``sources`` entry of a record or manifest."""
        return {**asdict(self), "files": [asdict(file) for file in self.files]}


def file_key(path: Path) -> FileKey:
    """What identifies the present content of ``path`` without reading it. Raises SourceUnreadable."""
    try:
        seen = path.stat()
    except OSError as error:
        raise SourceUnreadable(
            f"The source file {path} cannot be read: {error.strerror}. Expected the file that the data source names;"
            " create it or correct the path of the source."
        ) from error
    return seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns


def observe_source(
    name: str, uri: str, paths: Iterable[Path], cache: MutableMapping[FileKey, str]
) -> SourceState:
    """Hash every file of a source, or take the digest of an unchanged one from ``cache``. Raises SourceUnreadable."""
    files, cached = [], True
    for path in sorted(paths):
        key = file_key(path)
        if key not in cache:
            cache[key], cached = _sha256(path), False
        files.append(FileState(str(path), key[2], cache[key]))
    return SourceState(name, uri, tuple(files), "cached" if cached else "computed", rfc3339(utc_now()))


def unobserved_source(name: str, uri: str) -> SourceState:
    """A source whose state cannot be captured (not files): recorded as unknown, never invented."""
    return SourceState(name, uri, (), "unknown", rfc3339(utc_now()))


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            before = os.fstat(file.fileno())
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            after = os.fstat(file.fileno())
    except OSError as error:
        raise SourceUnreadable(f"The source file {path} cannot be read: {error.strerror}. Correct its permissions.") from error
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise SourceUnreadable(f"The source file {path} changed while it was read. Run again when its writer is done.")
    return digest
