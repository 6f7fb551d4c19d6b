"""The ledger through its public door: sequencing, checkpoints, proofs, processes side by side and processes killed."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event, select, text
from sqlalchemy.exc import IntegrityError

from audit.errors import LedgerForked, UnknownRecord, UnknownTreeSize
from audit.keys import Keys
from audit.ledger import Ledger
from audit.ledger.tables import leaf
from audit.verify.merkle import EMPTY_ROOT, leaf_hash, root_hash, verify_consistency, verify_inclusion
from audit.verify.note import parse_checkpoint, parse_note, parse_vkey, verify_note
from governance.errors import ConfigurationError
from lineage.outbox import outbox

if TYPE_CHECKING:
    from tests.audit.ledger.conftest import World

ROOT = Path(__file__).parents[3]


def test_a_ledger_has_a_checkpoint_before_anything_is_recorded(world: World) -> None:
    first = world.ledger.sequence()
    assert (first.size, first.root) == (0, EMPTY_ROOT)
    assert world.ledger.checkpoint() == first
    assert world.ledger.audit().ok


def test_a_checkpoint_is_a_note_that_the_log_key_signed(world: World) -> None:
    world.record(3)
    signed = world.ledger.sequence()
    note = parse_note(signed.note)
    assert [each.verifier.vkey for each in verify_note(note, [parse_vkey(world.ledger.vkey)])] == [world.ledger.vkey]
    found = parse_checkpoint(note.text)
    assert (found.origin, found.size, found.root) == ("provender.example/test", 3, signed.root)
    assert world.outside.read_bytes() == signed.note


def test_sequencing_twice_signs_once(world: World) -> None:
    world.record(3)
    assert world.ledger.sequence() == world.ledger.sequence() == world.ledger.checkpoint()
    assert world.ledger.audit().checkpoints == 2


def test_leaves_of_a_batch_stand_in_the_order_of_time_and_id(world: World) -> None:
    late = world.record(3, time="2026-01-02T00:00:00.000000Z")
    early = world.record(3, time="2026-01-01T00:00:00.000000Z")
    world.ledger.sequence()
    with world.engine.connect() as connection:
        ids = connection.execute(select(leaf.c.outbox_id).order_by(leaf.c.idx)).scalars().all()
    assert ids == [*sorted(early), *sorted(late)]


def test_a_record_that_comes_late_with_an_early_time_still_gets_its_leaf(world: World) -> None:
    world.record(2, time="2026-01-02T00:00:00.000000Z")
    world.ledger.sequence()
    (late,) = world.record(1, time="2026-01-01T00:00:00.000000Z")
    world.ledger.sequence()
    assert world.ledger.prove(late).index == 2


def test_a_leaf_says_what_the_outbox_row_says_and_nothing_else(world: World) -> None:
    (record,) = world.record()
    world.ledger.sequence()
    with world.engine.connect() as connection:
        row = connection.execute(select(outbox)).one()
    expected = {"v": 1, "id": record, "kind": row.kind, "time": row.time, "actor": row.actor, "c": row.commitment}
    assert json.loads(world.ledger.prove(record).leaf) == expected
    assert row.actor == world.keys.pseudonym("alice")


def test_every_record_proves_under_every_later_tree_and_every_tree_follows_the_older_ones(world: World) -> None:
    ids, checkpoints = [], []
    for count in (1, 2, 1, 3, 6, 1, 1, 5):
        ids += world.record(count)
        checkpoints.append(world.ledger.sequence())
    for signed in checkpoints:
        for each in ids:
            if ids.index(each) < signed.size:
                proof = world.ledger.prove(each, size=signed.size)
                hashed = leaf_hash(proof.leaf)
                verify_inclusion(
                    index=proof.index, size=proof.tree_size, leaf=hashed, proof=proof.hashes, root=signed.root
                )
    for old in checkpoints:
        for new in checkpoints[checkpoints.index(old) :]:
            found = world.ledger.consistency(old.size, new.size)
            verify_consistency(size1=old.size, size2=new.size, root1=old.root, root2=new.root, proof=found.hashes)


def test_more_records_than_one_batch_are_all_sequenced(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audit.ledger.sequencer.BATCH", 16)
    monkeypatch.setattr("audit.ledger.audit._CHUNK", 7)
    ids = world.record(75)
    signed = world.ledger.sequence()
    assert signed.size == 75
    with world.engine.connect() as connection:
        hashes = connection.execute(select(leaf.c.hash).order_by(leaf.c.idx)).scalars().all()
    assert root_hash(hashes) == signed.root
    assert world.ledger.prove(ids[-1]).tree_size == 75
    assert world.ledger.audit().ok


def test_a_proof_costs_few_reads(world: World) -> None:
    ids = world.record(300)
    world.ledger.sequence()
    queries: list[str] = []
    with sqlite3.connect(world.database) as plain:
        total = plain.execute("SELECT count(*) FROM node").fetchone()[0]
    event.listen(world.engine, "before_cursor_execute", lambda *arguments: queries.append(arguments[2]))
    proof = world.ledger.prove(ids[170])
    assert total > 290
    assert len(proof.hashes) <= 9
    assert len(queries) <= 6


def test_an_unknown_record_has_no_proof(world: World) -> None:
    world.record(1)
    world.ledger.sequence()
    (pending,) = world.record(1)
    for record in ("no such record", pending):
        with pytest.raises(UnknownRecord, match=record):
            world.ledger.prove(record)


def test_there_is_no_proof_in_a_tree_that_never_was(world: World) -> None:
    (record,) = world.record(1)
    world.ledger.sequence()
    with pytest.raises(UnknownTreeSize, match="tree of 2 never was"):
        world.ledger.prove(record, size=2)


@pytest.mark.parametrize(("old", "new"), [(-1, 1), (2, 1), (0, 4), (4, 4)])
def test_sizes_that_never_were_have_no_consistency_proof(world: World, old: int, new: int) -> None:
    world.record(3)
    world.ledger.sequence()
    with pytest.raises(UnknownTreeSize, match=r"Expected 0 <= old|tree of 4 never was"):
        world.ledger.consistency(old, new)


@pytest.mark.parametrize("origin", ["", "with space", "plus+plus", "two\nlines"])
def test_an_origin_that_cannot_name_a_log_is_refused(world: World, origin: str) -> None:
    with pytest.raises(ConfigurationError, match="origin"):
        Ledger(world.engine, world.keys, origin, world.directory)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE leaf SET hash = x'00'",
        "DELETE FROM leaf",
        "INSERT OR REPLACE INTO leaf SELECT * FROM leaf",
        "UPDATE node SET hash = x'00'",
        "DELETE FROM node",
        "INSERT OR REPLACE INTO node SELECT * FROM node",
        "UPDATE checkpoint SET note = x'00'",
        "DELETE FROM checkpoint",
        "INSERT OR REPLACE INTO checkpoint SELECT * FROM checkpoint",
    ],
)
def test_the_tables_refuse_to_be_changed(world: World, statement: str) -> None:
    world.record(4)
    world.ledger.sequence()
    with world.engine.connect() as connection, pytest.raises(IntegrityError, match="append-only"):
        connection.execute(text(statement))


def test_sequencers_in_threads_give_every_record_one_leaf(world: World) -> None:
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(6):
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
    assert (result.size, result.pending, result.findings) == (72, 0, ())


WORKER = """
import sys
from pathlib import Path
from tests.audit.ledger.conftest import open_world
world = open_world(Path(sys.argv[1]))
for _ in range(int(sys.argv[2])):
    world.record(2)
    print(world.ledger.sequence().size, flush=True)
