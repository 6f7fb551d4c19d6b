"""SHA-256 of local files, each read once while it stands still."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import time
from collections.abc import Iterable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from governance.canonical import rfc3339, utc_now
from lineage.errors import SourceUnreadable
from lineage.sources.state import FileState, Knowledge, SourceState

FileKey = tuple[int, int, int, int, int]
"""(device, inode, size, mtime_ns, ctime_ns): while it stands still, so does the content of a file that has settled."""

SETTLED = 2 * 10**9
"""Nanoseconds after which a change has left its tick of any file system's clock (FAT's takes two seconds)."""

_THREADS = min(8, os.cpu_count() or 1)


@dataclass(frozen=True)
class SeenFile:
    """A local file, its digest, and how far both can be trusted."""

    state: FileState
    key: FileKey
    cached: bool
    """the digest is that of an earlier reading"""
    settled: bool
    """any later change of the file will change its key"""


def file_key(path: Path) -> FileKey:
    """What identifies the present content of ``path`` without reading it. Raises SourceUnreadable."""
    try:
        return _key(path.stat())
    except OSError as error:
        raise _unreadable(path, error.strerror) from error


def seen_files(paths: Iterable[Path], cache: MutableMapping[FileKey, str]) -> list[SeenFile]:
    """Each file once, in the order of their paths, several read at a time.

    A file that changed a moment ago is hashed each time: the clock of a file system ticks too slowly to tell two
    changes within one tick apart. Raises SourceUnreadable.
    """
    ordered = sorted(set(paths))
    keys = [file_key(path) for path in ordered]
    known = {path: found for path, key in zip(ordered, keys, strict=True) if (found := cache.get(key)) is not None}
    unknown = [path for path in ordered if path not in known]
    with ThreadPoolExecutor(max_workers=_THREADS) as threads:
        read = dict(zip(unknown, threads.map(_read, unknown), strict=True))
    cache.update({one.key: one.state.sha256 for one in read.values() if one.settled and one.state.sha256})
    return [
        read[path] if path in read else _remembered(path, key, known[path])
        for path, key in zip(ordered, keys, strict=True)
    ]


def observe_source(name: str, uri: str, paths: Iterable[Path], cache: MutableMapping[FileKey, str]) -> SourceState:
    """The state of a source that is these files. Raises SourceUnreadable, also for a source of no files at all."""
    found = seen_files(paths, cache)
    if not found:
        raise no_files(name, uri)
    return SourceState(name, uri, tuple(file.state for file in found), known_state(found), rfc3339(utc_now()))


def known_state(files: Iterable[SeenFile]) -> Knowledge:
    """How the digests of these files are known."""
    return "cached" if any(file.cached for file in files) else "computed"


def no_files(name: str, uri: str) -> SourceUnreadable:
    """What to say of a source that is empty."""
    return SourceUnreadable(
        f"The source {name} has no files. Expected at least one where it points ({uri}); create it or correct the path."
    )


def _remembered(path: Path, key: FileKey, digest: str) -> SeenFile:
    return SeenFile(FileState(str(path), key[2], digest), key, cached=True, settled=True)


def _read(path: Path) -> SeenFile:
    """Key and SHA-256 of one and the same content."""
    try:
        with open(path, "rb", opener=_at_once) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise _unreadable(path, "it is not a file")
            _write_back(file.fileno())
            begun, before = time.time_ns(), os.fstat(file.fileno())
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            after = os.fstat(file.fileno())
    except OSError as error:
        raise _unreadable(path, error.strerror) from error
    key = _key(after)
    if not _key(before) == key == file_key(path):
        raise SourceUnreadable(f"The source file {path} changed while it was read. Run again when its writer is done.")
    settled = begun - max(key[3], key[4]) > SETTLED
    return SeenFile(FileState(str(path), key[2], digest), key, cached=False, settled=settled)


def _write_back(descriptor: int) -> None:
    """Let the next write through a memory mapping move the file's times.

    Linux moves them when such a write makes a page dirty, and not again before that page was written back. tmpfs writes
    nothing back: there, no later write through the same mapping is ever seen in the times.
    """
    try:
        os.fdatasync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EROFS):  # nothing to write back: no such thing here, or read only
            raise


def _at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # a pipe without a writer would keep us waiting for ever


def _key(seen: os.stat_result) -> FileKey:
    return seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns


def _unreadable(path: Path, reason: str | None) -> SourceUnreadable:
    return SourceUnreadable(
        f"The source file {path} cannot be read: {reason}. Expected the file that the data source names; create it, or"
        " correct its permissions or the path of the source."
    )
