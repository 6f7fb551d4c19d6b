"""The one SQLAlchemy database: how it is opened, and the metadata that lineage's tables share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Engine, MetaData, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from lineage.errors import DatabaseUnreachable

metadata = MetaData()
"""Tables of the catalogue, the events, the graph and the outbox. ``audit`` keeps its own."""


def open_database(url: str) -> Engine:
    """An engine for ``url``, durable and checked by one connection.

    SQLite runs in WAL mode with ``synchronous=FULL`` (an acknowledged act survives a power cut),
    ``secure_delete`` (what is erased is overwritten) and foreign keys on.
    Raises DatabaseUnreachable.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:"):
            Path(str(parsed.database)).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(parsed)
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _sqlite_pragmas)
        with engine.connect():
            pass
    except (ArgumentError, SQLAlchemyError, OSError, ImportError) as error:
        raise DatabaseUnreachable(
            f"The database {_without_password(url)} cannot be opened: {_first_line(error)}. Expected a SQLAlchemy URL of"
            " a reachable SQLite or PostgreSQL database; check `governance: database:`."
        ) from error
    return engine


def _sqlite_pragmas(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in ("busy_timeout=30000", "journal_mode=WAL", "synchronous=FULL", "secure_delete=ON", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _without_password(url: str) -> str:
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return repr(url)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
