"""One at a time, among all processes that record in one database: where an act takes more than one transaction."""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine

from lineage.errors import DatabaseUnreachable


@contextmanager
def alone(engine: Engine, name: str) -> Iterator[Callable[[], object]]:
    """Wait until nobody else is within ``alone`` of that database and name; not reentrant.

    Gives a check to call right before what must not be done twice: it raises DatabaseUnreachable where the lock is
    lost. PostgreSQL holds it as long as the connection lives; beside a SQLite file, which is on one machine, a file
    ``<database>.<name>.lock`` is locked as long as the process lives.
    """
    if engine.dialect.name == "sqlite":
        with _file_locked(Path(f"{engine.url.database}.{name}.lock")):
            yield lambda: None
    else:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(f"SELECT pg_advisory_lock({_number(name)})")
            try:
                yield lambda: connection.exec_driver_sql("SELECT 1")
            finally:
                connection.invalidate()  # the lock goes with the connection, whatever state it is in


@contextmanager
def _file_locked(path: Path) -> Iterator[None]:
    try:
        handle = path.open("w")
    except OSError as error:
        raise DatabaseUnreachable(
            f"{path} cannot be written: {error.strerror}. Expected a directory beside the database that this process"
            " may write."
        ) from error
    with handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _number(name: str) -> int:
    """PostgreSQL names its locks by 64-bit integers."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
