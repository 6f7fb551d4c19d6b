"""The list of records that wait for their leaf: it saves a search, and proves nothing."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from sqlalchemy import event

from audit.ledger import Wrong, create_tables
from audit.ledger.tables import check_tables

if TYPE_CHECKING:
    from tests.audit.ledger.conftest import World


def waiting(world: World) -> list[str]:
    with sqlite3.connect(world.database) as plain:
        return [row[0] for row in plain.execute("SELECT outbox_id FROM waiting ORDER BY outbox_id")]


def test_a_record_waits_until_it_has_its_leaf(world: World) -> None:
    ids = world.record(3)
    assert waiting(world) == sorted(ids)
    assert world.ledger.sequence().size == 3
    assert waiting(world) == []


def test_a_record_taken_out_of_the_list_shows_in_the_audit(world: World) -> None:
    (lost,) = world.record(1)
    with sqlite3.connect(world.database) as plain:
        plain.execute("DELETE FROM waiting")
    assert world.ledger.sequence().size == 0
    assert [(each.wrong, each.where) for each in world.ledger.audit().findings] == [(Wrong.PENDING, lost)]


def test_a_record_put_into_the_list_again_gets_no_second_leaf(world: World) -> None:
    (record,) = world.record(1)
    world.ledger.sequence()
    with sqlite3.connect(world.database) as plain:
        plain.execute("INSERT INTO waiting VALUES (?)", (record,))
    assert world.ledger.sequence().size == 1
    assert world.ledger.audit().ok


def test_a_database_from_before_the_list_is_taken_on(world: World) -> None:
    world.record(2)
    world.ledger.sequence()
    with sqlite3.connect(world.database) as plain:
        plain.executescript("DROP TRIGGER outbox_waits; DROP TABLE waiting")
    (pending,) = world.record(1)
    check_tables(world.engine)
    create_tables(world.engine)
    assert waiting(world) == [pending]
    assert world.ledger.sequence().size == 3
    assert world.ledger.audit().ok


def test_sequencing_reads_no_more_in_a_long_ledger(world: World) -> None:
    """Statements, and for SQLite the rows that they step over: searched by index, never scanned."""
    world.record(200)
    world.ledger.sequence()
    world.record(1)
    statements: list[str] = []
    event.listen(world.engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))
    world.ledger.sequence()
    assert len(statements) <= 16
    (query,) = [each for each in statements if "waiting" in each and each.startswith("SELECT")]
    with sqlite3.connect(world.database) as plain:
        plan = [row[3] for row in plain.execute(f"EXPLAIN QUERY PLAN {query}", (1000,) * query.count("?"))]
    assert plan
    assert [step for step in plan if step.startswith("SCAN") and "waiting" not in step] == []
