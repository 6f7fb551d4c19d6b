"""Train a model as a TrainJob and judge what came of it.

    outcome = train(fit, name="liver-risk", snapshots={"features": job.snapshot.id}, hyperparameters={"epochs": 20},
                    seed=7, objects=Path("data/objects"), jobs=Path("data/jobs"), model_key=Path("data/keys/model.pem"))

The worker only reports. That its model directory has the digest it says, and that it read the snapshots it was given,
is found out here; the artifact is stored and signed here, with a key that no worker sees.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from api.kubeflow.errors import TrainJobInvalid, TrainJobTimeout
from api.kubeflow.job import TrainingInputs
from api.kubeflow.localjob import LocalJob
from api.kubeflow.loggable import refuse_unrecordable
from api.kubeflow.manifest import RUNTIME
from audit import model_signature
from governance.canonical import Json, rfc3339
from lineage.artifact import ArtifactStore, artifact_digest
from lineage.errors import ArtifactCorrupt, UnknownArtifact
from lineage.recorded_snapshots import RecordedManifest
from lineage.snapshot_names import RANDOM
from lineage.training import FailedTraining, TrainingOutcome, TrainingRequest, WorkerReport

LOG_TAIL = 80
"""How many lines of its log a failed training brings along; torchrun's own account of a failure takes some 30."""


class Progress(Protocol):
    """Hears every line that the job prints, soon after."""

    def __call__(self, line: str, /) -> object: ...  # noqa: D102 - the class says it


