"""The one place that opens DuckDB: in memory, offline, within limits, and leaving nothing behind.

    with connected(Limits(memory="2GiB", threads=2)) as connection:
        connection.register("keys", reader)
        connection.sql("SELECT key, max(at) FROM keys GROUP BY key")

A connection sees only what is registered with it: no file, no network, no variable of the caller. Its time zone is UTC,
wherever the machine stands. It never installs or loads an extension. What does not fit into memory is spilled to a
private folder that goes with it.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from governance.errors import ConfigurationError

if TYPE_CHECKING:
    import duckdb

_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]I?B)\s*", re.IGNORECASE)
_Settings = dict[str, str | bool | int | float | list[str]]


@dataclass(frozen=True)
class Limits:
    """How much of the machine a retrieval may take; None leaves it to the engine."""

    memory: str | None = None
    """a number and a unit, as DuckDB writes them: ``2GiB``, ``500MB``"""
    threads: int | None = None
    spill: Path | None = None
    """directory in which private folders for spilled rows are made; the system's temporary one otherwise"""

    def __post_init__(self) -> None:
        if self.memory is not None and not self.memory_bytes:
            raise ConfigurationError(
                f"memory_limit is {self.memory!r}. Expected a positive number with one of the units"
                " KB, MB, GB, TB, KiB, MiB, GiB, TiB, such as 2GiB."
            )
        if self.threads is not None and self.threads < 1:
            raise ConfigurationError(f"threads is {self.threads}. Expected at least 1.")

    @property
    def memory_bytes(self) -> int | None:
        """``memory`` in bytes; None without a limit."""
        found = _SIZE.fullmatch(self.memory or "")
        return int(float(found[1]) * _UNITS[found[2].upper()]) if found else None

    @property
    def workers(self) -> int:
        """How many threads to use: as asked, or one for each processor."""
        return self.threads or os.cpu_count() or 1


@contextmanager
def connected(limits: Limits) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection of its own within ``limits``; closed, and its spilled rows removed, whatever happens.

    Rows come back in no order that is not asked for.

    :raises ConfigurationError: the spill directory cannot be written, or the limits were too small for the work.
    """
    import duckdb  # only who reads pays for the engine

    with _private_folder(limits.spill) as folder:
        try:
            with duckdb.connect(config=_settings(limits, folder)) as connection:
                connection.execute("SET enable_progress_bar = false")  # it would stand in what a command prints
                connection.execute("SET TimeZone = 'UTC'")  # no option of connect: the zones (ICU) are not there yet
                connection.execute("SET lock_configuration = true")
                yield connection
        except (duckdb.OutOfMemoryException, duckdb.IOException):
            raise ConfigurationError(
                f"The work does not fit into memory_limit={limits.memory or 'the default'} and the free space of the"
                " spill directory. Raise memory_limit, or set spill_directory to a larger disk."
            ) from None  # DuckDB's message is about files and sizes of a folder that is gone


def _settings(limits: Limits, folder: str) -> _Settings:
    settings: _Settings = {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "enable_external_access": "false",
        "preserve_insertion_order": "false",
        "temp_directory": folder,
    }
    if limits.memory is not None:
        settings["memory_limit"] = limits.memory
    if limits.threads is not None:
        settings["threads"] = limits.threads
    return settings


@contextmanager
def _private_folder(parent: Path | None) -> Iterator[str]:
    try:
        if parent is not None:
            parent.mkdir(parents=True, exist_ok=True)
        folder = tempfile.TemporaryDirectory(prefix="provender-spill-", dir=parent)  # 0700: keys are personal data
    except OSError as error:
        raise ConfigurationError(
            f"spill_directory is {parent}, which cannot be written: {error.strerror}. Expected a directory of which"
            " this process may make a folder."
        ) from error
    with folder as name:
        yield name
