"""The SDK's ``RuntimeBackend`` for this machine: ``torchrun`` from the current environment, one directory a job.

The SDK's own local backend builds a virtual environment for each job, passes on no environment, changes the current
directory of the whole process and cannot be told about snapshots; its interface is open, so this one stands in.

    with TorchrunBackend(jobs=Path("data/jobs"), environment=os.environ) as backend:
        client = trainer_client(backend)
        name = client.train(runtime="torch-distributed", trainer=CustomTrainer(func=train))
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from kubeflow.trainer.backends.base import RuntimeBackend  # noqa: TID253 - the door itself: a subclass needs its base
from kubeflow.trainer.constants import constants  # noqa: TID253 - as above
from kubeflow.trainer.types import types  # noqa: TID253 - as above

from api.kubeflow.errors import TrainJobFailed, TrainJobInvalid, TrainJobTimeout, UnknownTrainJob
from api.kubeflow.localjob import LocalJob, start
from api.kubeflow.manifest import RUNTIME
from api.kubeflow.submission import submission

if TYPE_CHECKING:
    from kubeflow.trainer import TrainerClient

STEP = constants.NODE + "-0"
_FOLLOW_SECONDS = 0.2


def trainer_client(backend: TorchrunBackend) -> TrainerClient:
    """The SDK's client over this backend.

    Its constructor knows three configurations and refuses others, but the backend it builds from one is a public
    attribute, and the local one does nothing until a job is submitted.
    """
    from kubeflow.trainer import LocalProcessBackendConfig, TrainerClient

    client = TrainerClient(backend_config=LocalProcessBackendConfig())
    client.backend = backend  # type: ignore[assignment]  # the SDK infers the type of its first assignment only
    return client


class TorchrunBackend(RuntimeBackend):
    """TrainJobs as processes of this machine; they end when this object is closed, or its process is gone.

    :param jobs: the directory in which each job gets one of its own.
    :param environment: the environment of the caller, of which a job inherits a few names (``api.kubeflow.launch``).
    """

    def __init__(self, *, jobs: Path, environment: Mapping[str, str]) -> None:
        self._root, self._environment = jobs.resolve(), dict(environment)
        self._jobs: dict[str, LocalJob] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End the processes of all jobs; their directories stay."""
        for job in self._jobs.values():
            job.end()

    def local_job(self, name: str) -> LocalJob:
        """What this machine knows of a job beyond the SDK's picture. Raises UnknownTrainJob."""
        if name not in self._jobs:
            raise UnknownTrainJob(
                f"There is no TrainJob {name!r} here. Jobs: {', '.join(sorted(self._jobs)) or 'none'}."
            )
        return self._jobs[name]

    def list_runtimes(self) -> list[types.Runtime]:
        """The one runtime there is: torch, one node, one process."""
        return [_runtime()]

    def get_runtime(self, name: str) -> types.Runtime:
        """The runtime of that name. Raises UnknownTrainJob."""
        if name != RUNTIME:
            raise UnknownTrainJob(f"There is no runtime {name!r} here. Expected {RUNTIME!r}.")
        return _runtime()

    def get_runtime_packages(self, runtime: types.Runtime) -> list[str]:
        """The distributions of the current environment, as ``name==version``, sorted."""
        self.get_runtime(runtime.name)
        return sorted({f"{d.metadata['Name']}=={d.version}" for d in metadata.distributions()}, key=str.lower)

    def train(
        self,
        runtime: str | types.Runtime | None = None,
        initializer: types.Initializer | None = None,
        trainer: types.CustomTrainer | types.CustomTrainerContainer | types.BuiltinTrainer | None = None,
        options: Sequence[Any] | None = None,
    ) -> str:
        """Start a job and give its name. Raises TrainJobInvalid, UnknownTrainJob (for the runtime)."""
        self.get_runtime(runtime if isinstance(runtime, str) else runtime.name if runtime else RUNTIME)
        asked = submission(trainer, initializer=initializer, options=options or (), backend=self)
        if asked.name in self._jobs:
            raise TrainJobInvalid(f"There is a TrainJob {asked.name!r} already. Delete it first, or take another name.")
        self._jobs[asked.name] = start(asked, root=self._root, parent_environment=self._environment)
        return asked.name

    def list_jobs(self, runtime: types.Runtime | None = None) -> list[types.TrainJob]:
        """All jobs of this backend, oldest first."""
        if runtime is not None and runtime.name != RUNTIME:
            return []
        return [self.get_job(name) for name in self._jobs]

    def get_job(self, name: str) -> types.TrainJob:
        """The SDK's picture of a job. Raises UnknownTrainJob."""
        job = self.local_job(name)
        status = job.status
        return types.TrainJob(
            name=name,
            runtime=_runtime(),
            steps=[types.Step(name=STEP, status=status, pod_name=f"{name}-{STEP}")],
            num_nodes=1,
            creation_timestamp=job.created,
            status=status,
        )

    def get_job_logs(self, name: str, follow: bool = False, step: str = STEP) -> Iterator[str]:  # noqa: FBT001, FBT002 - the SDK's signature
        """The lines that the job's processes printed; with ``follow`` until the job ends. Raises UnknownTrainJob."""
        job = self.local_job(name)
        if step != STEP:
            raise UnknownTrainJob(f"TrainJob {name!r} has no step {step!r}. Expected {STEP!r}.")
        return _lines(job, follow=follow)

    def get_job_events(self, name: str) -> list[types.Event]:
        """What happened to the job, oldest first. Raises UnknownTrainJob."""
        job = self.local_job(name)
        return [types.Event("TrainJob", name, message, reason, moment) for moment, reason, message in job.events]

    def wait_for_job_status(
        self,
        name: str,
        status: set[str] = {constants.TRAINJOB_COMPLETE},  # noqa: B006 - the SDK's signature; never changed here
        timeout: int = 600,
        polling_interval: int = 2,
        callbacks: list[Callable[[types.TrainJob], None]] | None = None,
    ) -> types.TrainJob:
        """Wait until the job is in one of ``status``; noticed at once when it ends.

        Raises TrainJobTimeout after ``timeout`` seconds (the job goes on), TrainJobFailed, UnknownTrainJob.
        """
        local, deadline = self.local_job(name), time.monotonic() + timeout
        while True:
            job = self.get_job(name)
            for callback in callbacks or []:
                callback(job)
            if job.status in status:
                return job
            if job.status == constants.TRAINJOB_FAILED:
                raise TrainJobFailed(f"TrainJob {name} failed: {local.reason}")
            if job.status == constants.TRAINJOB_COMPLETE or time.monotonic() >= deadline:
                raise TrainJobTimeout(
                    f"TrainJob {name} is {job.status}, not {sorted(status)}, after {timeout} seconds."
                )
            local.process.wait(min(polling_interval, max(0.0, deadline - time.monotonic())))

    def delete_job(self, name: str) -> None:
        """End the job's processes and remove its directory. Raises UnknownTrainJob."""
        job = self.local_job(name)
        job.end()
        shutil.rmtree(job.directory.path)
        del self._jobs[name]


def _runtime() -> types.Runtime:
    trainer = types.RuntimeTrainer(
        trainer_type=types.TrainerType.CUSTOM_TRAINER, framework="torch", image="the current environment"
    )
    trainer.set_command(("torchrun",))
    return types.Runtime(name=RUNTIME, trainer=trainer, kind=types.RuntimeKind.CLUSTER_TRAINING_RUNTIME)


def _lines(job: LocalJob, *, follow: bool) -> Iterator[str]:
    with job.directory.log.open(encoding="utf-8", errors="replace") as stream:
        partial = ""
        while True:
            ended = job.ended  # asked before reading: what was printed until then is in the file
            for text in stream:
                partial += text
                if partial.endswith("\n"):
                    yield partial.removesuffix("\n")
                    partial = ""
            if ended or not follow:
                break
            job.process.wait(_FOLLOW_SECONDS)
        if partial:
            yield partial
