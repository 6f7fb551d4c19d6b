"""Objects in a directory, local or on a shared disk.

An object appears whole or not at all: it is written to a file in ``.incomplete`` below the root, synced, and linked to
its name only if that is still free. Symbolic links below the root are not followed.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from governance.errors import ConfigurationError
from lineage.errors import ObjectsUnreachable
from lineage.objects.incomplete import PREFIX, locked_file, locked_folder, made_directory, sync
from lineage.objects.interface import INCOMPLETE, Retention, Write, checked_name


class DirectoryObjects:
    """The object store in a directory (``governance: objects: data/objects``)."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()

    @property
    def root(self) -> Path:
        """The directory that holds the objects."""
        return self._root

    @property
    def location(self) -> str:
        """The absolute directory."""
        return str(self._root)

    @property
    def retention(self) -> Retention | None:
        """None: a file system keeps nobody from deleting."""
        return None

    def keep(self, name: str) -> Retention | None:
        """None. Raises ConfigurationError for a name that leads elsewhere."""
        self.path(name)
        return None

    def uri(self, name: str) -> str:
        """``file://…`` of an object."""
        return self.path(name).as_uri()

    def path(self, name: str) -> Path:
        """Where the object of that name is, or would be. Raises ConfigurationError for a name that leads elsewhere."""
        path = self._root / checked_name(name)
        if path.resolve() != self._root.resolve() / name:
            raise ConfigurationError(
                f"The object {name!r} of the store {self._root} is behind a symbolic link, so it may be something else"
                " tomorrow. Put the object itself there."
            )
        return path

    def read(self, name: str) -> bytes:
        """The bytes of an object. Raises FileNotFoundError."""
        return self.path(name).read_bytes()

    def open(self, name: str) -> Any:
        """A file for random reads. Raises FileNotFoundError."""
        import pyarrow as pa

        return pa.OSFile(str(self.path(name)))

    def exists(self, name: str) -> bool:
        """Whether there is such an object."""
        return self.path(name).is_file()

    def names(self, prefix: str) -> Iterator[str]:
        """Names of all objects below the folder ``prefix``, sorted."""
        found = (path for path in self.path(prefix).rglob("*") if path.is_file() and not path.is_symlink())
        yield from sorted(path.relative_to(self._root).as_posix() for path in found)

    @contextmanager
    def stage(self, write: Write) -> Iterator[_StagedFile]:
        """Let ``write`` make the bytes of an object. Raises ObjectsUnreachable."""
        with ExitStack() as stack:
            with _clear_errors(self._root):
                temporary = stack.enter_context(locked_file(made_directory(self._root / INCOMPLETE)))
                write(temporary)
                sync(temporary)
            yield _StagedFile(self, temporary)

    @contextmanager
    def stage_parts(self) -> Iterator[_StagedFolder]:
        """Room for parts that other processes write; they have to see the same directory."""
        with ExitStack() as stack:
            with _clear_errors(self._root):
                folder = stack.enter_context(locked_folder(made_directory(self._root / INCOMPLETE)))
            yield _StagedFolder(self, FolderWriter(folder))

    def create_bytes(self, name: str, data: bytes) -> bool:
        """Create an object from ``data``; False if the name was taken already. Raises ObjectsUnreachable."""
        self.path(name)
        with self.stage(lambda path: path.write_bytes(data)) as staged:
            return staged.commit(name)

    def link(self, file: Path, name: str) -> bool:
        """Give a whole, synced file of the same disk this name; False if it was taken. Raises ObjectsUnreachable."""
        place = self.path(name)
        with _clear_errors(self._root):
            made_directory(place.parent)
            created = _link(file, place)
            sync(place.parent)  # also for a taken name: who took it may not have come to this line
        return created


@dataclass(frozen=True)
class _StagedFile:
    store: DirectoryObjects
    file: Path

    def commit(self, name: str) -> bool:
        return self.store.link(self.file, name)


@dataclass(frozen=True)
class FolderWriter:
    """Writes parts into a folder that is gone when the process that staged it has committed or ended."""

    folder: Path

    def write(self, part: str, write: Write) -> None:
        """Stage one part. Raises ObjectsUnreachable, also where this machine does not see the folder."""
        temporary = self.folder / f"{PREFIX}{secrets.token_hex(8)}"
        with _clear_errors(self.folder):
            write(temporary)
            sync(temporary)
            temporary.replace(self.folder / checked_name(part))


@dataclass(frozen=True)
class _StagedFolder:
    store: DirectoryObjects
    writer: FolderWriter

    def parts(self) -> frozenset[str]:
        return frozenset(path.name for path in self.writer.folder.iterdir() if not path.name.startswith(PREFIX))

    def open(self, part: str) -> Any:
        import pyarrow as pa

        return pa.OSFile(str(self.writer.folder / checked_name(part)))

    def commit(self, part: str, name: str) -> bool:
        return self.store.link(self.writer.folder / checked_name(part), name)


@contextmanager
def _clear_errors(place: Path) -> Iterator[None]:
    """What the disk refuses, as one sentence. Libraries' messages may quote values; the error number does not."""
    try:
        yield
    except OSError as error:
        what = os.strerror(error.errno) if error.errno else type(error).__name__
        raise ObjectsUnreachable(
            f"The object store {place} cannot be written: {what}. Nothing was stored. Expected a directory with room"
            " and permission to write; free or grant it, and run again."
        ) from None


def _link(file: Path, place: Path) -> bool:
    try:
        os.link(file, place)  # create-only: fails where the name exists, unlike rename
    except FileExistsError:
        return False
    return True
