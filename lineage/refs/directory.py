"""Refs in a directory: a file for each, changed under one lock."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from governance.errors import ConfigurationError
from lineage.errors import ObjectsUnreachable
from lineage.objects.incomplete import sync
from lineage.objects.interface import checked_name
from lineage.objects.replace import replace_bytes


class DirectoryRefs:
    """The refs below ``root``, on a disk whose locks all their users see."""

    def __init__(self, root: Path) -> None:
        """Raises ConfigurationError where ``root`` is a file."""
        self._root = root
        if root.exists() and not root.is_dir():
            raise ConfigurationError(
                f"`registry: path:` names {root}, which is a file. Expected a directory (plain Feast keeps its registry"
                " in a file: name another path, and apply again)."
            )

    @property
    def location(self) -> str:
        """The directory."""
        return str(self._root)

    def read(self, name: str) -> bytes | None:
        """What the file holds; None where there is none. Raises ObjectsUnreachable."""
        path = self._root / checked_name(name)
        try:
            return path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise ObjectsUnreachable(
                f"{path} cannot be read: {error.strerror}. Expected a file that this process may read."
            ) from error

    def swap(self, name: str, old: bytes | None, new: bytes | None) -> bool:
        """Replace or remove the file, whole and synced, if it holds ``old``. Raises ObjectsUnreachable."""
        path = self._root / checked_name(name)
        with self._locked():
            if self.read(name) != old:
                return False
            if new is not None:
                replace_bytes(path, new)
            elif old is not None:
                path.unlink()
                sync(path.parent)
        return True

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            with (self._root / "lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except OSError as error:
            raise ObjectsUnreachable(
                f"The directory {self._root} cannot be written: {error.strerror}. Expected one that this process may"
                " write: correct its permissions, or name another."
            ) from error
