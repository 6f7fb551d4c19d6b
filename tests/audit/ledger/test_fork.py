"""Histories that contradict what was signed: refused before anything is appended or signed, with advice."""

from __future__ import annotations

import shutil
import sqlite3
from typing import TYPE_CHECKING

import pytest

from audit.errors import LedgerForked
from audit.ledger import Ledger, Wrong
from audit.ledger.checkpoint import CheckpointSigner

if TYPE_CHECKING:
    from pathlib import Path

    from tests.audit.ledger.conftest import World


def backup(world: World) -> Path:
    path = world.directory / "backup.db"
    with sqlite3.connect(world.database) as source, sqlite3.connect(path) as target:
        source.backup(target)
    source.close()
    target.close()
    return path


def restore(world: World, saved: Path) -> World:
    world.engine.dispose()
    for suffix in ("-wal", "-shm"):
        world.database.with_name(world.database.name + suffix).unlink(missing_ok=True)
    shutil.copy(saved, world.database)
    return world.reopened()


def counts(world: World) -> tuple[int, int]:
    with world.engine.connect() as connection:
        sizes = [
            connection.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar_one() for name in ("leaf", "checkpoint")
        ]
    return sizes[0], sizes[1]


def test_a_restored_older_database_is_refused_before_anything_is_appended(world: World) -> None:
    world.record(3)
    world.ledger.sequence()
    saved = backup(world)
    world.record(2)
    world.ledger.sequence()
    outside = world.outside.read_bytes()
    restored = restore(world, saved)
    restored.record(7)
    with pytest.raises(LedgerForked, match=r"has 3 leaves, but .* has 5.*older backup.*at least as new"):
        restored.ledger.sequence()
    assert counts(restored) == (3, 2)
    assert restored.outside.read_bytes() == outside
    found = [each.wrong for each in restored.ledger.audit().findings]
    assert found == [Wrong.PENDING] * 7 + [Wrong.OUTSIDE_CONTRADICTS]


def test_the_newest_backup_may_be_restored(world: World) -> None:
    world.record(3)
    world.ledger.sequence()
    restored = restore(world, backup(world))
    restored.record(1)
    assert restored.ledger.sequence().size == 4


def test_a_fork_of_the_same_size_is_refused(world: World) -> None:
    world.record(3)
    world.ledger.sequence()
    saved = backup(world)
    world.record(2)
    world.ledger.sequence()
    outside = world.outside.read_bytes()
    forked = restore(world, saved)
    forked.outside.unlink()
    other = Ledger(forked.engine, forked.keys, "provender.example/test", forked.directory / "elsewhere")
    with pytest.raises(LedgerForked, match="copy outside the database is gone"):
        other.sequence()
    (forked.directory / "elsewhere").mkdir()
    with forked.engine.connect() as connection:
        note = connection.exec_driver_sql("SELECT note FROM checkpoint WHERE size = 3").scalar_one()
    (forked.directory / "elsewhere" / "provender.example%2Ftest.checkpoint").write_bytes(note)
    forked.record(2)
    assert other.sequence().size == 5
    (forked.directory / "checkpoints" / "provender.example%2Ftest.checkpoint").write_bytes(outside)
    forked.record(1)
    with pytest.raises(LedgerForked, match="rewritten or forked"):
        forked.ledger.sequence()


def test_a_new_database_under_an_old_name_is_refused(world: World) -> None:
    world.record(3)
    world.ledger.sequence()
    world.engine.dispose()
    for path in world.directory.glob("provender.db*"):
        path.unlink()
    with pytest.raises(LedgerForked, match="has 0 leaves"):
        world.reopened()
    fresh = world.reopened(begin=False)
    fresh.record(1)
    with pytest.raises(LedgerForked, match=r"has 0 leaves.*new `governance: origin:`"):
        fresh.ledger.sequence()


def test_a_missing_outside_copy_is_refused(world: World) -> None:
    world.record(3)
    world.ledger.sequence()
    world.outside.unlink()
    with pytest.raises(LedgerForked, match=r"is gone.*Put it back"):
        world.ledger.sequence()
    assert [each.wrong for each in world.ledger.audit().findings] == [Wrong.OUTSIDE_MISSING]


@pytest.mark.parametrize("keep", ["DROP TABLE leaf", "DELETE FROM leaf"])
def test_a_ledger_that_lost_leaves_checkpoints_and_copy_is_not_begun_again(world: World, keep: str) -> None:
    world.record(3)
    world.ledger.sequence()
    world.outside.unlink()
    with sqlite3.connect(world.database) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        for statement in (keep, "DELETE FROM node", "DELETE FROM checkpoint"):
            connection.execute(statement)
    connection.close()
    with pytest.raises(LedgerForked, match="3 acts are recorded, but there is no checkpoint"):
        world.reopened()
    bare = world.reopened(begin=False)
    with pytest.raises(LedgerForked, match="leaves or checkpoints were removed"):
        bare.ledger.sequence()
    assert Wrong.OUTSIDE_MISSING in {each.wrong for each in bare.ledger.audit().findings}
    assert counts(bare) == (0, 0)


def test_an_outside_copy_put_back_to_an_older_one_is_refused(world: World) -> None:
    world.record(3)
    older = world.ledger.sequence().note
    world.record(3)
    world.ledger.sequence()
    world.outside.write_bytes(older)
    with pytest.raises(LedgerForked, match="older state"):
        world.ledger.sequence()
    assert [each.wrong for each in world.ledger.audit().findings] == [Wrong.OUTSIDE_CHANGED]


@pytest.mark.parametrize("content", [b"", b"garbage", b"provender.example/test\n9\n"])
def test_a_garbled_outside_copy_is_refused(world: World, content: bytes) -> None:
    world.record(3)
    world.ledger.sequence()
    world.outside.write_bytes(content)
    with pytest.raises(LedgerForked, match="not one that the present log key signed"):
        world.ledger.sequence()
    assert [each.wrong for each in world.ledger.audit().findings] == [Wrong.OUTSIDE_CHANGED]


def test_a_ledger_does_not_change_its_name(world: World) -> None:
    world.record(3)
    note = world.ledger.sequence().note
    renamed = Ledger(world.engine, world.keys, "provender.example/other", world.directory / "checkpoints")
    with pytest.raises(LedgerForked, match="is gone"):
        renamed.sequence()
    (world.directory / "checkpoints" / "provender.example%2Fother.checkpoint").write_bytes(note)
    with pytest.raises(LedgerForked, match=r"provender\.example/other"):
        renamed.sequence()


class PowerCut(Exception):
    pass


def test_a_crash_between_outside_copy_and_commit_is_made_good(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.record(3)
    whole = CheckpointSigner.sign_latest

    def cut(*arguments: object) -> None:
        whole(*arguments)  # type: ignore[arg-type] # what the ledger itself hands over
        raise PowerCut

    monkeypatch.setattr(CheckpointSigner, "sign_latest", cut)
    with pytest.raises(PowerCut):
        world.ledger.sequence()
    monkeypatch.undo()
    assert counts(world) == (3, 1)
    assert world.ledger.audit().ok
    outside = world.outside.read_bytes()
    assert world.ledger.sequence().note == outside
    world.record(2)
    assert world.ledger.sequence().size == 5
    assert world.ledger.audit().ok