def train(
    function: Callable[..., Any],
    *,
    name: str,
    snapshots: Mapping[str, str],
    hyperparameters: Mapping[str, Json],
    seed: int,
    objects: Path,
    jobs: Path,
    model_key: Path,
    code: Sequence[Path] = (),
    recorded: Mapping[str, RecordedManifest] | None = None,
    run_id: str | None = None,
    job_name: str | None = None,
    timeout: int = 3600,
    environment: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> TrainingOutcome | FailedTraining:
    """Run ``function(**hyperparameters)`` as a TrainJob, then store and sign the model it saved.

    :param name: the model's name.
    :param snapshots: which snapshot (``td1-sha256:…`` or ``random:…``) the function finds under which name.
    :param seed: 0 up to 2**32 - 1; the worker seeds torch, numpy and random with it.
    :param code: Python files that the function imports by bare name; part of the code digest.
    :param recorded: the verified manifest of each snapshot, by the same names; needed where a snapshot's name is
        random, since that says nothing about the rows.
    :param run_id: the OpenLineage run (a UUID); a new one if not given.
    :param timeout: seconds after which the job is ended.
    :param environment: of which a job inherits a few names; this process's own if not given.

    Whatever goes wrong inside the job is a FailedTraining; no process is left, also after Ctrl-C.
    Raises TrainJobInvalid for a job that cannot be submitted and ConfigurationError for the key.
    """
    from api.kubeflow.backend import TorchrunBackend

    if not 0 <= seed < 2**32:
        raise TrainJobInvalid(f"The seed {seed} is out of range. Expected 0 up to 4294967295, which numpy can take.")
    public_key = model_signature.public_key_pem(model_key)  # before an hour of training, not after
    refuse_unrecordable(hyperparameters=hyperparameters)
    _refuse_unverifiable(snapshots, recorded or {})
    request = TrainingRequest(
        name, run_id or str(uuid.uuid4()), dict(snapshots), dict(hyperparameters), seed, dict(recorded or {})
    )
    inputs = TrainingInputs(request, objects, tuple(code))
    with TorchrunBackend(jobs=jobs, environment=os.environ if environment is None else environment) as backend:
        job = _run(backend, function, inputs, job_name, timeout=timeout, progress=progress)
    return _Judge(request, job, ArtifactStore(objects), model_key, public_key).outcome()


def _run(
    backend: Any,
    function: Callable[..., Any],
    inputs: TrainingInputs,
    name: str | None,
    *,
    timeout: int,
    progress: Progress | None,
) -> LocalJob:
    from kubeflow.trainer import CustomTrainer
    from kubeflow.trainer.constants import constants
    from kubeflow.trainer.options import Name

    from api.kubeflow.backend import trainer_client

    client = trainer_client(backend)
    trainer = CustomTrainer(func=function, func_args=dict(inputs.request.hyperparameters))
    named = [Name(name)] if name else []
    submitted = client.train(runtime=RUNTIME, trainer=trainer, options=[*named, inputs])
    job: LocalJob = backend.local_job(submitted)
    follow = _follower(job, progress)
    try:
        client.wait_for_job_status(
            submitted,
            status={constants.TRAINJOB_COMPLETE, constants.TRAINJOB_FAILED},
            timeout=timeout,
            polling_interval=1,
            callbacks=[lambda _job: follow()],
        )
    except TrainJobTimeout:
        job.end()  # the reason is then read from the job
    return job


def _follower(job: LocalJob, progress: Progress | None) -> Callable[[], None]:
    seen = 0

    def follow() -> None:
        nonlocal seen
        if progress is not None:
            lines = job.log_lines()
            for line in lines[seen:]:
                progress(line)
            seen = len(lines)

    return follow


def _refuse_unverifiable(snapshots: Mapping[str, str], recorded: Mapping[str, RecordedManifest]) -> None:
    for alias, name in snapshots.items():
        manifest = recorded.get(alias)
        if (manifest is None and name.startswith(RANDOM)) or (manifest is not None and manifest.snapshot != name):
            raise TrainJobInvalid(
                f"Snapshot {name} ({alias!r}) cannot be verified: its recorded manifest is not given. Expected the one"
                " that lineage.recorded_snapshots reads."
            )


class _Refused(Exception):
    """What the worker left is not what it should be; in a sentence that quotes nothing of it."""


@dataclass(frozen=True)
class _Judge:
    request: TrainingRequest
    job: LocalJob
    store: ArtifactStore
    model_key: Path
    public_key: bytes

    def outcome(self) -> TrainingOutcome | FailedTraining:
        """Verdict of a job that has ended."""
        if self.job.status != "Complete":
            return self._failed(self.job.cause, self.job.reason)
        try:
            return self._finished(self._report())
        except _Refused as refused:
            return self._failed(str(refused), str(refused))
        except (ArtifactCorrupt, UnknownArtifact) as error:
            return self._failed(type(error).__name__, str(error))

    def _report(self) -> WorkerReport:
        try:
            report = WorkerReport.from_json(self.job.directory.result.read_bytes())
        except ValueError as error:
            raise _Refused(str(error)) from error
        if not report.snapshots and self.request.snapshots:
            raise _Refused("the training function read none of its snapshots, so what it learned from is unknown")
        for snapshot in report.snapshots:
            asked = self.request.snapshots.get(snapshot.name)
            if asked is None or snapshot.id != asked or snapshot.digest != self._expected(snapshot.name, asked):
                raise _Refused("the worker reports another snapshot, or another digest of one, than was asked for")
        try:
            refuse_unrecordable(metrics=report.metrics, hyperparameters=report.hyperparameters, split=report.split)
        except (TrainJobInvalid, AttributeError, TypeError) as error:
            raise _Refused("the worker reports metrics, hyper-parameters or a split that cannot be recorded") from error
        return report

    def _expected(self, alias: str, name: str) -> str:
        manifest = self.request.recorded.get(alias)
        return name if manifest is None else manifest.digest

    def _finished(self, report: WorkerReport) -> TrainingOutcome:
        model = self.job.directory.model
        found = artifact_digest(model).digest
        if found != report.model:
            raise _Refused("the model directory gives another digest here than the worker reported")
        model_signature.sign(model, private_key=self.model_key)
        artifact = self.store.put(model)
        signature = model_signature.verify(artifact.path, public_key=self.public_key)  # an older one may lie there
        shutil.rmtree(model)
        return TrainingOutcome(
            request=self.request,
            trainjob=self.job.trainjob,
            started=rfc3339(self.job.created),
            finished=rfc3339(self.job.finished),
            code=self.job.code,
            report=report,
            artifact=artifact.digest,
            files=artifact.files,
            signature=signature,
        )

    def _failed(self, cause: str, reason: str) -> FailedTraining:
        return FailedTraining(
            request=self.request,
            trainjob=self.job.trainjob,
            started=rfc3339(self.job.created),
            finished=rfc3339(self.job.finished),
            cause=cause,
            reason=reason,
            log_tail=self.job.log_lines()[-LOG_TAIL:],
        )