"""


def worker(directory: Path, rounds: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WORKER, str(directory), str(rounds)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_sequencers_in_two_processes_give_every_record_one_leaf(world: World) -> None:
    workers = [worker(world.directory, 8) for _ in range(2)]
    assert [(each.communicate(timeout=60), each.returncode)[1] for each in workers] == [0, 0]
    result = world.ledger.audit()
    assert (result.size, result.pending, result.findings) == (32, 0, ())


@pytest.mark.parametrize("rounds", [1, 5])
def test_a_sequencer_that_is_killed_leaves_a_ledger_that_goes_on(world: World, rounds: int) -> None:
    killed = worker(world.directory, 10_000)
    assert killed.stdout is not None
    last = [int(killed.stdout.readline()) for _ in range(rounds)][-1]
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=60)
    signed = world.reopened().ledger.sequence()
    assert signed.size >= last
    result = world.ledger.audit()
    assert (result.size, result.pending, result.findings) == (signed.size, 0, ())


def test_other_keys_than_those_that_signed_are_refused(world: World, tmp_path: Path) -> None:
    world.record(2)
    world.ledger.sequence()
    other = Ledger(
        world.engine, Keys.open(tmp_path / "other"), "provender.example/test", world.directory / "checkpoints"
    )
    with pytest.raises(LedgerForked, match="not one that the present log key signed"):
        other.sequence()
