"""The ledger's own tables: leaves, tree nodes, checkpoints. Rows are inserted and never changed.

Triggers refuse UPDATE and DELETE (PostgreSQL: TRUNCATE too; SQLite: also INSERT OR REPLACE, which deletes without
firing delete triggers). They stop accidents and careless tools; whoever may drop a trigger is found by
``Ledger.audit`` and by the checkpoints that others hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    Select,
    String,
    Table,
    insert,
    inspect,
    select,
    text,
)
from sqlalchemy.engine import make_url

from audit.errors import LedgerForked, UnknownRecord
from lineage.database import metadata as catalogue
from lineage.outbox import outbox

metadata = MetaData()

leaf = Table(
    "leaf",
    metadata,
    Column("idx", BigInteger, primary_key=True, autoincrement=False),
    Column("outbox_id", String(36), nullable=False, unique=True),
    Column("bytes", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)

node = Table(
    "node",
    metadata,
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("idx", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, nullable=False),
)
"""Root of the complete subtree over the leaves ``idx << level`` up to ``(idx + 1) << level``; level 0 is ``leaf``."""

checkpoint = Table(
    "checkpoint",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("root", LargeBinary, nullable=False),
    Column("note", LargeBinary, nullable=False),
    Column("time", String(27), nullable=False),
)

waiting = Table("waiting", metadata, Column("outbox_id", String(36), primary_key=True))
"""Recorded acts without a leaf: the short way to them, no evidence. A trigger fills it, the sequencer empties it."""

LOCK = int.from_bytes(b"provendr", "big") & 0x7FFF_FFFF_FFFF_FFFF
"""The advisory lock of PostgreSQL that whoever writes the ledger holds."""

_SAME_ROW = {
    "leaf": "idx = NEW.idx OR outbox_id = NEW.outbox_id",
    "node": "level = NEW.level AND idx = NEW.idx",
    "checkpoint": "size = NEW.size",
}
_REFUSAL = "the ledger is append-only"


def create_tables(engine: Engine) -> None:
    """Create what is not there yet; may run in several processes at once."""
    with engine.connect() as connection:
        begin_exclusive(connection)
        listed = inspect(connection).has_table(waiting.name)
        metadata.create_all(connection)
        statements = _sqlite_triggers() if engine.dialect.name == "sqlite" else _postgresql_triggers()
        for statement in statements:
            connection.execute(text(statement))
        if not listed:
            connection.execute(insert(waiting).from_select(["outbox_id"], _without_leaf()))
        connection.commit()


def _without_leaf() -> Select[tuple[str]]:
    return select(outbox.c.id).outerjoin(leaf, leaf.c.outbox_id == outbox.c.id).where(leaf.c.outbox_id.is_(None))


def check_database(url: str) -> None:
    """That the file of a SQLite database is there, which connecting would make. Raises UnknownRecord."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite" and not Path(str(parsed.database)).exists():
        raise UnknownRecord(
            f"There is no database {parsed.database}: nothing was ever recorded here, or it is gone. Check `--repo` and"
            " `governance: database:`; a lost database is restored from your backup."
        )


def check_tables(engine: Engine) -> None:
    """That the tables of catalogue and ledger are there, which whoever only reads does not create.

    Raises UnknownRecord for a database without any of them, LedgerForked where some are gone.
    """
    wanted = (metadata.tables.keys() | catalogue.tables.keys()) - {waiting.name}
    missing = sorted(wanted - set(inspect(engine).get_table_names()))
    if len(missing) == len(wanted):
        raise UnknownRecord("Nothing was ever recorded here: the database has none of the tables of a ledger.")
    if missing:
        raise LedgerForked(
            f"The database lacks the table {', '.join(missing)}: whatever stood there is gone. Restore the database"
            " from a backup; anything that records here would make the table anew, empty."
        )


def begin_exclusive(connection: Connection) -> None:
    """Begin a transaction that no other writer of the ledger runs beside; it ends with commit or rollback."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})


def begin_snapshot(connection: Connection) -> None:
    """Begin a transaction in which every query sees the same state."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN")
    else:
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))


def _sqlite_triggers() -> Iterator[str]:
    refuse = f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
    yield (
        "CREATE TRIGGER IF NOT EXISTS outbox_waits AFTER INSERT ON outbox"
        " BEGIN INSERT INTO waiting (outbox_id) VALUES (NEW.id); END"
    )
    for table, same in _SAME_ROW.items():
        for act in ("UPDATE", "DELETE"):
            yield f"CREATE TRIGGER IF NOT EXISTS {table}_no_{act.lower()} BEFORE {act} ON {table} {refuse}"
        exists = f"EXISTS (SELECT 1 FROM {table} WHERE {same})"  # noqa: S608 - our own names, above
        yield f"CREATE TRIGGER IF NOT EXISTS {table}_no_replace BEFORE INSERT ON {table} WHEN {exists} {refuse}"


def _postgresql_triggers() -> Iterator[str]:
    wait = "$$ BEGIN INSERT INTO waiting (outbox_id) VALUES (NEW.id); RETURN NULL; END $$"
    yield f"CREATE OR REPLACE FUNCTION provender_waits() RETURNS trigger LANGUAGE plpgsql AS {wait}"
    yield (
        "CREATE OR REPLACE TRIGGER outbox_waits AFTER INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION provender_waits()"
    )
    body = f"$$ BEGIN RAISE EXCEPTION '{_REFUSAL}'; END $$"
    yield f"CREATE OR REPLACE FUNCTION provender_append_only() RETURNS trigger LANGUAGE plpgsql AS {body}"
    for table in _SAME_ROW:
        for act, each in (("UPDATE OR DELETE", "ROW"), ("TRUNCATE", "STATEMENT")):
            yield (
                f"CREATE OR REPLACE TRIGGER {table}_append_only_{each.lower()} BEFORE {act} ON {table}"
                f" FOR EACH {each} EXECUTE FUNCTION provender_append_only()"
            )
