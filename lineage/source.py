"""The state of a source: which files, how long, which SHA-256, so that a later reader knows what was there."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterable, MutableMapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from governance.canonical import rfc3339, utc_now
from lineage.errors import SourceUnreadable

FileKey = tuple[int, int, int, int, int]
"""(device, inode, size, mtime_ns, ctime_ns): while it stands still, so does the content of a file that has settled."""

SETTLED = 2 * 10**9
"""Nanoseconds after which a change has left its tick of any file system's clock (FAT's takes two seconds)."""


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
    """``computed`` read every byte now; ``cached`` trusts, for a file at least, an earlier reading of the same inode
    and times; ``unknown`` is a source that is not files, which the report names as a gap."""
    time: str

    def as_json(self) -> dict[str, Any]:
        """The ``sources`` entry of a record or manifest."""
        return {**asdict(self), "files": [asdict(file) for file in self.files]}


def file_key(path: Path) -> FileKey:
    """What identifies the present content of ``path`` without reading it. Raises SourceUnreadable."""
    try:
        return _key(path.stat())
    except OSError as error:
        raise _unreadable(path, error.strerror) from error


def observe_source(name: str, uri: str, paths: Iterable[Path], cache: MutableMapping[FileKey, str]) -> SourceState:
    """Hash every file of a source, or take the digest of an unchanged one from ``cache``.

    A file that changed a moment ago is hashed each time: the clock of a file system ticks too slowly to tell two
    changes within one tick apart. Raises SourceUnreadable, also for a source of no files at all.
    """
    ordered = sorted(set(paths))
    if not ordered:
        raise SourceUnreadable(
            f"The source {name} has no files. Expected at least one where it points ({uri}); create it or correct"
            " the path."
        )
    seen = [_seen(path, cache) for path in ordered]
    state: Literal["computed", "cached"] = "cached" if any(cached for _, cached in seen) else "computed"
    return SourceState(name, uri, tuple(file for file, _ in seen), state, rfc3339(utc_now()))


def unobserved_source(name: str, uri: str) -> SourceState:
    """A source whose state cannot be captured (not files): recorded as unknown, never invented."""
    return SourceState(name, uri, (), "unknown", rfc3339(utc_now()))


def _seen(path: Path, cache: MutableMapping[FileKey, str]) -> tuple[FileState, bool]:
    """The state of one file, and whether its digest is from ``cache``."""
    key = file_key(path)
    if key in cache:
        return FileState(str(path), key[2], cache[key]), True
    key, digest = _read(path)
    if time.time_ns() - max(key[3], key[4]) > SETTLED:
        cache[key] = digest
    return FileState(str(path), key[2], digest), False


def _read(path: Path) -> tuple[FileKey, str]:
    """Key and SHA-256 of one and the same content."""
    try:
        with open(path, "rb", opener=_at_once) as file:
            before = os.fstat(file.fileno())
            if not stat.S_ISREG(before.st_mode):
                raise _unreadable(path, "it is not a file")
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            after = os.fstat(file.fileno())
    except OSError as error:
        raise _unreadable(path, error.strerror) from error
    if not _key(before) == _key(after) == file_key(path):
        raise SourceUnreadable(f"The source file {path} changed while it was read. Run again when its writer is done.")
    return _key(after), digest


def _at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # a pipe without a writer would keep us waiting for ever


def _key(seen: os.stat_result) -> FileKey:
    return seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns


def _unreadable(path: Path, reason: str | None) -> SourceUnreadable:
    return SourceUnreadable(
        f"The source file {path} cannot be read: {reason}. Expected the file that the data source names; create it, or"
        " correct its permissions or the path of the source."
    )
