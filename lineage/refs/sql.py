"""Refs in a database: a row for each, changed where it holds what is expected."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    LargeBinary,
    MetaData,
    String,
    Table,
    delete,
    insert,
    inspect,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from lineage.database import create_tables
from lineage.objects.interface import checked_name

_metadata = MetaData()
_refs = Table(
    "registry_ref",
    _metadata,
    Column("name", String(200), primary_key=True),
    Column("data", LargeBinary, nullable=False),
)


class SqlRefs:
    """The refs in one database, SQLite or PostgreSQL. The table is made by the first swap."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def location(self) -> str:
        """The URL, without a password."""
        return self._engine.url.render_as_string(hide_password=True)

    def read(self, name: str) -> bytes | None:
        """What the row holds. Raises DatabaseUnreachable."""
        held = select(_refs.c.data).where(_refs.c.name == checked_name(name))
        with self._engine.connect() as connection:
            return connection.scalar(held) if inspect(connection).has_table(_refs.name) else None

    def swap(self, name: str, old: bytes | None, new: bytes | None) -> bool:
        """Insert, update or delete the row, in a transaction of its own. Raises DatabaseUnreachable."""
        if old is None and new is None:
            return self.read(name) is None
        create_tables(self._engine, _metadata)
        try:
            with self._engine.begin() as connection:
                return _changed(connection, checked_name(name), old, new)
        except IntegrityError:  # of the primary key, the only constraint: another inserted it first
            return False


def _changed(connection: Connection, name: str, old: bytes | None, new: bytes | None) -> bool:
    if old is None:
        connection.execute(insert(_refs), {"name": name, "data": new})
        return True
    expected = (_refs.c.name == name) & (_refs.c.data == old)
    statement = delete(_refs).where(expected) if new is None else update(_refs).where(expected).values(data=new)
    return connection.execute(statement).rowcount == 1
