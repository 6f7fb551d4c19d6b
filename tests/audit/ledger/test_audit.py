"""Whoever can write the database and drop its triggers is found out, with the right reason."""

from __future__ import annotations

import dataclasses
import hashlib
import sqlite3
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert, select

from audit.errors import LedgerForked, RecordForged, UnknownRecord
from audit.keys import Keys
from audit.leaf import commit
from audit.ledger import Ledger, Wrong, check_database, check_tables
from audit.ledger.tree import Frontier
from audit.recorded import record_check
from audit.verify.merkle import leaf_hash
from governance.canonical import rfc3339, utc_now
from lineage.database import open_database
from lineage.outbox import outbox, payload
from lineage.records import Records
from tests.audit.ledger.conftest import ORIGIN

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
    assert (result.size, result.checkpoints, result.payloads, result.pending) == (13, 4, 13, 0)
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
        (f"DELETE FROM payload WHERE outbox_id = {FIVE}", Wrong.PAYLOAD_MISSING, None),
        (f"UPDATE subject SET digest = '00' WHERE outbox_id = {FIVE}", Wrong.INDEX_CHANGED, None),
        (f"DELETE FROM subject WHERE outbox_id = {FIVE}", Wrong.INDEX_CHANGED, None),
        (f"INSERT INTO event VALUES ({FIVE}, 'r', 'START', 't', x'7b7d')", Wrong.INDEX_CHANGED, None),
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
    assert found[0].wrong is Wrong.PAYLOAD_CHANGED
    assert [(each.wrong, each.where) for each in found[1:]] == [
        (Wrong.CHECKPOINT_CONTRADICTS, "checkpoint 8"),
        (Wrong.CHECKPOINT_CONTRADICTS, "checkpoint 13"),
        (Wrong.OUTSIDE_CONTRADICTS, "copy outside the database"),
    ]


def test_leaves_cut_off_at_the_end_contradict_the_signed_checkpoints(full: World) -> None:
    tamper(full, "DELETE FROM leaf WHERE idx = 12", "DELETE FROM checkpoint WHERE size = 13")
    result = full.ledger.audit()
    assert [each.wrong for each in result.findings] == [Wrong.PENDING, Wrong.OUTSIDE_CONTRADICTS]
    assert result.pending == 1


def test_acts_that_have_no_leaf_are_named(full: World) -> None:
    recorded = full.record(2)
    result = full.ledger.audit()
    assert {(each.wrong, each.where) for each in result.findings} == {(Wrong.PENDING, each) for each in recorded}
    assert result.pending == 2


def test_a_record_that_another_key_signed_is_found(full: World, tmp_path: Path) -> None:
    other = Keys.open(tmp_path / "other")
    keys = dataclasses.replace(full.keys, statement=other.statement)
    found = Ledger(full.engine, keys, ORIGIN, full.directory / "checkpoints").audit().findings
    assert [each.wrong for each in found] == [Wrong.PAYLOAD_CHANGED] * 13
    assert "no trusted key has signed" in found[0].message


def test_a_table_that_was_dropped_is_named(full: World) -> None:
    check_tables(full.engine)
    with full.engine.connect() as connection:
        connection.exec_driver_sql("DROP TABLE payload")
    with pytest.raises(LedgerForked, match="lacks the table payload"):
        check_tables(full.engine)


def test_an_empty_database_and_a_missing_one_hold_no_ledger(tmp_path: Path) -> None:
    with pytest.raises(UnknownRecord, match="none of the tables"):
        check_tables(open_database(f"sqlite:///{tmp_path}/empty.db"))
    with pytest.raises(UnknownRecord, match="There is no database"):
        check_database(f"sqlite:///{tmp_path}/absent.db")
    assert not (tmp_path / "absent.db").exists()


def unsigned(world: World, *, envelope: bytes) -> str:
    """A row as whoever has only the database's credentials can write it, consistent in itself."""
    record, salt, digest = str(uuid.uuid4()), bytes(32), hashlib.sha256(envelope)
    row = {"id": record, "kind": "decision", "time": rfc3339(utc_now()), "actor": "x" * 32}
    with world.engine.begin() as connection:
        values = {"envelope_sha256": digest.hexdigest(), "commitment": commit(digest.digest(), salt)}
        connection.execute(insert(outbox).values(**row, **values))
        connection.execute(insert(payload).values(outbox_id=record, envelope=envelope, salt=salt))
    return record


def test_a_row_that_nobody_signed_gets_no_leaf_and_nothing_is_signed(full: World) -> None:
    record, before = unsigned(full, envelope=b"{}"), full.ledger.checkpoint()
    full.record(1)
    with pytest.raises(RecordForged, match=record):
        full.ledger.sequence()
    assert full.ledger.checkpoint() == before
    assert full.ledger.audit().size == 13


def test_an_envelope_of_another_record_gets_no_leaf(full: World) -> None:
    with full.engine.connect() as connection:
        envelope = connection.execute(select(payload.c.envelope).limit(1)).scalar_one()
    unsigned(full, envelope=envelope)
    with pytest.raises(RecordForged, match="signed was"):
        full.ledger.sequence()


def test_a_row_without_its_payload_gets_no_leaf(full: World) -> None:
    (record,) = full.record(1)
    tamper(full, f"DELETE FROM payload WHERE outbox_id = '{record}'")
    with pytest.raises(RecordForged, match="has no payload"):
        full.ledger.sequence()


def test_a_reader_gives_no_record_that_nobody_signed(full: World) -> None:
    records = Records(full.engine, record_check(full.keys.statement_public))
    assert len(records.all()) == 13
    record = unsigned(full, envelope=b"{}")
    with pytest.raises(RecordForged, match=record):
        records.all()
    assert len(Records(full.engine).all()) == 14


def test_a_stored_checkpoint_that_the_log_did_not_sign_is_not_handed_out(full: World) -> None:
    tamper(full, "UPDATE checkpoint SET root = zeroblob(32) WHERE size = 13")
    with pytest.raises(LedgerForked, match="does not say what its signed note says"):
        full.ledger.checkpoint()
