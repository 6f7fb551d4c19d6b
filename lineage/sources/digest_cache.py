"""Digests of local files, remembered across processes, so that a source is hashed when it is first seen.

A cache, and treated so: what cannot be read or written is hashed again, a damaged file is thrown away, and nothing
that verifies a source looks here. It is the owner's alone, since whoever writes it could make a changed file look
unchanged. One row a file: its inode, and size and times (:data:`~lineage.sources.digests.FileKey`) of its content.
"""

from __future__ import annotations

import os
import re
import sqlite3
import stat
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from lineage.sources.digests import FileKey

T = TypeVar("T")

_DIGEST = re.compile(r"[0-9a-f]{64}")
_PATIENCE = 2.0
"""seconds to wait for another process that writes"""

_TABLE = "CREATE TABLE IF NOT EXISTS digest (file TEXT PRIMARY KEY, content TEXT NOT NULL, sha256 TEXT NOT NULL)"
_PUT = "INSERT OR REPLACE INTO digest VALUES (?, ?, ?)"
_GET = "SELECT sha256 FROM digest WHERE file = ? AND content = ?"


class DigestCache(MutableMapping[FileKey, str]):
    """The cache in one SQLite file, which any number of threads and processes may use at once."""

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, Lock()
        self._connection: sqlite3.Connection | None = None
        self._process = 0

    def __getitem__(self, key: FileKey) -> str:
        found = self._ask(lambda connection: connection.execute(_GET, _names(key)).fetchone(), None)
        if found is None or _DIGEST.fullmatch(str(found[0])) is None:
            raise KeyError(key)
        return str(found[0])

    def __setitem__(self, key: FileKey, digest: str) -> None:
        self.update({key: digest})

    def __delitem__(self, key: FileKey) -> None:
        query = "DELETE FROM digest WHERE file = ? AND content = ?"
        if not self._ask(lambda connection: connection.execute(query, _names(key)).rowcount, 0):
            raise KeyError(key)

    def __iter__(self) -> Iterator[FileKey]:
        nothing: list[tuple[str, str]] = []
        query = "SELECT file, content FROM digest"
        rows = self._ask(lambda connection: connection.execute(query).fetchall(), nothing)
        return iter([_key(*row) for row in rows])

    def __len__(self) -> int:
        return int(self._ask(lambda connection: connection.execute("SELECT count(*) FROM digest").fetchone()[0], 0))

    def update(self, *others: Any, **_none: str) -> None:
        """Remember these digests, all in one transaction."""
        rows = [(*_names(key), digest) for key, digest in dict(*others).items()]
        if rows:
            self._ask(lambda connection: _put(connection, rows), None)

    def _ask(self, work: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        """What ``work`` answers; ``otherwise`` where the cache is locked, unwritable or damaged."""
        with self._lock:
            try:
                connection = self._opened()
                return otherwise if connection is None else work(connection)
            except (OSError, sqlite3.OperationalError):
                return otherwise
            except sqlite3.DatabaseError:
                self._start_anew()
                return otherwise

    def _opened(self) -> sqlite3.Connection | None:
        """The connection of this process; None where the file is not ours alone."""
        if self._connection is not None and self._process == os.getpid():
            return self._connection
        self._path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        found = os.fstat(handle)
        os.close(handle)
        if found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
            return None
        connection = sqlite3.connect(self._path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA synchronous = OFF")  # what a power cut damages is thrown away
        connection.execute(_TABLE)
        self._connection, self._process = connection, os.getpid()
        return connection

    def _start_anew(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._path.unlink(missing_ok=True)


def _put(connection: sqlite3.Connection, rows: Iterable[tuple[str, str, str]]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.executemany(_PUT, rows)
    except sqlite3.Error:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _names(key: FileKey) -> tuple[str, str]:
    """Text, because inodes may be larger than SQLite's integers."""
    return f"{key[0]}:{key[1]}", f"{key[2]}:{key[3]}:{key[4]}"


def _key(file: str, content: str) -> FileKey:
    device, inode, size, mtime, ctime = map(int, f"{file}:{content}".split(":"))
    return device, inode, size, mtime, ctime
