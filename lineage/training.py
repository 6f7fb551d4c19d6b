"""A training run's picture: what was asked, what the worker reports, what came of it, and the statements about it.

Nothing here runs anything. A door (``api.kubeflow``) runs the job, recomputes the digests that the worker reports
and fills these values in; the predicates are pure functions of them. Formats: ``docs/training.md``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from governance.canonical import Json, json_sha256
from lineage.artifact import PREFIX, ArtifactFile, ArtifactSignature
from lineage.recorded_snapshots import RecordedManifest
from lineage.recorder import Subject
from lineage.snapshot_names import RANDOM

BUILD_TYPE = "https://provender.example/trainjob/v1"
BUILDER = "https://provender.example/kubeflow/torchrun/v1"
PREDICATE_TYPE = "https://slsa.dev/provenance/v1"
FAILED_PREDICATE_TYPE = "https://provender.example/predicates/training-failed/v1"


@dataclass(frozen=True)
class TrainJobName:
    """Which TrainJob it was."""

    name: str
    id: str
    """the ``metadata.uid`` of the TrainJob"""
    namespace: str
    manifest_sha256: str
    """hex SHA-256 of the RFC 8785 JSON of its manifest"""

    def as_json(self) -> Json:
        """The TrainJob as JSON."""
        return {"name": self.name, "id": self.id, "namespace": self.namespace, "manifest_sha256": self.manifest_sha256}


@dataclass(frozen=True)
class TrainingRequest:
    """What was asked for before anything ran."""

    model: str
    run_id: str
    """The OpenLineage run, a UUID."""
    snapshots: Mapping[str, str]
    """Which snapshot the training function finds under which name: ``td1-sha256:<hex>`` or ``random:<hex>``."""
    hyperparameters: Mapping[str, Json]
    seed: int
    recorded: Mapping[str, RecordedManifest] = field(default_factory=dict)
    """The verified manifest of each, by the same name. A random name says nothing of the rows: only this does."""

    def as_json(self) -> Json:
        """The request as JSON; without manifests, which tell the digest of a small snapshot."""
        return {
            "model": self.model,
            "run": self.run_id,
            "snapshots": dict(self.snapshots),
            "hyperparameters": dict(self.hyperparameters),
            "seed": self.seed,
        }

    @property
    def sha256(self) -> str:
        """The digest that a failed run is recorded under (``request-sha256``)."""
        return json_sha256(self.as_json())


@dataclass(frozen=True)
class SnapshotRead:
    """A snapshot that the training function really read, to its end."""

    name: str
    id: str
    digest: str
    """``td1-sha256:<hex>``, recomputed by the worker from the rows it handed to the function"""
    rows: int

    def as_json(self) -> Json:
        """The snapshot as JSON."""
        return {"name": self.name, "id": self.id, "digest": self.digest, "rows": self.rows}


@dataclass(frozen=True)
class WorkerReport:
    """What the worker wrote into ``result.json`` when the training function had returned."""

    snapshots: tuple[SnapshotRead, ...]
    hardware: Json
    environment: Mapping[str, Json]
    determinism: Mapping[str, Json]
    metrics: Mapping[str, Json]
    hyperparameters: Mapping[str, Json]
    """Those asked for and those that the function added."""
    split: Mapping[str, Json]
    model: str
    """``oms1-sha256:<hex>`` of the directory, as the worker computed it"""

    def as_json(self) -> Json:
        """The report as JSON; :meth:`from_json` is its inverse."""
        return {
            "snapshots": [snapshot.as_json() for snapshot in self.snapshots],
            "hardware": self.hardware,
            "environment": dict(self.environment),
            "determinism": dict(self.determinism),
            "metrics": dict(self.metrics),
            "hyperparameters": dict(self.hyperparameters),
            "split": dict(self.split),
            "model": self.model,
        }

    @classmethod
    def from_json(cls, document: bytes) -> WorkerReport:
        """Read a ``result.json``. Raises ValueError where it is not one."""
        try:
            value: dict[str, Any] = json.loads(document)
            snapshots = tuple(SnapshotRead(**snapshot) for snapshot in value.pop("snapshots"))
            return cls(snapshots=snapshots, **value)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"the worker's result.json cannot be read ({type(error).__name__})") from error


@dataclass(frozen=True)
class TrainingOutcome:
    """A finished training run whose artifact was recomputed, stored and signed."""

    request: TrainingRequest
    trainjob: TrainJobName
    started: str
    finished: str
    code: tuple[ArtifactFile, ...]
    """The files of code the job ran, sorted."""
    report: WorkerReport
    artifact: str
    """``oms1-sha256:<hex>``, computed here and not by the worker"""
    files: tuple[ArtifactFile, ...]
    signature: ArtifactSignature

    @property
    def code_sha256(self) -> str:
        """Hex SHA-256 of the RFC 8785 JSON ``[[path, size, sha256], ...]`` of the code."""
        return json_sha256([file.as_json() for file in self.code])


@dataclass(frozen=True)
class FailedTraining:
    """A training run that gave no model."""

    request: TrainingRequest
    trainjob: TrainJobName
    started: str
    finished: str
    cause: str
    """For the record: the type of the error that ended it, or a sentence of ours. A message could hold data."""
    reason: str
    """For the one who asked: with the error's message. Like the log it is not recorded."""
    log_tail: tuple[str, ...]


