"""The object store: a directory whose objects are written once and never changed.

Names are POSIX paths below the root. An object appears whole or not at all: it is written to a temporary file
in ``.incomplete`` below the root, synced, and linked to its name only if that is still free. Whoever writes holds
a lock on the temporary file, so the next writer knows which ones a killed process left behind, and removes them.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from governance.errors import ConfigurationError

INCOMPLETE = ".incomplete"
"""The folder of what is being written; nothing in it is an object."""


class ObjectStore:
    """Objects in a local directory (``governance: objects:``)."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()

    @property
    def root(self) -> Path:
        """The directory that holds the objects."""
        return self._root

    def path(self, name: str) -> Path:
        """Where the object of that name is, or would be. Raises ConfigurationError for a name that leads elsewhere."""
        parts = name.split("/")
        if any(part in ("", ".", "..") or "\0" in part for part in parts) or parts[0] == INCOMPLETE:
            raise ConfigurationError(
                f"{name!r} is no name of an object. Expected a relative path such as snapshots/<hex>/data.parquet."
            )
        path = self._root / name
        if path.resolve() != self._root.resolve() / name:
            raise ConfigurationError(
                f"The object {name!r} of the store {self._root} is behind a symbolic link, so it may be something else"
                " tomorrow. Put the object itself there."
            )
        return path

    def read(self, name: str) -> bytes:
        """The bytes of an object. Raises FileNotFoundError."""
        return self.path(name).read_bytes()

    def names(self, prefix: str) -> Iterator[str]:
        """Names of all objects below the folder ``prefix``, sorted."""
        found = (path for path in self.path(prefix).rglob("*") if path.is_file() and not path.is_symlink())
        yield from sorted(path.relative_to(self._root).as_posix() for path in found)

    def create(self, name: str, write: Callable[[Path], None]) -> bool:
        """Let ``write`` fill a temporary file and give it its name; False if the name was taken already.

        The caller compares content where it matters: names here are digests, so a taken name is the same thing.
        """
        place = self.path(name)
        with _locked_file(_directory(self._root / INCOMPLETE)) as temporary:
            write(temporary)
            _sync(temporary)
            _directory(place.parent)
            created = _link(temporary, place)
        _sync(place.parent)  # also for a taken name: who took it may not have come to this line
        return created

    def create_bytes(self, name: str, data: bytes) -> bool:
        """Create an object from ``data``; False if the name was taken already."""
        return self.create(name, lambda path: _write(path, data))


def replace_bytes(path: Path, data: bytes) -> None:
    """Let ``path`` hold ``data``, whole or not at all: for the few files that do change, such as a head."""
    with _locked_file(_directory(path.parent)) as temporary:
        _write(temporary, data)
        _sync(temporary)
        temporary.replace(path)
        _sync(path.parent)


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def _link(temporary: Path, place: Path) -> bool:
    try:
        os.link(temporary, place)  # create-only: fails where the name exists, unlike rename
    except FileExistsError:
        return False
    return True


@contextmanager
def _locked_file(directory: Path) -> Iterator[Path]:
    """A new file that exists as long as this process works on it."""
    _sweep(directory)
    while True:
        handle, name = tempfile.mkstemp(prefix=".incomplete-", dir=directory)
        fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:
            break
        os.close(handle)  # swept by another writer before the lock was ours
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)
        os.close(handle)


def _sweep(directory: Path) -> None:
    """Remove what killed processes left: files whose lock nobody holds any more."""
    for path in directory.glob(".incomplete-*"):
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        except (FileNotFoundError, PermissionError):
            continue  # finished meanwhile, or another user's
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)
        except BlockingIOError:
            continue
        finally:
            os.close(handle)


def _directory(path: Path) -> Path:
    """``path`` as a directory whose name survives a power cut."""
    if not path.is_dir():
        _directory(path.parent)
        path.mkdir(exist_ok=True)
        _sync(path.parent)
    return path


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
