"""The object store: a directory whose objects are written once and never changed.

Names are POSIX paths below the root. An object appears whole or not at all: it is written to a
temporary file beside its place, synced, and linked there only if the name is still free.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from governance.errors import ConfigurationError


class ObjectStore:
    """Objects in a local directory (``governance: objects:``)."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def root(self) -> Path:
        """The directory that holds the objects."""
        return self._root

    def path(self, name: str) -> Path:
        """Where the object of that name is, or would be."""
        path = self._root / name
        if not path.resolve().is_relative_to(self._root.resolve()):
            raise ConfigurationError(f"The object name {name!r} leads out of the object store {self._root}.")
        return path

    def read(self, name: str) -> bytes:
        """The bytes of an object. Raises FileNotFoundError."""
        return self.path(name).read_bytes()

    def names(self, prefix: str) -> Iterator[str]:
        """Names of all objects below the folder ``prefix``, sorted."""
        for path in sorted(self.path(prefix).rglob("*")):
            if path.is_file() and not path.name.startswith(".incomplete-"):
                yield path.relative_to(self._root).as_posix()

    def create(self, name: str, write: Callable[[Path], None]) -> bool:
        """Let ``write`` fill a temporary file and give it its name; False if the name was taken already.

        The caller compares content where it matters: names here are digests, so a taken name is the same thing.
        """
        place = self.path(name)
        place.parent.mkdir(parents=True, exist_ok=True)
        with _temporary(place.parent) as temporary:
            write(temporary)
            _sync(temporary)
            try:
                os.link(temporary, place)  # create-only: fails where the name exists, unlike rename
            except FileExistsError:
                return False
            _sync(place.parent)
        return True

    def create_bytes(self, name: str, data: bytes) -> bool:
        """Create an object from ``data``; False if the name was taken already."""
        return self.create(name, lambda path: _write(path, data))


def replace_bytes(path: Path, data: bytes) -> None:
    """Let ``path`` hold ``data``, whole or not at all: for the few files that do change, such as a head."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _temporary(path.parent) as temporary:
        temporary.write_bytes(data)
        _sync(temporary)
        temporary.replace(path)
        _sync(path.parent)


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


@contextmanager
def _temporary(directory: Path) -> Iterator[Path]:
    handle, name = tempfile.mkstemp(prefix=".incomplete-", dir=directory)
    os.close(handle)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
