"""A governed training: which snapshots it takes, and what is recorded when something breaks it off."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from api.assembly import Provender
from api.kubeflow.errors import TrainJobInvalid
from api.kubeflow.governed import GovernedTraining, train_governed
from api.kubeflow.localjob import LocalJob
from audit.errors import LedgerForked
from audit.statement import StatementSeal
from governance.canonical import canonical_json
from governance.errors import Denied
from governance.purposes import acting
from lineage.errors import SnapshotCorrupt, SnapshotNotRecorded, TrainingFailed, UnknownSnapshot, ValidationFailed
from lineage.recorder import Recorder
from lineage.snapshots import Snapshot
from tests.api.recorded import FAILED, LABELS, PASSED, governed_parts, stored


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Provender]:
    whole = governed_parts(tmp_path)
    yield whole
    whole.engine.dispose()


def manifest_of(parts: Provender, snapshot: Snapshot) -> Path:
    (path,) = parts.directory.rglob(f"{snapshot.run_id}.json")
    return path


def training(parts: Provender, snapshot: str) -> GovernedTraining:
    return GovernedTraining(parts, "risk", {"features": snapshot}, str(uuid4()))


def states(parts: Provender) -> list[str]:
    """What is recorded of trainings, oldest first."""
    return [r.predicate["state"] for r in parts.records.all() if r.kind in ("training-start", "training")]


@pytest.mark.parametrize("rows", [60, 3])
def test_the_recorded_manifest_says_which_rows_are_trained_on(parts: Provender, rows: int) -> None:
    snapshot = stored(parts, rows=rows)
    found = training(parts, snapshot.id).refuse_unusable()
    assert found["features"].digest == snapshot.digest
    assert found["features"].sha256 == sha256(manifest_of(parts, snapshot).read_bytes()).hexdigest()


@pytest.mark.parametrize("rows", [60, 3])
def test_a_manifest_that_was_flipped_or_deleted_forbids_training(parts: Provender, rows: int) -> None:
    snapshot = stored(parts, FAILED, rows=rows)
    governed, path = training(parts, snapshot.id), manifest_of(parts, snapshot)
    with pytest.raises(ValidationFailed, match="of x"):
        governed.refuse_unusable()
    path.write_bytes(canonical_json({**json.loads(path.read_bytes()), "validation": []}))
    with pytest.raises(SnapshotCorrupt, match="changed after"):
        governed.refuse_unusable()
    path.unlink()
    with pytest.raises(SnapshotCorrupt, match="missing"):
        governed.refuse_unusable()


def test_one_failed_run_of_several_forbids_training(parts: Provender) -> None:
    first, second = stored(parts), stored(parts, FAILED)
    assert first.id == second.id
    with pytest.raises(ValidationFailed):
        training(parts, first.id).refuse_unusable()


@pytest.mark.parametrize(
    ("labels", "purpose", "said"),
    [
        ({"residency": ["FR"]}, "care", "lies in DE; allowed: FR"),
        ({"residency": []}, "care", "labels.readable"),
        ({"undeclared": ["residency", "purpose"]}, "care", "no residency"),
        ({"purpose": ["care"], "undeclared": []}, "research", "purpose research is not allowed; allowed: care"),
    ],
    ids=["elsewhere", "nowhere", "unsaid", "purpose"],
)
def test_what_the_labels_of_a_snapshot_forbid_is_not_trained_and_that_is_recorded(
    parts: Provender, labels: dict[str, Any], purpose: str, said: str
) -> None:
    snapshot = stored(parts, labels={**LABELS, **labels})
    with acting(purpose=purpose), pytest.raises(Denied, match=said):
        train_governed(parts, print, name="m", snapshots={"x": snapshot.id}, hyperparameters={}, seed=1)
    assert states(parts) == []
    (decided,) = parts.records.all("decision")
    assert (decided.predicate["gate"], decided.predicate["outcome"]) == ("train", "deny")
    assert decided.predicate["request"]["snapshots"] == [snapshot.id]
    assert decided.predicate["request"]["purpose"] == purpose


def test_every_recorded_run_of_a_snapshot_is_judged_by_its_labels(parts: Provender) -> None:
    stored(parts)
    snapshot = stored(parts, labels={**LABELS, "residency": ["FR"]})
    with pytest.raises(Denied, match="allowed: FR"):
        train_governed(parts, print, name="m", snapshots={"x": snapshot.id}, hyperparameters={}, seed=1)


def test_a_failed_warning_forbids_nothing(parts: Provender) -> None:
    snapshot = stored(parts, PASSED, {**FAILED, "severity": "warning"})
    assert training(parts, snapshot.id).refuse_unusable() is not None


def test_what_is_not_recorded_may_not_be_trained_on(parts: Provender) -> None:
    orphan = stored(parts, recorded=False)
    with pytest.raises(SnapshotNotRecorded):
        train_governed(parts, print, name="m", snapshots={"x": orphan.id}, hyperparameters={}, seed=1)
    with pytest.raises(UnknownSnapshot):
        train_governed(parts, print, name="m", snapshots={"x": "random:" + "0" * 64}, hyperparameters={}, seed=1)
    with pytest.raises(TrainJobInvalid, match="patients"):
        train_governed(parts, print, name="m", snapshots={}, hyperparameters={"patients": ["x"] * 17}, seed=1)
    assert states(parts) == []


def fit_and_quote() -> None:
    float("Maria Muster, patient 4711")


@pytest.mark.slow
def test_what_an_error_quotes_is_for_the_caller_and_not_in_any_record(parts: Provender) -> None:
    snapshot = stored(parts)
    with pytest.raises(TrainingFailed, match="Maria Muster"):
        train_governed(parts, fit_and_quote, name="m", snapshots={"x": snapshot.id}, hyperparameters={}, seed=1)
    assert states(parts) == ["START", "FAIL"]
    (record,) = parts.records.all("training")
    assert record.predicate["reason"] == "ValueError"
    assert "Muster" not in json.dumps(record.statement)


def failing_ledger(parts: Provender, *, from_: int) -> Provender:
    """The same parts, whose ledger refuses from the so-manieth commit on, after it."""
    count = 0

    def refuse() -> None:
        nonlocal count
        count += 1
        if count >= from_:
            raise LedgerForked("the ledger was cut")

    return replace(parts, recorder=Recorder(parts.engine, StatementSeal(parts.keys), after=refuse))


def test_a_start_that_the_ledger_refuses_afterwards_is_closed_and_the_refusal_is_heard(parts: Provender) -> None:
    snapshot = stored(parts)
    with pytest.raises(LedgerForked, match="cut") as refusal:
        train_governed(
            failing_ledger(parts, from_=1), print, name="m", snapshots={"x": snapshot.id}, hyperparameters={}, seed=1
        )
    assert states(parts) == ["START", "ABORT"]
    assert any("While the end of run" in note for note in refusal.value.__notes__)


def test_a_run_that_somebody_else_closed_does_not_hide_what_broke_it_off(parts: Provender) -> None:
    governed, cause = training(parts, "random:" + "0" * 64), RuntimeError("the cause")
    governed.start(1, {})
    governed.abort(cause)
    governed.abort(cause)
    assert states(parts) == ["START", "ABORT"]


@pytest.mark.parametrize(
    "document", [b"", b"[]", b"{}", b'{"type": "Maria Muster", "message": "x"}', b'{"type": 7, "message": "x"}']
)
def test_an_error_without_a_plain_name_is_an_exception(tmp_path: Path, document: bytes) -> None:
    from api.kubeflow.job import JobDirectory

    (tmp_path / "failure.json").write_bytes(document)
    job = LocalJob(None, JobDirectory(tmp_path), (), None, None)  # type: ignore[arg-type] # what the error needs is there
    assert job.cause == "Exception"
    assert job.reason.startswith("Exception: ")
