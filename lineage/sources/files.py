"""What sources made of files need of the storage below them: find files, pin their content, read it."""

from __future__ import annotations

from collections.abc import Hashable, MutableMapping, Sequence
from typing import Any, Protocol

from lineage.sources.digests import FileKey
from lineage.sources.state import FileState, Knowledge

PARQUET = (".parquet", ".parq", ".pq")
"""How the names of files end that a directory is read for; what ends otherwise is left alone, as are hidden names."""

WILDCARDS = "*?["


class PinnedFiles(Protocol):
    """Files whose content is held to what it was when they were pinned."""

    @property
    def paths(self) -> tuple[str, ...]:
        """As :attr:`filesystem` takes them, in :func:`path_order`."""

    @property
    def filesystem(self) -> Any:
        """A ``pyarrow.fs.FileSystem`` that reads them."""

    def states(self, cache: MutableMapping[FileKey, str]) -> tuple[tuple[FileState, ...], Knowledge]:
        """What is recorded of them. Raises SourceUnreadable."""

    def computed(self) -> tuple[FileState, ...]:
        """Each with the SHA-256 of its bytes, every byte read since they were pinned. Raises SourceUnreadable."""

    def check_unchanged(self) -> None:
        """Raise SourceUnreadable where one may have been read in another state than the pinned one."""

    def key(self) -> Hashable:
        """Their fingerprint, without reading them."""


class Storage(Protocol):
    """A file system that sources lie in."""

    def find(self, path: str) -> tuple[str, ...]:
        """The file of that path, the Parquet files of a directory, or what a glob matches, in :func:`path_order`.

        Perhaps none. Raises SourceUnreadable where the storage does not answer.
        """

    def pin(self, paths: Sequence[str]) -> PinnedFiles:
        """The files as they are now. Raises SourceUnreadable."""

    def pin_recorded(self, files: Sequence[FileState]) -> PinnedFiles:
        """The files as they were recorded. Raises SourceGone or SourceChanged, saying which; SourceUnreadable."""


def path_order(path: str) -> list[str]:
    """The order of files, and thereby of rows: folder by folder, by name."""
    return path.split("/")


def is_data(path: str) -> bool:
    """Whether a path relative to the directory of a source is one of its files: Parquet, and nowhere hidden.

    A leading underscore hides, as in Hive and Spark, unless it begins the name of a partition column.
    """
    hidden = any(part.startswith(".") or (part.startswith("_") and "=" not in part) for part in path.split("/"))
    return path.endswith(PARQUET) and not hidden


def folder_of(path: str, found: Sequence[str]) -> str:
    """The folder that ``path`` looked below when it found these files: partitions are named between it and a file."""
    if path in found:
        return path.rpartition("/")[0]
    below = f"{path.rstrip('/')}/"
    return path.rstrip("/") if all(one.startswith(below) for one in found) else glob_root(path)


def glob_root(pattern: str) -> str:
    """The folder before the first part of ``pattern`` with a wildcard."""
    parts = pattern.split("/")
    first = next((number for number, part in enumerate(parts) if any(mark in part for mark in WILDCARDS)), len(parts))
    return "/".join(parts[:first])


def sample(paths: Sequence[str], most: int = 3) -> str:
    """A few of many paths, for a message."""
    more = f" and {len(paths) - most} more" if len(paths) > most else ""
    return ", ".join(paths[:most]) + more
