"""Files that are being written: each is locked by its writer, so that nobody takes it for what a killed one left.

``.incomplete-X`` is such a file. ``.incomplete-X.parts`` is a folder that belongs to it: other processes write there
for the one that holds the lock.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX, PARTS = ".incomplete-", ".parts"


@contextmanager
def locked_file(directory: Path) -> Iterator[Path]:
    """A new file in ``directory`` that exists as long as this process works on it."""
    _sweep(directory)
    while True:
        handle, name = tempfile.mkstemp(prefix=PREFIX, dir=directory)
        fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:
            break
        os.close(handle)  # swept by another writer before the lock was ours
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)
        os.close(handle)


@contextmanager
def locked_folder(directory: Path) -> Iterator[Path]:
    """A new folder in ``directory`` for the files of several processes; it exists as long as this one works on it."""
    with locked_file(directory) as lock:
        folder = lock.with_name(lock.name + PARTS)
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def made_directory(path: Path) -> Path:
    """``path`` as a directory whose name survives a power cut."""
    if not path.is_dir():
        made_directory(path.parent)
        path.mkdir(exist_ok=True)
        sync(path.parent)
    return path


def sync(path: Path) -> None:
    """Wait until a file's bytes, or a directory's names, survive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sweep(directory: Path) -> None:
    """Remove what killed processes left: files whose lock nobody holds any more, and folders without such a file."""
    for path in directory.glob(f"{PREFIX}*"):
        if path.suffix != PARTS:
            _remove_unlocked(path)
        elif not path.with_suffix("").exists():
            shutil.rmtree(path, ignore_errors=True)


def _remove_unlocked(path: Path) -> None:
    if path.is_symlink() or not path.is_file():
        return  # not of ours: we make files alone
    try:
        handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW)  # NFS locks only what is open for writing
    except (FileNotFoundError, PermissionError):
        return  # removed since, or another user's
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path.with_name(path.name + PARTS), ignore_errors=True)
        path.unlink(missing_ok=True)
    except BlockingIOError:
        return
    finally:
        os.close(handle)
