"""The statements about a training run say what the format says, from values alone."""

from __future__ import annotations

import dataclasses
import json

import pytest

from governance.canonical import canonical_json, json_sha256
from lineage.artifact import ArtifactFile, ArtifactSignature
from lineage.recorded_snapshots import RecordedManifest
from lineage.recorder import Subject
from lineage.training import (
    FailedTraining,
    SnapshotRead,
    TrainingOutcome,
    TrainingRequest,
    TrainJobName,
    WorkerReport,
    artifact_predicate,
    failed_predicate,
    failed_subject,
    model_subject,
    training_predicate,
)

REQUEST = TrainingRequest(
    "risk", "11111111-1111-4111-8111-111111111111", {"features": "td1-sha256:" + "a" * 64}, {"epochs": 3}, 7
)
TRAINJOB = TrainJobName("fit", "22222222-2222-4222-8222-222222222222", "default", "b" * 64)
REPORT = WorkerReport(
    snapshots=(SnapshotRead("features", "td1-sha256:" + "a" * 64, "td1-sha256:" + "a" * 64, 10),),
    hardware={"gpus": [], "reason": "none"},
    environment={
        "sha256": "c" * 64,
        "python": "CPython 3.11.7",
        "platform": "linux",
        "distributions": [["a", "1", None]],
    },
    determinism={"seed": 7},
    metrics={"auc": 0.75},
    hyperparameters={"epochs": 3},
    split={"train": 8, "test": 2},
    model="oms1-sha256:" + "d" * 64,
)
OUTCOME = TrainingOutcome(
    request=REQUEST,
    trainjob=TRAINJOB,
    started="2026-01-01T00:00:00.000000Z",
    finished="2026-01-01T00:01:00.000000Z",
    code=(ArtifactFile("train.py", 3, "e" * 64),),
    report=REPORT,
    artifact="oms1-sha256:" + "d" * 64,
    files=(ArtifactFile("w", 1, "f" * 64),),
    signature=ArtifactSignature("0" * 64, "1" * 64, "2" * 64),
)


def test_the_training_statement_is_slsa_provenance_of_the_model() -> None:
    predicate = training_predicate(OUTCOME)

    assert model_subject(OUTCOME) == Subject("model:risk", "oms1-sha256", "d" * 64)
    definition = predicate["buildDefinition"]
    assert definition["buildType"] == "https://provender.example/trainjob/v1"
    assert definition["externalParameters"] == {
        "trainjob": {"name": "fit", "id": TRAINJOB.id, "namespace": "default", "manifest_sha256": "b" * 64},
        "hyperparameters": {"epochs": 3},
        "seed": 7,
        "split": {"train": 8, "test": 2},
    }
    assert definition["internalParameters"]["environment"] == {
        "sha256": "c" * 64,
        "python": "CPython 3.11.7",
        "platform": "linux",
    }
    assert [(d["name"], d["digest"]) for d in definition["resolvedDependencies"]] == [
        ("snapshot", {"td1-sha256": "a" * 64}),
        ("code", {"sha256": json_sha256([["train.py", 3, "e" * 64]])}),
        ("environment", {"sha256": "c" * 64}),
    ]
    assert predicate["runDetails"]["metadata"]["invocationId"] == REQUEST.run_id
    assert predicate["runDetails"]["byproducts"] == [{"name": "metrics", "annotations": {"auc": 0.75}}]
    canonical_json(predicate)


def test_the_digest_of_a_small_snapshot_is_not_published() -> None:
    small = SnapshotRead("features", "random:" + "9" * 64, "td1-sha256:" + "a" * 64, 3)
    outcome = dataclasses.replace(OUTCOME, report=dataclasses.replace(REPORT, snapshots=(small,)))

    predicate = training_predicate(outcome)

    assert predicate["buildDefinition"]["resolvedDependencies"][0]["digest"] == {"random": "9" * 64}
    assert "a" * 64 not in json.dumps(predicate)


def test_which_rows_a_small_snapshot_had_is_said_by_the_digest_of_its_manifest() -> None:
    name, digest = "random:" + "9" * 64, "td1-sha256:" + "a" * 64
    manifest = RecordedManifest(name, "some run", "8" * 64, {"digest": digest, "rows": 3})
    small = SnapshotRead("features", name, digest, 3)
    outcome = dataclasses.replace(
        OUTCOME,
        report=dataclasses.replace(REPORT, snapshots=(small,)),
        request=dataclasses.replace(REQUEST, snapshots={"features": name}, recorded={"features": manifest}),
    )

    dependency = training_predicate(outcome)["buildDefinition"]["resolvedDependencies"][0]
    assert dependency["annotations"] == {"as": "features", "rows": 3, "manifest-sha256": "8" * 64}
    assert "a" * 64 not in json.dumps([training_predicate(outcome), outcome.request.as_json()])


def test_the_artifact_statement_lists_files_and_signature() -> None:
    assert artifact_predicate(OUTCOME) == {
        "run": REQUEST.run_id,
        "files": [["w", 1, "f" * 64]],
        "signature": {"sha256": "0" * 64, "openssf_subject": "1" * 64, "key": "2" * 64},
    }


def test_a_failed_training_is_about_its_request_and_keeps_its_log_to_itself() -> None:
    failed = FailedTraining(REQUEST, TRAINJOB, "a", "b", "ValueError", "ValueError: secret", ("secret",))

    assert failed_subject(failed) == Subject(f"run:{REQUEST.run_id}", "request-sha256", json_sha256(REQUEST.as_json()))
    assert failed_predicate(failed)["reason"] == "ValueError"
    assert "secret" not in json.dumps(failed_predicate(failed))


def test_a_report_survives_its_way_through_json() -> None:
    assert WorkerReport.from_json(canonical_json(REPORT.as_json())) == REPORT


@pytest.mark.parametrize("document", [b"", b"[]", b"{}", b'{"snapshots":[{}]}', b'{"snapshots":[],"more":1}'])
def test_what_is_no_report_is_refused(document: bytes) -> None:
    with pytest.raises(ValueError, match=r"result\.json"):
        WorkerReport.from_json(document)
