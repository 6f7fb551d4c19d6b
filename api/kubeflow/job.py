"""The directory of one TrainJob: everything the worker needs goes in, everything it says comes out.

job.json        what to call and with what (RFC 8785)
trainjob.json   the TrainJob manifest (RFC 8785)
code/train.py   the training function's source, with the files of ``code=`` beside it
log.txt         stdout and stderr of all processes
model/          what the function saves
result.json     the worker's report, or
failure.json    the error that ended it
"""

from __future__ import annotations

import importlib.util
import inspect
import json
import os
import shutil
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from api.kubeflow.errors import TrainJobInvalid
from governance.canonical import Json, canonical_json
from lineage.training import TrainingRequest

DIRECTORY_VARIABLE = "PROVENDER_TRAINJOB"
"""The environment variable that tells a worker its job directory."""

FUNCTION_FILE = "train.py"


@dataclass(frozen=True)
class JobDirectory:
    """Where the parts of a job lie."""

    path: Path

    @property
    def manifest(self) -> Path:
        """The TrainJob manifest."""
        return self.path / "trainjob.json"

    @property
    def code(self) -> Path:
        """The folder of the job's code."""
        return self.path / "code"

    @property
    def log(self) -> Path:
        """What all processes of the job printed."""
        return self.path / "log.txt"

    @property
    def model(self) -> Path:
        """The model directory that the training function fills."""
        return self.path / "model"

    @property
    def result(self) -> Path:
        """The worker's report; there only once the function has returned."""
        return self.path / "result.json"

    @property
    def failure(self) -> Path:
        """The error that ended the function; there only if one did."""
        return self.path / "failure.json"

    def read_job(self) -> Job:
        """What to call and with what."""
        return Job.from_json((self.path / "job.json").read_bytes())

    def write_job(self, job: Job) -> None:
        """Write what to call and with what."""
        write_whole(self.path / "job.json", canonical_json(job.as_json()))


@dataclass(frozen=True)
class Job:
    """What a worker is told."""

    function: str
    arguments: Mapping[str, Json]
    seed: int = 0
    snapshots: Mapping[str, str] = field(default_factory=dict)
    hyperparameters: Mapping[str, Json] = field(default_factory=dict)
    objects: str | None = None
    """The directory of the object store; None for a job without snapshots."""
    digests: Mapping[str, str] = field(default_factory=dict)
    """What a snapshot's rows must give (``td1-sha256:…``), by its name in the job: a random name does not say it."""

    def as_json(self) -> Json:
        """The job as JSON; :meth:`from_json` is its inverse."""
        return {
            "function": self.function,
            "arguments": dict(self.arguments),
            "seed": self.seed,
            "snapshots": dict(self.snapshots),
            "hyperparameters": dict(self.hyperparameters),
            "objects": self.objects,
            "digests": dict(self.digests),
        }

    @classmethod
    def from_json(cls, document: bytes) -> Job:
        """Read what :meth:`as_json` gave."""
        return cls(**json.loads(document))


@dataclass(frozen=True)
class TrainingInputs:
    """An option for ``TrainerClient.train``: the snapshots, seed and further code of a governed TrainJob."""

    request: TrainingRequest
    objects: Path
    code: tuple[Path, ...] = ()
    """Python files that the function imports by their bare name."""

    def __call__(self, job_spec: dict[str, Any], _trainer: object, backend: object) -> None:
        """Put the inputs into the job's specification, as the SDK's own options do.

        Raises TrainJobInvalid for a backend that does not know them.
        """
        from api.kubeflow.backend import TorchrunBackend

        if not isinstance(backend, TorchrunBackend):
            raise TrainJobInvalid(f"TrainingInputs needs the TorchrunBackend, found {type(backend).__name__}.")
        job_spec["provender"] = self


def write_code(directory: JobDirectory, function: Callable[..., Any], further: tuple[Path, ...]) -> None:
    """Write the source of ``function`` as the SDK does, and copy further files beside it.

    Raises TrainJobInvalid for a function without source and for a file whose name means something already.
    """
    directory.code.mkdir()
    (directory.code / FUNCTION_FILE).write_text(_source(function), encoding="utf-8")
    for file in further:
        if file.suffix != ".py" or not file.is_file():
            raise TrainJobInvalid(
                f"The code file {file} is not a Python file. Expected the path of an existing .py file."
            )
        if file.name == FUNCTION_FILE or importlib.util.find_spec(file.stem) is not None:
            raise TrainJobInvalid(
                f"The code file {file} would be hidden by the installed module {file.stem!r}; rename it."
            )
        shutil.copyfile(file, directory.code / file.name)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all, also after a power cut."""
    incomplete = path.with_name(f".incomplete-{path.name}")
    with incomplete.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    incomplete.replace(path)


def _source(function: Callable[..., Any]) -> str:
    if not getattr(function, "__name__", "").isidentifier():
        raise TrainJobInvalid(f"{function!r} has no name to be called by. Expected a function defined with `def`.")
    try:
        return textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError) as error:
        raise TrainJobInvalid(
            f"The source of {function.__name__} cannot be read: {error}. Expected a function that is defined in a file."
        ) from error
