"""The ledger on a real PostgreSQL, started here on a free loopback port and stopped again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from audit.errors import LedgerForked
from audit.ledger import Ledger, Wrong, create_tables
from audit.verify.merkle import leaf_hash, verify_consistency, verify_inclusion
from tests.audit.ledger.conftest import World, open_world
from tests.postgresql import USER, postgresql

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgresql() as port:
        yield f"postgresql+psycopg://{USER}@127.0.0.1:{port}/postgres"


@pytest.fixture
def world(server: str, tmp_path: Path) -> Iterator[World]:
    opened = open_world(tmp_path, url=server)
    yield opened
    with opened.engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    opened.engine.dispose()


def test_records_become_leaves_that_prove(world: World) -> None:
    ids = world.record(5)
    old = world.ledger.sequence()
    ids += world.record(8)
    new = world.ledger.sequence()
    for each in ids:
        proof = world.ledger.prove(each)
        hashed = leaf_hash(proof.leaf)
        verify_inclusion(index=proof.index, size=13, leaf=hashed, proof=proof.hashes, root=new.root)
    found = world.ledger.consistency(5, 13)
    verify_consistency(size1=5, size2=13, root1=old.root, root2=new.root, proof=found.hashes)
    result = world.ledger.audit()
    assert (result.size, result.pending, result.findings) == (13, 0, ())


@pytest.mark.parametrize("table", ["leaf", "node", "checkpoint"])
def test_the_tables_refuse_to_be_changed(world: World, table: str) -> None:
    world.record(4)
    world.ledger.sequence()
    column = "note" if table == "checkpoint" else "hash"
    for statement in (f"UPDATE {table} SET {column} = ''", f"DELETE FROM {table}", f"TRUNCATE {table}"):
        with world.engine.connect() as connection, pytest.raises(DBAPIError, match="append-only"):
            connection.execute(text(statement))


def test_creating_the_tables_at_the_same_time_is_fine(world: World) -> None:
    failures: list[BaseException] = []

    def create() -> None:
        try:
            create_tables(world.engine)
        except BaseException as error:  # noqa: BLE001 - handed to the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=create) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert failures == []


def test_a_transaction_that_commits_late_still_gets_its_leaf(world: World) -> None:
    """Its time is earlier than that of leaves already there: ids and times commit out of order."""
    with world.recording() as late:
        world.record(2)
        assert world.ledger.sequence().size == 2
    assert world.ledger.sequence().size == 3
    assert world.ledger.prove(late).index == 2


def test_sequencers_side_by_side_give_every_record_one_leaf(world: World) -> None:
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(5):
                world.record(3)
                world.ledger.sequence()
        except BaseException as error:  # noqa: BLE001 - handed to the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert failures == []
    result = world.ledger.audit()
    assert (result.size, result.pending, result.findings) == (60, 0, ())


def test_a_rewritten_leaf_is_found_and_nothing_more_is_signed(world: World) -> None:
    world.record(4)
    world.ledger.sequence()
    with world.engine.begin() as connection:
        connection.execute(text("ALTER TABLE leaf DISABLE TRIGGER ALL"))
        connection.execute(text("ALTER TABLE node DISABLE TRIGGER ALL"))
        connection.execute(text("UPDATE leaf SET bytes = 'x' WHERE idx = 2"))
        connection.execute(text("UPDATE node SET hash = decode(repeat('00', 32), 'hex') WHERE level = 2"))
    assert world.ledger.audit().findings[0].wrong is Wrong.LEAF_CHANGED
    with pytest.raises(LedgerForked, match="rewritten or forked"):
        world.ledger.sequence()


def test_another_ledger_beside_it_is_not_signed_under_another_name(world: World) -> None:
    world.record(1)
    world.ledger.sequence()
    other = Ledger(world.engine, world.keys, "provender.example/other", world.directory / "checkpoints")
    with pytest.raises(LedgerForked):
        other.sequence()
