"""One job of this machine: its directory, its processes, and what became of them."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from kubeflow.trainer.constants import constants  # noqa: TID253 - the door itself: the SDK's own words for a job's status

from api.kubeflow import launch
from api.kubeflow.errors import TrainJobInvalid
from api.kubeflow.job import DIRECTORY_VARIABLE, JobDirectory, write_code, write_whole
from api.kubeflow.manifest import NAMESPACE, WORKSPACE, input_annotations, trainjob_manifest
from api.kubeflow.process import JobProcess
from api.kubeflow.submission import Submission
from governance.canonical import canonical_json, json_sha256, utc_now
from lineage.artifact import ArtifactFile, artifact_digest
from lineage.training import TrainJobName

_ERROR_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_UNNAMED = "Exception"
"""For an error whose type's name is no plain identifier: the function may have made it of anything."""


@dataclass
class LocalJob:
    """A started job."""

    trainjob: TrainJobName
    directory: JobDirectory
    code: tuple[ArtifactFile, ...]
    created: datetime
    process: JobProcess
    stopped: bool = False
    """Whether it was ended from outside before it ended by itself."""
    _finished: datetime | None = field(default=None)

    @property
    def ended(self) -> bool:
        """Whether the job's processes are gone."""
        over = self.process.returncode is not None
        if over and self._finished is None:
            self._finished = utc_now()
        return over

    @property
    def finished(self) -> datetime:
        """When the job was first seen to have ended; now, as long as it runs."""
        return self._finished if self.ended and self._finished else utc_now()

    @property
    def status(self) -> str:
        """The SDK's word for where the job stands."""
        if not self.ended:
            return constants.TRAINJOB_RUNNING
        whole = self.process.returncode == 0 and self.directory.result.exists()
        return constants.TRAINJOB_COMPLETE if whole else constants.TRAINJOB_FAILED

    @property
    def reason(self) -> str:
        """Why the job failed, in one sentence that may quote the function's error; never recorded."""
        error, message = self._failure()
        return f"{error}: {message}" if error else self.cause

    @property
    def cause(self) -> str:
        """Why the job failed, without a word that the training function could have chosen but its error's type."""
        error, _ = self._failure()
        if error:
            return error
        if self.stopped:
            return "the job was ended from outside before the training function had returned"
        return f"the processes ended with exit code {self.process.returncode} and left no result"

    def _failure(self) -> tuple[str, str]:
        """Type and message of the error that the worker left; empty where it left none."""
        if not self.directory.failure.exists():
            return "", ""
        try:
            failure = json.loads(self.directory.failure.read_bytes())
            error, message = str(failure["type"]), str(failure["message"])
        except (ValueError, KeyError, TypeError):
            return _UNNAMED, "the worker's failure.json cannot be read"
        return (error if _ERROR_NAME.fullmatch(error) else _UNNAMED), message

    @property
    def events(self) -> list[tuple[datetime, str, str]]:
        """(time, reason, message) of what happened to the job, oldest first."""
        happened = [(self.created, "Created", f"torchrun started as process {self.process.pid}")]
        if self.ended and self._finished:
            failed = self.status == constants.TRAINJOB_FAILED
            happened.append((self._finished, self.status, self.reason if failed else "the training function returned"))
        return happened

    def log_lines(self) -> tuple[str, ...]:
        """The whole lines that the job printed so far (and the last one, once it has ended)."""
        lines = self.directory.log.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
        whole = lines if self.ended else [line for line in lines if line.endswith("\n")]
        return tuple(line.removesuffix("\n") for line in whole)

    def end(self) -> None:
        """End all processes of the job, if there still are any."""
        if not self.ended:
            self.stopped = True
        self.process.end()


def start(asked: Submission, *, root: Path, parent_environment: Mapping[str, str]) -> LocalJob:
    """Write the job's directory and start its processes. Raises TrainJobInvalid; then nothing is left behind."""
    directory = JobDirectory(root / f"{asked.name}-{asked.uid}")
    try:
        directory.path.mkdir(parents=True)
        write_code(directory, asked.function, asked.inputs.code if asked.inputs else ())
        directory.write_job(asked.job)
        return _started(asked, directory, parent_environment)
    except (OSError, TrainJobInvalid):
        shutil.rmtree(directory.path, ignore_errors=True)
        raise


def _started(asked: Submission, directory: JobDirectory, parent_environment: Mapping[str, str]) -> LocalJob:
    code = artifact_digest(directory.code)
    declared = launch.declared_environment(asked.environment)
    annotations = dict(asked.annotations)
    if asked.inputs is not None:
        request = asked.inputs.request
        annotations |= input_annotations(run=request.run_id, snapshots=request.snapshots, code_sha256=code.hex)
    manifest = trainjob_manifest(
        name=asked.name,
        uid=asked.uid,
        labels=asked.labels,
        annotations=annotations,
        command=launch.torchrun("python", rendezvous_id=asked.uid),
        environment={**declared, DIRECTORY_VARIABLE: WORKSPACE},
    )
    write_whole(directory.manifest, canonical_json(manifest))
    here = {**declared, DIRECTORY_VARIABLE: str(directory.path)}
    process = JobProcess(
        launch.torchrun(launch.interpreter(), rendezvous_id=asked.uid),
        directory=directory.path,
        environment=launch.process_environment(here, parent=parent_environment),
        log=directory.log,
    )
    name = TrainJobName(asked.name, asked.uid, NAMESPACE, json_sha256(manifest))
    return LocalJob(name, directory, code.files, utc_now(), process)
