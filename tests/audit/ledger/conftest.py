"""A database with an outbox, keys, and a ledger over both."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, insert

from audit.keys import Keys
from audit.ledger import Ledger, create_tables
from audit.statement import StatementSeal
from governance.canonical import rfc3339, utc_now
from lineage.database import create_tables as create_catalogue
from lineage.database import open_database
from lineage.outbox import enqueue
from lineage.recorder import subject_index

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
        record, moment = str(uuid.uuid4()), time or rfc3339(utc_now())
        recorded = {"id": record, "kind": "decision", "time": moment, "actor": self.keys.pseudonym("alice")}
        statement = {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": "definitions:test", "digest": {"definitions-sha256": "0" * 64}}],
            "predicateType": "https://provender.example/predicates/decision/v1",
            "predicate": {"recorded": recorded},
        }
        sealed = StatementSeal(self.keys)(statement, actor="alice")
        enqueue(connection, id=record, kind="decision", time=moment, sealed=sealed)
        subject = {"name": "definitions:test", "algorithm": "definitions-sha256", "digest": "0" * 64}
        connection.execute(insert(subject_index).values(outbox_id=record, **subject))
        return record

    def reopened(self, *, begin: bool = True) -> World:
        """The same repository after a restart."""
        self.engine.dispose()
        return open_world(self.directory, begin=begin)


def open_world(directory: Path, *, url: str | None = None, begin: bool = True) -> World:
    engine = open_database(url or f"sqlite:///{directory / 'provender.db'}")
    create_catalogue(engine)
    create_tables(engine)
    keys = Keys.open(directory / "keys")
    ledger = Ledger(engine, keys, ORIGIN, directory / "checkpoints")
    if begin:
        ledger.begin()
    return World(directory, engine, keys, ledger)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    opened = open_world(tmp_path)
    yield opened
    opened.engine.dispose()
