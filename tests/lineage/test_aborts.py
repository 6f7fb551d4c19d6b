from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen

import pytest
from sqlalchemy import Engine, delete, update

from lineage.aborts import close_abandoned
from lineage.events import Job, run_event
from lineage.outbox import payload
from lineage.recorder import Act, Subject
from lineage.records import Records, StoredRecord
from lineage.runs import open_runs
from tests.lineage.acts import DIGEST, act, catalogue, recorder, rows

RUN = "00000000-0000-4000-8000-000000000001"
Spawn = Callable[[str], "Popen[str]"]


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return catalogue(tmp_path)


def close(engine: Engine) -> tuple[str, ...]:
    return close_abandoned(engine, Records(engine), recorder(engine), actor="process:me@here", namespace="health")


def aborted(engine: Engine) -> StoredRecord:
    return next(one for one in Records(engine).by_run(RUN) if one.predicate["event"]["eventType"] == "ABORT")


def start_elsewhere(spawn: Spawn, directory: Path) -> Popen[str]:
    process = spawn(f"from tests.lineage.acts import *; start_and_wait({str(directory)!r}, {RUN!r})")
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    return process


def disown(engine: Engine, process: str) -> None:
    with engine.begin() as connection:
        connection.execute(update(open_runs).values(process=process))


def mine(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        process: str = connection.execute(open_runs.select()).one().process
    return process.split("@")


def test_the_run_of_a_killed_process_is_aborted_once(engine: Engine, spawn: Spawn, tmp_path: Path) -> None:
    process = start_elsewhere(spawn, tmp_path)
    assert close(engine) == ()
    process.kill()
    while not os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT):
        pass
    assert close(engine) == (RUN,)  # dead, although nobody has collected it yet
    assert close(engine) == ()
    process.wait()
    assert close(engine) == ()
    assert [one.predicate["state"] for one in Records(engine).by_run(RUN)] == ["START", "ABORT"]


def test_the_abort_reads_by_itself(engine: Engine) -> None:
    recorder(engine).record(act(RUN, "START", opens=True))
    disown(engine, "@".join(["4194305", *mine(engine)[1:]]))
    assert close(engine) == (RUN,)
    started, abort = Records(engine).by_run(RUN)
    assert abort.kind == "retrieval"
    assert abort.statement["subject"] == started.statement["subject"]
    assert abort.predicate["request"] == started.predicate["request"]
    assert abort.predicate["definitions"] == DIGEST
    assert abort.predicate["opened"] == started.time
    assert abort.predicate["recorded"]["id"] == abort.id
    assert abort.predicate["event"]["job"] == started.predicate["event"]["job"]


def test_a_run_of_this_process_goes_on(engine: Engine) -> None:
    recorder(engine).record(act(RUN, "START", opens=True))
    assert close(engine) == ()
    assert rows(engine)["open_run"] == 1


@pytest.mark.parametrize("changed", [1, 2], ids=["another boot", "a reused process id"])
def test_a_process_is_more_than_its_number(engine: Engine, changed: int) -> None:
    recorder(engine).record(act(RUN, "START", opens=True))
    process = mine(engine)
    process[changed] = "1"
    disown(engine, "@".join(process))
    assert close(engine) == (RUN,)


def test_runs_of_another_host_are_left_alone(engine: Engine) -> None:
    recorder(engine).record(act(RUN, "START", opens=True))
    with engine.begin() as connection:
        connection.execute(update(open_runs).values(host="elsewhere", process="4194305@1@1"))
    assert close(engine) == ()


def test_a_process_of_another_user_is_not_taken_for_gone(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(_pid: int, _signal: int) -> None:
        raise PermissionError

    recorder(engine).record(act(RUN, "START", opens=True))
    disown(engine, "@".join(["4194305", *mine(engine)[1:]]))  # no such file in /proc, as where hidepid is set
    monkeypatch.setattr("os.kill", forbidden)
    assert close(engine) == ()


def test_of_several_recorders_at_once_one_writes_the_abort(engine: Engine, spawn: Spawn, tmp_path: Path) -> None:
    recorder(engine).record(act(RUN, "START", opens=True))
    disown(engine, "@".join(["4194305", *mine(engine)[1:]]))
    others = [spawn(f"from tests.lineage.acts import *; close_all({str(tmp_path)!r})") for _ in range(3)]
    for process in others:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in others:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    closed = [json.loads(process.communicate(timeout=60)[0]) for process in others]
    assert sorted(closed) == [[], [], [RUN]]
    assert [one.predicate["state"] for one in Records(engine).by_run(RUN)] == ["START", "ABORT"]


def test_an_abort_names_its_run_even_where_the_start_was_erased(engine: Engine) -> None:
    recorder(engine).record(act(RUN, "START", opens=True))
    with engine.begin() as connection:
        connection.execute(delete(payload))
    disown(engine, "@".join(["4194305", *mine(engine)[1:]]))
    assert close(engine) == (RUN,)
    assert aborted(engine).statement["subject"] == [{"name": f"run:{RUN}", "digest": {"request-sha256": DIGEST}}]


def test_a_training_run_is_aborted_as_one_that_failed(engine: Engine) -> None:
    recorder(engine).record(act(RUN, "START", opens=True, kind="training-start"))
    disown(engine, "@".join(["4194305", *mine(engine)[1:]]))
    close(engine)
    assert aborted(engine).kind == "training"
    assert aborted(engine).statement["predicateType"] == "https://provender.example/predicates/training-failed/v1"


def test_an_endpoint_whose_server_is_gone_has_ended(engine: Engine) -> None:
    event = run_event("START", run=RUN, job=Job("health", "endpoint/liver", "DEPLOYMENT"))
    about = (Subject("endpoint:liver", "oms1-sha256", DIGEST),)
    said = {"endpoint": "liver", "deployment": RUN, "state": "ready"}
    recorder(engine).record(Act("deployment", "process:me@here", about, said, event=event, run=RUN, opens=True))
    disown(engine, "@".join(["4194305", *mine(engine)[1:]]))
    close(engine)
    ended = Records(engine).by_subject_name("endpoint:liver")[-1]
    assert (ended.predicate["state"], ended.predicate["deployment"]) == ("ended", RUN)
