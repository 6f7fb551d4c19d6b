"""Every online read is counted: a record a second, the rest at the end, and a gap where the process was killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from api.assembly import assemble
from api.feast.read_counts import ReadCounts
from api.settings import load_settings
from lineage.recorder import Act, Subject
from tests.api.feast.conftest import ROOT

REFS, OTHER = ["laboratory:bilirubin_mg_dl"], ["demographics:age_years"]
WHO = [{"patient_id": 1}]


def _reads(repository: Any, state: str) -> list[dict[str, Any]]:
    return [one for one in repository.predicates("online-reads") if one["state"] == state]


def _counted(repository: Any) -> dict[str, int]:
    found: dict[str, int] = {}
    for record in repository.predicates("online-reads"):
        for one in record["reads"]:
            found[one["decision"]] = found.get(one["decision"], 0) + one["count"]
    return found


def _until(there: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not there():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_reads_are_counted_under_their_decision_in_one_record_a_second(applied: Any) -> None:
    repository, store = applied
    features = repository.path.joinpath("liver_views.py").read_text()
    assert "age" in features
    for _ in range(5):
        store.get_online_features(features=REFS, entity_rows=WHO)
    service = store.get_feature_service("liver_risk")
    for _ in range(2):
        store.get_online_features(features=service, entity_rows=WHO)
    _until(lambda: sum(_counted(repository).values()) == 7)
    decisions = [one.id for one in repository.records("decision") if one.predicate["gate"] == "online"]
    assert [_counted(repository)[one] for one in decisions] == [5, 2]
    assert len(_reads(repository, "START")) == 1
    for record in _reads(repository, "RUNNING"):
        assert all(one["first"] <= one["last"] for one in record["reads"])
    assert len(_reads(repository, "RUNNING")) <= 3


READ = """
import os, signal, sys
from feast import FeatureStore
store = FeatureStore(repo_path=sys.argv[1])
def read(times):
    for _ in range(times):
        store.get_online_features(features=["laboratory:bilirubin_mg_dl"], entity_rows=[{"patient_id": 1}])
read(3)
if sys.argv[2] == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
if sys.argv[2] == "fork":
    child = os.fork()
    if child == 0:
        read(2)
        sys.exit(0)
    os.waitpid(child, 0)
    read(1)
"""


def _ran(repository: Any, how: str) -> int:
    command = [sys.executable, "-W", "ignore", "-c", READ, str(repository.path), how]
    return subprocess.run(command, cwd=ROOT, check=False, timeout=120).returncode


def test_what_is_counted_at_the_end_of_a_process_is_recorded(applied: Any) -> None:
    repository, _ = applied
    assert _ran(repository, "end") == 0
    assert sum(_counted(repository).values()) == 3
    (end,) = _reads(repository, "COMPLETE")
    assert end["run"] == _reads(repository, "START")[0]["run"]


def test_a_forked_process_counts_for_itself(applied: Any) -> None:
    repository, _ = applied
    assert _ran(repository, "fork") == 0
    ends = {one["run"] for one in _reads(repository, "COMPLETE")}
    assert len(ends) == len(_reads(repository, "START")) == 2
    assert sum(_counted(repository).values()) == 6


def test_the_gap_that_a_killed_process_leaves_is_named_by_the_next_one(applied: Any) -> None:
    repository, _ = applied
    assert _ran(repository, "kill") == -signal.SIGKILL
    assemble(load_settings(repository.path)).engine.dispose()
    (gap,) = _reads(repository, "ABORT")
    assert gap["reason"] == "its process is gone"
    started = next(one for one in repository.records("online-reads") if one.predicate["state"] == "START")
    assert gap["opened"] <= gap["last"]
    assert gap["run"] == started.predicate["run"]


class _Full:
    """A recorder whose disk is full for a while."""

    def __init__(self, recorder: Any) -> None:
        self._recorder, self.full = recorder, False

    def record(self, *acts: Act) -> tuple[str, ...]:
        if self.full:
            raise OSError(28, "No space left on device", "provender.db")
        recorded: tuple[str, ...] = self._recorder.record(*acts)
        return recorded


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_nothing_is_read_while_counts_cannot_be_recorded_and_none_is_lost(applied: Any) -> None:
    repository, _ = applied
    recorder: Any = _Full(repository.parts.recorder)
    counts = ReadCounts(replace(repository.parts, recorder=recorder), seconds=0.05)
    decision = Act(kind="decision", actor="me", subjects=(Subject("x", "random", "00"),), predicate={"gate": "x"})
    (record,) = recorder.record(decision)
    counts.add(record)
    recorder.full = True
    _until(lambda: counts._kept_back)
    for _ in range(3):
        with pytest.raises(OSError, match="No space left"):
            counts.add(record)
    recorder.full = False
    counts.add(record)
    counts.close()
    assert _counted(repository) == {record: 2}
    counts.add(record)  # after the end another run begins
    counts.close()
    assert len(_reads(repository, "START")) == len(_reads(repository, "COMPLETE")) == 2
