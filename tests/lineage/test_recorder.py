from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, delete, select

from lineage.errors import RunEnded
from lineage.outbox import payload
from lineage.recorder import Act, Subject, event_log
from lineage.records import Records
from tests.lineage.acts import DIGEST, PlainSeal, act, catalogue, recorder, rows

RUN = "00000000-0000-4000-8000-000000000001"
OTHER = "00000000-0000-4000-8000-000000000002"


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return catalogue(tmp_path)


def test_recorded_in_the_statement_equals_the_outbox_row(engine: Engine) -> None:
    (id_,) = recorder(engine).record(act(RUN, "START", opens=True))
    found = Records(engine).by_id(id_)
    assert found is not None
    assert found.predicate["recorded"] == {
        "id": found.id,
        "kind": found.kind,
        "time": found.time,
        "actor": PlainSeal().pseudonym("process:me@here"),
    }
    assert found.predicate["recorded"]["actor"] == found.actor
    assert b"process:me" not in found.envelope + found.actor.encode()


def test_a_statement_says_what_it_is_about_and_carries_its_event(engine: Engine) -> None:
    started = act(RUN, "START", opens=True)
    recorder(engine).record(started)
    (found,) = Records(engine).by_run(RUN)
    assert found.statement["_type"] == "https://in-toto.io/Statement/v1"
    assert found.statement["predicateType"] == "https://provender.example/predicates/retrieval/v1"
    assert found.statement["subject"] == [{"name": f"run:{RUN}", "digest": {"request-sha256": DIGEST}}]
    assert found.predicate["event"] == started.event
    with engine.connect() as connection:
        stored = connection.execute(select(event_log)).one()
    assert (stored.run_id, stored.type, stored.time) == (RUN, "START", found.predicate["event"]["eventTime"])
    assert json.loads(stored.body) == started.event


@pytest.mark.parametrize("last", ["event", "subjects", "numbers", "run"])
def test_a_failing_act_leaves_no_row_of_any_act(engine: Engine, last: str) -> None:
    good = act(RUN, "START", opens=True)
    broken: dict[str, tuple[Callable[[], Act], type[Exception]]] = {
        "event": (lambda: _changed(good, event={"run": {}}), KeyError),
        "subjects": (lambda: _changed(good, subjects=()), ValueError),
        "numbers": (lambda: _changed(good, predicate={"rows": float("nan")}), ValueError),
        "run": (lambda: act(OTHER, "COMPLETE", closes=True), RunEnded),
    }
    make, error = broken[last]
    with pytest.raises(error):
        recorder(engine).record(good, make())
    assert set(rows(engine).values()) == {0}


def test_a_failing_seal_leaves_no_row_and_the_run_open(engine: Engine) -> None:
    class Broken(PlainSeal):
        def __call__(self, statement: dict[str, Any], *, actor: str) -> Any:
            raise OSError("the key is gone")

    record = recorder(engine)
    record.record(act(RUN, "START", opens=True))
    before = rows(engine)
    record._seal = Broken()
    with pytest.raises(OSError, match="key is gone"):
        record.record(act(RUN, "COMPLETE", closes=True))
    assert rows(engine) == before


def test_what_happens_after_the_commit_is_heard_and_the_act_stands(engine: Engine) -> None:
    def fail() -> None:
        raise OSError("the ledger is full")

    with pytest.raises(OSError, match="ledger is full"):
        recorder(engine, after=fail).record(act(RUN, "START", opens=True))
    assert len(Records(engine).by_run(RUN)) == 1


def test_the_ledger_is_called_once_for_each_commit(engine: Engine) -> None:
    calls: list[int] = []
    recorder(engine, after=lambda: calls.append(rows(engine)["outbox"])).record(
        act(RUN, "START", opens=True), act(OTHER, "START", opens=True)
    )
    assert calls == [2]


def test_a_run_ends_once(engine: Engine) -> None:
    record = recorder(engine)
    record.record(act(RUN, "START", opens=True))
    record.record(act(RUN, "COMPLETE", closes=True))
    with pytest.raises(RunEnded, match=RUN):
        record.record(act(RUN, "FAIL", closes=True))
    assert [one.predicate["state"] for one in Records(engine).by_run(RUN)] == ["START", "COMPLETE"]


def test_records_are_found_by_subject_name_run_and_kind(engine: Engine) -> None:
    model = Subject("model:liver", "oms1-sha256", "cd" * 32)
    twin = Subject("model:liver-2", "oms1-sha256", "cd" * 32)
    first, second = recorder(engine).record(
        act(RUN, "START", opens=True), act(OTHER, "START", subjects=(model, twin), opens=True, kind="training")
    )
    records = Records(engine)
    assert [one.id for one in records.by_subject("oms1-sha256", "cd" * 32)] == [second]
    assert records.by_subject("td1-sha256", "cd" * 32) == ()
    assert records.by_subject("oms1-sha256", "cd" * 32, kind="artifact") == ()
    assert [one.id for one in records.by_subject_name("model:liver-2")] == [second]
    assert [one.id for one in records.by_run(RUN)] == [first]
    assert [one.id for one in records.all()] == [first, second]
    assert [one.id for one in records.all("training")] == [second]
    assert records.by_id(OTHER) is None


def test_names_of_subjects_are_told_apart_by_case_and_have_no_wildcards(engine: Engine) -> None:
    names = ["endpoint:b", "endpoint:a", "Endpoint:c", "endpointXd", "model:e"]
    subjects = tuple(Subject(name, "oms1-sha256", DIGEST) for name in names)
    recorder(engine).record(act(RUN, "START", subjects=subjects, opens=True))
    records = Records(engine)
    assert records.subject_names("endpoint:") == ("endpoint:a", "endpoint:b")
    assert records.subject_names("endpoint_") == ()


def test_an_erased_payload_is_no_record_any_more(engine: Engine) -> None:
    (id_,) = recorder(engine).record(act(RUN, "START", opens=True))
    with engine.begin() as connection:
        connection.execute(delete(payload))
    assert Records(engine).by_id(id_) is None
    assert rows(engine)["outbox"] == 1


def _changed(one: Act, **changes: Any) -> Act:
    return Act(**{**one.__dict__, **changes})


def test_an_announced_act_is_recorded_and_leaves_what_follows_to_the_next(engine: Engine) -> None:
    called: list[int] = []
    record = recorder(engine, after=lambda: called.append(len(Records(engine).by_run(RUN))))
    announced = record.announce(act(RUN, "START", opens=True))
    assert [one.id for one in Records(engine).by_run(RUN)] == [announced]
    assert called == []
    record.record(act(RUN, "COMPLETE", closes=True))
    assert called == [2]


def test_the_newest_records_come_first_and_only_those_asked_for_are_checked(engine: Engine) -> None:
    recorder(engine).record(act(RUN, "START", opens=True))
    recorder(engine).record(act(RUN, "COMPLETE", closes=True))
    checked: list[str] = []
    records = Records(engine, lambda found: checked.append(found.id))
    newest = next(records.newest_by_subject_name(f"run:{RUN}", "retrieval"))
    assert newest == Records(engine).by_subject_name(f"run:{RUN}", "retrieval")[-1]
    assert checked == [newest.id]
    assert list(records.newest_by_subject_name("run:nobody", "retrieval")) == []
