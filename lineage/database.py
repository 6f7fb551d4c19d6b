"""The one SQLAlchemy database: how it is opened, and the metadata that lineage's tables share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, MetaData, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import ExceptionContext
from sqlalchemy.exc import ArgumentError, OperationalError, SQLAlchemyError

from lineage.errors import DatabaseUnreachable

metadata = MetaData()
"""Tables of the catalogue, the events, the graph and the outbox. ``audit`` keeps its own."""

_LOCK = int.from_bytes(b"provtabl")
"""The advisory lock of PostgreSQL under which tables are created."""


def open_database(url: str) -> Engine:
    """An engine for ``url``, durable and checked by one connection.

    SQLite runs in WAL mode with ``synchronous=FULL`` (an acknowledged act survives a power cut),
    ``secure_delete`` (what is erased is overwritten) and foreign keys on.
    Raises DatabaseUnreachable; whoever uses the engine later hears of a failing database by the same error.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:"):
            Path(str(parsed.database)).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(parsed)
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _sqlite_pragmas)
        event.listen(engine, "handle_error", _tell)
        with engine.connect():
            pass
    except (ArgumentError, SQLAlchemyError, OSError, ImportError, DatabaseUnreachable) as error:
        raise DatabaseUnreachable(
            f"The database {_without_password(url)} cannot be opened: {_first_line(error)}. Expected a SQLAlchemy URL"
            " of a reachable SQLite or PostgreSQL database; check `governance: database:`."
        ) from error
    return engine


def database_url(url: str, *, base: Path) -> str:
    """``url`` with a relative SQLite file placed below ``base``. Raises DatabaseUnreachable where it is no URL."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise DatabaseUnreachable(
            f"`governance: database:` is {url!r}. Expected a SQLAlchemy URL such as sqlite:///data/provender.db or"
            " postgresql+psycopg://host/database."
        ) from error
    if parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:"):
        parsed = parsed.set(database=str(base / str(parsed.database)))
    return parsed.render_as_string(hide_password=False)


@contextmanager
def database_errors() -> Iterator[None]:
    """Within, a failing database is told in one sentence. Raises DatabaseUnreachable."""
    try:
        yield
    except SQLAlchemyError as error:
        raise _unreachable(error) from error


def create_tables(engine: Engine, tables: MetaData = metadata) -> None:
    """Create those of ``tables`` that are missing; several processes may do so at once."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        tables.create_all(connection)
        connection.commit()


def _tell(context: ExceptionContext) -> DatabaseUnreachable | None:
    """Let a database that cannot be reached, read or written be told in one sentence, whoever asked it."""
    error = context.sqlalchemy_exception
    return _unreachable(error) if isinstance(error, OperationalError) else None


def _unreachable(error: SQLAlchemyError) -> DatabaseUnreachable:
    return DatabaseUnreachable(
        f"The database did not take part: {_first_line(error)}. What is not recorded does not happen, so nothing"
        " was given out. Check that `governance: database:` can be reached and written, then run it again."
    )


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
