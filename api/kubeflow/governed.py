"""A governed training: only on snapshots that may be used, and recorded from its start to its model."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.assembly import Provender, process_actor
from api.kubeflow.loggable import refuse_unrecordable
from api.kubeflow.train import Progress, train
from api.places import repository_places
from api.snapshot_use import SnapshotUse, enforced, stated_purpose
from governance.canonical import Json, json_sha256
from governance.errors import ConfigurationError
from lineage import events
from lineage.closing import close_broken_off
from lineage.errors import TrainingFailed
from lineage.events import Dataset, Job, facet
from lineage.recorded_snapshots import RecordedManifest, RecordedSnapshots
from lineage.recorder import Act, Subject
from lineage.training import (
    FAILED_PREDICATE_TYPE,
    PREDICATE_TYPE,
    FailedTraining,
    TrainingOutcome,
    artifact_predicate,
    failed_predicate,
    failed_subject,
    model_subject,
    training_predicate,
)


@dataclass(frozen=True)
class GovernedTraining:
    """One training run of one repository."""

    parts: Provender
    name: str
    snapshots: Mapping[str, str]
    """name in the job → snapshot id"""
    run: str

    def refuse_unusable(self) -> dict[str, RecordedManifest]:
        """The recorded manifest of each snapshot, by its name in the job, where all of them may be trained on.

        Every recorded run that gave a snapshot counts, by the manifest that its signed record states.

        Raises ValidationFailed where one failed a critical expectation, SnapshotNotRecorded, SnapshotCorrupt (also for
        a manifest that is gone) and UnknownSnapshot.
        """
        recorded = RecordedSnapshots(self.parts.snapshots, self.parts.records)
        found = {alias: recorded.manifests(name) for alias, name in self.snapshots.items()}
        for manifests in found.values():
            for manifest in manifests:
                manifest.refuse_failed()
        return {alias: manifests[0] for alias, manifests in found.items()}

    @property
    def use(self) -> SnapshotUse:
        """What the gate of training is asked: the job runs on this machine, and its model goes to the repository's."""
        return SnapshotUse(
            gate="train",
            what=f"trainjob:{self.name}",
            snapshots=tuple(dict.fromkeys(self.snapshots.values())),
            places=repository_places(self.parts.settings),
            caller=process_actor(),
            purpose=stated_purpose(),
            request={"model": self.name, "run": self.run},
        )

    def start(self, seed: int, hyperparameters: Mapping[str, Json]) -> None:
        """Record that the run begins."""
        asked = {
            "model": self.name,
            "snapshots": dict(self.snapshots),
            "seed": seed,
            "hyperparameters": dict(hyperparameters),
        }
        subject = Subject(f"run:{self.run}", "request-sha256", json_sha256(asked))
        act = Act(
            kind="training-start",
            actor=process_actor(),
            subjects=(subject,),
            predicate={"run": self.run, "state": "START", "request": asked},
            event=self._event("START"),
            run=self.run,
            opens=True,
        )
        self.parts.recorder.record(act)

    def complete(self, outcome: TrainingOutcome) -> None:
        """Record the run and its signed artifact, both or neither."""
        subject = (model_subject(outcome),)
        dataset = Dataset(self._namespace, f"model/{self.name}", events.version_facet(outcome.artifact))
        event = self._event("COMPLETE", outputs=(dataset,), facets=_training_facet(outcome))
        actor = process_actor()
        training = Act(
            kind="training",
            actor=actor,
            subjects=subject,
            predicate=training_predicate(outcome),
            type=PREDICATE_TYPE,
            event=event,
            run=self.run,
            closes=True,
        )
        artifact = Act(kind="artifact", actor=actor, subjects=subject, predicate=artifact_predicate(outcome))
        self.parts.recorder.record(training, artifact)

    def fail(self, failed: FailedTraining, error: TrainingFailed) -> None:
        """Record that the run gave no model. ``error`` is what the caller hears of it, whatever happens here."""
        self._close("FAIL", failed_subject(failed), failed_predicate(failed), cause=error)

    def abort(self, error: BaseException) -> None:
        """Record that the run ended because the one who waited for it did, unless it has an end already."""
        subject = Subject(f"run:{self.run}", "request-sha256", json_sha256({"model": self.name, "run": self.run}))
        self._close("ABORT", subject, {"run": self.run, "state": "ABORT", "reason": type(error).__name__}, cause=error)

    def _close(
        self, state: events.RunState, subject: Subject, predicate: Mapping[str, Any], *, cause: BaseException
    ) -> None:
        act = Act(
            kind="training",
            actor=process_actor(),
            subjects=(subject,),
            predicate=predicate,
            type=FAILED_PREDICATE_TYPE,
            event=self._event(state),
            run=self.run,
            closes=True,
        )
        close_broken_off(self.parts.recorder, act, cause=cause)

    @property
    def _namespace(self) -> str:
        return self.parts.settings.project

    def _event(
        self, state: events.RunState, *, outputs: tuple[Dataset, ...] = (), facets: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        snapshots = sorted(self.snapshots.items())
        inputs = [
            Dataset(self._namespace, f"snapshot/{alias}", events.version_facet(name)) for alias, name in snapshots
        ]
        job = Job(self._namespace, f"trainjob/{self.name}", "TRAINING")
        return events.run_event(state, run=self.run, job=job, inputs=inputs, outputs=outputs, run_facets=facets)


def train_governed(
    parts: Provender,
    function: Callable[..., Any],
    *,
    name: str,
    snapshots: Mapping[str, str],
    hyperparameters: Mapping[str, Json],
    seed: int,
    code: Sequence[Path] = (),
    progress: Progress | None = None,
) -> TrainingOutcome:
    """Train ``function`` as a TrainJob on snapshots of ``parts`` and record it from start to artifact.

    :raises Denied: the policy does not let these snapshots be trained on, here and for this purpose (recorded)
    :raises ValidationFailed: a snapshot failed a critical expectation
    :raises SnapshotNotRecorded: a snapshot that no signed record speaks of; SnapshotCorrupt, UnknownSnapshot likewise
    :raises TrainJobInvalid: a hyper-parameter that may not be recorded
    :raises TrainingFailed: the run gave no model (recorded as such)
    """
    model_key = _model_key(parts)
    refuse_unrecordable(hyperparameters=hyperparameters)
    governed = GovernedTraining(parts, name, dict(snapshots), str(uuid.uuid4()))
    recorded = governed.refuse_unusable()
    enforced(parts, governed.use)
    try:
        governed.start(seed, hyperparameters)
        outcome = train(
            function,
            name=name,
            snapshots=snapshots,
            hyperparameters=hyperparameters,
            seed=seed,
            objects=parts.directory,
            jobs=parts.directory.parent / "jobs",
            model_key=model_key,
            code=code,
            recorded=recorded,
            run_id=governed.run,
            progress=progress,
        )
        if isinstance(outcome, TrainingOutcome):
            governed.complete(outcome)
            return outcome
    except BaseException as error:
        governed.abort(error)
        raise
    tail = "\n".join(outcome.log_tail[-12:])
    failure = TrainingFailed(f"Training {name} failed: {outcome.reason}. The end of its log:\n{tail}")
    governed.fail(outcome, failure)
    raise failure


def _model_key(parts: Provender) -> Path:
    if parts.settings.keys.startswith(("env:", "pkcs11:")):
        raise ConfigurationError(
            f"`governance: keys:` is {parts.settings.keys!r}. Expected a directory: OpenSSF model signing reads its key"
            " from a file."
        )
    return Path(parts.settings.keys) / "model.pem"


def _training_facet(outcome: TrainingOutcome) -> dict[str, Any]:
    content = {
        "trainjob": outcome.trainjob.as_json(),
        "code": outcome.code_sha256,
        "environment": outcome.report.environment["sha256"],
        "seed": outcome.request.seed,
        "hardware": outcome.report.hardware,
    }
    return {"provender_training": facet("ProvenderTrainingRunFacet", content)}
