"""A run that something broke off: its end is recorded where it can be, and the cause is what everybody hears."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest

from governance.errors import AnswerIsNo
from lineage.closing import close_broken_off
from lineage.records import Records
from tests.lineage.acts import act, catalogue, recorder


class Forked(AnswerIsNo):
    """What a ledger says that refuses."""


def refuse() -> None:
    raise Forked("the ledger was cut")


@pytest.mark.parametrize("after", [lambda: None, refuse], ids=["in order", "with a ledger that refuses"])
def test_an_open_run_gets_its_end_and_the_cause_hears_what_went_wrong(tmp_path: Path, after: object) -> None:
    engine, run, cause = catalogue(tmp_path), str(uuid4()), RuntimeError("the cause")
    recorder(engine).record(act(run, "START", opens=True))
    close_broken_off(recorder(engine, after), act(run, "ABORT", closes=True), cause=cause)  # type: ignore[arg-type] # parametrized
    assert [one.predicate["state"] for one in Records(engine).all()] == ["START", "ABORT"]
    notes = getattr(cause, "__notes__", [])
    assert (len(notes) == 1 and run in notes[0] and "the ledger was cut" in notes[0]) == (after is refuse)
    engine.dispose()


def test_a_run_that_is_not_open_stays_as_it_is(tmp_path: Path) -> None:
    engine, cause = catalogue(tmp_path), RuntimeError("the cause")
    close_broken_off(recorder(engine), act(str(uuid4()), "ABORT", closes=True), cause=cause)
    assert Records(engine).all() == ()
    assert not hasattr(cause, "__notes__")
    engine.dispose()