def model_subject(outcome: TrainingOutcome) -> Subject:
    """The model that the training and the artifact statement are about."""
    return Subject(f"model:{outcome.request.model}", "oms1-sha256", outcome.artifact.removeprefix(PREFIX))


def failed_subject(failed: FailedTraining) -> Subject:
    """The run that a failed training's statement is about."""
    return Subject(f"run:{failed.request.run_id}", "request-sha256", failed.request.sha256)


def training_predicate(outcome: TrainingOutcome) -> dict[str, Json]:
    """SLSA provenance v1 (https://slsa.dev/spec/v1.0/provenance) of the model."""
    report, environment = outcome.report, dict(outcome.report.environment)
    environment.pop("distributions")  # some hundred lines; their digest stands for them
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {
                "trainjob": outcome.trainjob.as_json(),
                "hyperparameters": dict(report.hyperparameters),
                "seed": outcome.request.seed,
                "split": dict(report.split),
            },
            "internalParameters": {
                "hardware": report.hardware,
                "environment": environment,
                "determinism": dict(report.determinism),
            },
            "resolvedDependencies": _dependencies(outcome),
        },
        "runDetails": {
            "builder": {"id": BUILDER},
            "metadata": {
                "invocationId": outcome.request.run_id,
                "startedOn": outcome.started,
                "finishedOn": outcome.finished,
            },
            "byproducts": [{"name": "metrics", "annotations": dict(report.metrics)}],
        },
    }


def trained_on(predicate: Mapping[str, Any]) -> tuple[str, ...]:
    """The snapshots that a recorded training read, by name: of :func:`training_predicate` the inverse in this."""
    dependencies = predicate["buildDefinition"]["resolvedDependencies"]
    found = [one["digest"] for one in dependencies if one["name"] == "snapshot"]
    return tuple(f"{algorithm}:{digits}" for digest in found for algorithm, digits in digest.items())


def artifact_predicate(outcome: TrainingOutcome) -> dict[str, Json]:
    """The files of the model and its OpenSSF signature."""
    return {
        "run": outcome.request.run_id,
        "files": [file.as_json() for file in outcome.files],
        "signature": outcome.signature.as_json(),
    }


def failed_predicate(failed: FailedTraining) -> dict[str, Json]:
    """Why a training run gave no model. Log and messages stay out of it: they may hold anything."""
    return {
        "run": failed.request.run_id,
        "state": "FAIL",
        "request": failed.request.as_json(),
        "trainjob": failed.trainjob.as_json(),
        "startedOn": failed.started,
        "finishedOn": failed.finished,
        "reason": failed.cause,
    }


def _dependencies(outcome: TrainingOutcome) -> list[Json]:
    files = [file.as_json() for file in outcome.code]
    return [
        *(
            _snapshot_dependency(snapshot, outcome.request.recorded.get(snapshot.name))
            for snapshot in outcome.report.snapshots
        ),
        {"name": "code", "digest": {"sha256": outcome.code_sha256}, "annotations": {"files": files}},
        {"name": "environment", "digest": {"sha256": outcome.report.environment["sha256"]}},
    ]


def _snapshot_dependency(snapshot: SnapshotRead, recorded: RecordedManifest | None) -> Json:
    """A small snapshot is named at random, its digest not published; its (blinded) manifest says which rows it was."""
    algorithm, _, digest = snapshot.id.partition(":")
    annotations: dict[str, Json] = {"as": snapshot.name, "rows": snapshot.rows}
    if recorded is not None and snapshot.id.startswith(RANDOM):
        annotations["manifest-sha256"] = recorded.sha256
    return {"name": "snapshot", "digest": {algorithm: digest}, "annotations": annotations}
