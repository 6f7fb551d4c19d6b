"""Whoever can write the database and drop its triggers is found out, with the right reason."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from audit.ledger import Wrong
from audit.ledger.tree import Frontier
from audit.verify.merkle import leaf_hash

if TYPE_CHECKING:
    from tests.audit.ledger.conftest import World


def tamper(world: World, *statements: str) -> None:
    """Change rows behind our back, as somebody with the database's own credentials can."""
    connection = sqlite3.connect(world.database)
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        assert connection.execute(statement).rowcount == 1
    connection.commit()
    connection.close()


@pytest.fixture
def full(world: World) -> World:
    """Thirteen leaves, checkpoints of size 4, 8 and 13."""
    for count in (4, 4, 5):
        world.record(count)
        world.ledger.sequence()
    return world


def test_an_untouched_ledger_is_as_it_was_recorded(full: World) -> None:
    result = full.ledger.audit()
    assert result.ok
    assert (result.size, result.checkpoints, result.payloads, result.erased, result.pending) == (13, 3, 13, 0, 0)
    last = full.ledger.checkpoint()
    assert last is not None
    assert result.root == last.root


FIVE = "(SELECT outbox_id FROM leaf WHERE idx = 5)"


@pytest.mark.parametrize(
    ("statement", "wrong", "where"),
    [
        (f"UPDATE outbox SET kind = 'retrieval' WHERE id = {FIVE}", Wrong.OUTBOX_CHANGED, None),
        (f"UPDATE outbox SET time = '2020-01-01T00:00:00.000000Z' WHERE id = {FIVE}", Wrong.OUTBOX_CHANGED, None),
        (f"UPDATE outbox SET actor = 'x' WHERE id = {FIVE}", Wrong.OUTBOX_CHANGED, None),
        (f"UPDATE outbox SET commitment = 'x' WHERE id = {FIVE}", Wrong.OUTBOX_CHANGED, None),
        (f"UPDATE outbox SET envelope_sha256 = 'x' WHERE id = {FIVE}", Wrong.PAYLOAD_CHANGED, None),
        (f"UPDATE payload SET envelope = x'00' WHERE outbox_id = {FIVE}", Wrong.PAYLOAD_CHANGED, None),
        (f"UPDATE payload SET salt = zeroblob(32) WHERE outbox_id = {FIVE}", Wrong.PAYLOAD_CHANGED, None),
        (f"DELETE FROM outbox WHERE id = {FIVE}", Wrong.OUTBOX_MISSING, None),
        ("UPDATE leaf SET bytes = x'00' WHERE idx = 5", Wrong.LEAF_CHANGED, "leaf 5"),
        ("UPDATE leaf SET hash = zeroblob(32) WHERE idx = 5", Wrong.LEAF_CHANGED, "leaf 5"),
        ("UPDATE leaf SET outbox_id = 'x' WHERE idx = 5", Wrong.OUTBOX_MISSING, "x"),
        ("DELETE FROM leaf WHERE idx = 5", Wrong.LEAF_MISSING, "leaf 5"),
        ("DELETE FROM leaf WHERE idx = 0", Wrong.LEAF_MISSING, "leaf 0"),
        ("UPDATE node SET hash = zeroblob(32) WHERE level = 2 AND idx = 1", Wrong.NODE_CHANGED, "level 2, index 1"),
        ("DELETE FROM node WHERE level = 1 AND idx = 3", Wrong.NODE_MISSING, "level 1, index 3"),
        ("INSERT INTO node VALUES (4, 0, zeroblob(32))", Wrong.NODE_EXTRA, "level 4, index 0"),
        ("INSERT INTO node VALUES (0, 0, zeroblob(32))", Wrong.NODE_EXTRA, "level 0, index 0"),
        ("INSERT INTO node VALUES (70, 0, zeroblob(32))", Wrong.NODE_EXTRA, "level 70, index 0"),
        ("UPDATE checkpoint SET root = zeroblob(32) WHERE size = 8", Wrong.CHECKPOINT_CHANGED, "checkpoint 8"),
        ("UPDATE checkpoint SET note = x'00' WHERE size = 8", Wrong.CHECKPOINT_CHANGED, "checkpoint 8"),
        ("UPDATE checkpoint SET size = 9 WHERE size = 8", Wrong.CHECKPOINT_CHANGED, "checkpoint 9"),
    ],
)
def test_each_changed_row_is_found_with_its_reason(
    full: World, statement: str, wrong: Wrong, where: str | None
) -> None:
    with full.engine.connect() as connection:
        record = connection.exec_driver_sql("SELECT outbox_id FROM leaf WHERE idx = 5").scalar_one()
    tamper(full, statement)
    result = full.ledger.audit()
    assert not result.ok
    first = result.findings[0]
    assert (first.wrong, first.where) == (wrong, where or record)


def test_a_leaf_replaced_with_everything_that_follows_from_it_contradicts_the_signed_checkpoints(full: World) -> None:
    """A rewrite that is consistent in itself, down to the outbox, still has no key to sign it."""
    with full.engine.connect() as connection:
        rows: list[bytes] = list(connection.exec_driver_sql("SELECT bytes FROM leaf ORDER BY idx").scalars())
    rows[5] = rows[5].replace(b'"decision"', b'"approval"')
    frontier, changes = Frontier(), []
    for number, content in enumerate(rows):
        digest = leaf_hash(content)
        changes.append(f"UPDATE leaf SET bytes = x'{content.hex()}', hash = x'{digest.hex()}' WHERE idx = {number}")
        changes += (
            f"UPDATE node SET hash = x'{root.hex()}' WHERE level = {level} AND idx = {idx}"
            for (level, idx), root in frontier.append(digest)
        )
    tamper(full, f"UPDATE outbox SET kind = 'approval' WHERE id = {FIVE}", *changes)
    found = full.ledger.audit().findings
    assert [(each.wrong, each.where) for each in found] == [
        (Wrong.CHECKPOINT_CONTRADICTS, "checkpoint 8"),
        (Wrong.CHECKPOINT_CONTRADICTS, "checkpoint 13"),
        (Wrong.OUTSIDE_CONTRADICTS, "copy outside the database"),
    ]


def test_leaves_cut_off_at_the_end_contradict_the_signed_checkpoints(full: World) -> None:
    tamper(full, "DELETE FROM leaf WHERE idx = 12", "DELETE FROM checkpoint WHERE size = 13")
    result = full.ledger.audit()
    assert [each.wrong for each in result.findings] == [Wrong.OUTSIDE_CONTRADICTS]
    assert result.pending == 1


def test_a_payload_that_was_erased_is_counted_and_breaks_nothing(full: World) -> None:
    tamper(full, f"DELETE FROM payload WHERE outbox_id = {FIVE}")
    result = full.ledger.audit()
    assert result.ok
    assert (result.payloads, result.erased) == (12, 1)


def test_acts_that_have_no_leaf_yet_are_counted(full: World) -> None:
    full.record(2)
    result = full.ledger.audit()
    assert result.ok
    assert result.pending == 2
