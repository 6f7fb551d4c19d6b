"""What every place of refs offers."""

from __future__ import annotations

from typing import Protocol


class Refs(Protocol):
    """Named bytes, never empty. Names are relative POSIX paths."""

    @property
    def location(self) -> str:
        """Where they are, for messages; without a password."""

    def read(self, name: str) -> bytes | None:
        """What ``name`` holds. Raises ObjectsUnreachable, DatabaseUnreachable."""

    def swap(self, name: str, old: bytes | None, new: bytes | None) -> bool:
        """Let ``name`` hold ``new``, durably, if it holds ``old``; else change nothing and give False.

        Raises ObjectsUnreachable, DatabaseUnreachable: then it is not known which of the two it holds.
        """
