"""The copy of the last checkpoint that lives outside the database, so that a restored backup cannot fork the log."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from audit.errors import LedgerForked
from governance.errors import ConfigurationError


class OutsideCopy:
    """One file in the checkpoints directory, named after the log's origin."""

    def __init__(self, directory: Path, origin: str) -> None:
        self.path = directory / f"{quote(origin, safe='')}.checkpoint"

    def read(self) -> bytes | None:
        """The signed note, or None where none was ever written. Raises ConfigurationError."""
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ConfigurationError(
                f"The copy of the last checkpoint, {self.path}, cannot be read: {error.strerror}."
                " Expected a file that this process may read; check `governance: checkpoints:`."
            ) from error

    def write(self, note: bytes) -> None:
        """Replace the copy; after a crash there is the old one or the new one, whole. Raises ConfigurationError."""
        unfinished = self.path.with_suffix(".new")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with unfinished.open("wb") as file:
                file.write(note)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(self.path)
            self._sync_directory()
        except OSError as error:
            raise ConfigurationError(
                f"The copy of the last checkpoint, {self.path}, cannot be written: {error.strerror}. Without it no"
                " checkpoint is signed; check `governance: checkpoints:`."
            ) from error

    def _sync_directory(self) -> None:
        descriptor = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def forked(self, found: str) -> LedgerForked:
        """The refusal, with what to do about it."""
        return LedgerForked(
            f"{found} The copy outside the database is {self.path}. Nothing was appended and nothing was signed. If an"
            " older backup of the database was restored, restore one that is at least as new as that copy. If this is"
            " meant to be a new ledger, give it a new `governance: origin:`, never an old one again. Do not delete the"
            " copy: bundles and witnesses may hold the same checkpoint, and two histories under one name prove nothing."
        )
