"""What every object store offers: objects that are written once and never changed, under names that are paths.

    with objects.stage(write) as staged:  # the bytes are there, synced, and no object yet
        created = staged.commit(name)     # False: the name was taken, which for names by content is the same thing

What is staged and not committed is gone at the end of the block. A staged object whose process was killed is nobody's
object, and the next writer removes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from governance.errors import ConfigurationError

INCOMPLETE = ".incomplete"
"""The folder of what is being written; nothing in it is an object."""

Write: TypeAlias = Callable[[Path], object]
"""Fills the empty file that it is given."""


@dataclass(frozen=True)
class Retention:
    """How long the store itself refuses to delete or change an object."""

    mode: str
    """``GOVERNANCE``, which a permission of its own may lift, or ``COMPLIANCE``, which nobody can"""
    days: int
    """from when it is put there; of an object that is there, the whole days that are left"""

    def as_json(self) -> dict[str, Any]:
        """For a manifest."""
        return {"mode": self.mode, "days": self.days}


class Staged(Protocol):
    """The whole bytes of an object that has no name yet."""

    def commit(self, name: str) -> bool:
        """Give it this name; False if the name was taken. Raises ObjectsUnreachable."""


class PartsWriter(Protocol):
    """Writes parts of what one process will commit; it can be pickled and sent to other machines."""

    def write(self, part: str, write: Write) -> None:
        """Stage one part, whole; a part of that name is replaced, for a task may run twice.

        Raises ObjectsUnreachable.
        """


class StagedParts(Protocol):
    """Parts that several processes write and one commits."""

    @property
    def writer(self) -> PartsWriter:
        """What the writing processes get."""

    def parts(self) -> frozenset[str]:
        """The parts that are there by now, as this process sees them."""

    def open(self, part: str) -> Any:
        """A part as a binary file for random reads. Raises FileNotFoundError, ObjectsUnreachable."""

    def commit(self, part: str, name: str) -> bool:
        """Make a part the object of this name; False if the name was taken. Raises ObjectsUnreachable."""


class Objects(Protocol):
    """An object store. Names are POSIX paths below its root; whoever has a wrong one gets ConfigurationError."""

    @property
    def location(self) -> str:
        """What :func:`lineage.objects.open_objects` opens again: an absolute directory or ``s3://bucket/prefix``."""

    @property
    def retention(self) -> Retention | None:
        """What the store puts on each new object; None where it locks nothing. Raises ObjectsUnreachable."""

    def keep(self, name: str) -> Retention | None:
        """Lock an object that is there as long as a new one would be, and give how it is locked from now on.

        The answer is what the store says, whatever was asked; None where it locks nothing or does not say.
        Raises ObjectsUnreachable.
        """

    def uri(self, name: str) -> str:
        """Where the object of that name is, or would be."""

    def read(self, name: str) -> bytes:
        """The bytes of an object. Raises FileNotFoundError, ObjectsUnreachable."""

    def open(self, name: str) -> Any:
        """A binary file for random reads (what pyarrow reads from). Raises FileNotFoundError, ObjectsUnreachable."""

    def exists(self, name: str) -> bool:
        """Whether there is such an object. Raises ObjectsUnreachable."""

    def names(self, prefix: str) -> Iterator[str]:
        """Names of all objects below the folder ``prefix``, sorted. Raises ObjectsUnreachable."""

    def stage(self, write: Write) -> AbstractContextManager[Staged]:
        """Let ``write`` make the bytes of an object. Raises ObjectsUnreachable."""

    def stage_parts(self) -> AbstractContextManager[StagedParts]:
        """Room for parts that other processes write. Raises ObjectsUnreachable."""

    def create_bytes(self, name: str, data: bytes) -> bool:
        """Create an object from ``data``; False if the name was taken already. Raises ObjectsUnreachable."""


def checked_name(name: str) -> str:
    """``name``, if it is one of an object. Raises ConfigurationError for one that leads elsewhere."""
    parts = name.split("/")
    if any(part in ("", ".", "..") or "\0" in part for part in parts) or parts[0] == INCOMPLETE:
        raise ConfigurationError(
            f"{name!r} is no name of an object. Expected a relative path such as snapshots/<hex>/data.parquet."
        )
    return name
