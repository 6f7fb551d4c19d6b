"""A database with an outbox, keys, and a ledger over both."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine

from audit.keys import Keys
from audit.ledger import Ledger, create_tables
from audit.statement import StatementSeal
from governance.canonical import rfc3339, utc_now
from lineage.database import metadata, open_database
from lineage.outbox import enqueue

ORIGIN = "provender.example/test"


@dataclass
class World:
    """One governed repository as far as the ledger sees it."""

    directory: Path
    engine: Engine
    keys: Keys
    ledger: Ledger

    @property
    def database(self) -> Path:
        return self.directory / "provender.db"

    @property
    def outside(self) -> Path:
        return next((self.directory / "checkpoints").iterdir())

    def record(self, count: int = 1, *, time: str | None = None) -> list[str]:
        """Record acts in one transaction; gives their ids."""
        with self.engine.begin() as connection:
            return [self._enqueue(connection, time) for _ in range(count)]

    @contextmanager
    def recording(self) -> Iterator[str]:
        """A transaction that has recorded one act and commits at the end of the block; gives its id."""
        with self.engine.begin() as connection:
            yield self._enqueue(connection, None)

    def _enqueue(self, connection: Connection, time: str | None) -> str:
        record = str(uuid.uuid4())
        statement = {"_type": "https://in-toto.io/Statement/v1", "predicate": {"id": record}}
        sealed = StatementSeal(self.keys)(statement, actor="alice")
        enqueue(connection, id=record, kind="decision", time=time or rfc3339(utc_now()), sealed=sealed)
        return record

    def reopened(self) -> World:
        """The same repository after a restart."""
        self.engine.dispose()
        return open_world(self.directory)


def open_world(directory: Path, *, url: str | None = None) -> World:
    engine = open_database(url or f"sqlite:///{directory / 'provender.db'}")
    metadata.create_all(engine)
    create_tables(engine)
    keys = Keys.open(directory / "keys")
    return World(directory, engine, keys, Ledger(engine, keys, ORIGIN, directory / "checkpoints"))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    opened = open_world(tmp_path)
    yield opened
    opened.engine.dispose()
