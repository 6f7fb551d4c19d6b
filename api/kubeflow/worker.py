"""Inside a TrainJob: what a training function asks for its inputs, and where it leaves what it made.

    def train(epochs: int) -> None:
        from api.kubeflow.worker import training_run

        run = training_run()
        table = run.snapshot("features")  # read and verified, to the last row
        ...
        run.log(metrics={"auc": 0.81}, split={"train": 1500, "test": 445})
        run.save(model.state_dict(), config={"layers": [8, 16, 1]})

The function must be self-contained, as the Kubeflow SDK asks: its source alone is shipped.
"""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rfc8785 import CanonicalizationError

from api.kubeflow.errors import TrainJobInvalid, UnknownTrainJob
from api.kubeflow.job import DIRECTORY_VARIABLE, FUNCTION_FILE, Job, JobDirectory, write_whole
from api.kubeflow.loggable import refuse_unrecordable
from governance.canonical import Json, canonical_json
from lineage.errors import SnapshotCorrupt, UnknownSnapshot
from lineage.training import SnapshotRead, WorkerReport

if TYPE_CHECKING:
    import pyarrow as pa


class TrainingRun:
    """The run that the current process works for."""

    def __init__(self, job: Job, directory: JobDirectory) -> None:
        self._job, self._directory = job, directory
        self._read: dict[str, SnapshotRead] = {}
        self._metrics: dict[str, Json] = {}
        self._hyperparameters: dict[str, Json] = dict(job.hyperparameters)
        self._split: dict[str, Json] = {}

    @property
    def seed(self) -> int:
        """The seed of the run; torch, numpy and random are seeded with it already."""
        return self._job.seed

    @property
    def hyperparameters(self) -> Mapping[str, Json]:
        """Those asked for and those logged so far."""
        return dict(self._hyperparameters)

    @property
    def directory(self) -> Path:
        """The model directory; every file in it becomes part of the artifact."""
        self._directory.model.mkdir(exist_ok=True)
        return self._directory.model

    def snapshot(self, name: str) -> pa.Table:
        """The rows of a snapshot, by the name it has in this job; read as a whole and recomputed.

        Raises UnknownSnapshot, SnapshotCorrupt, and SnapshotNotRecorded for a random name whose digest the job does
        not know.
        """
        from lineage.td1 import digest_table

        identity = self._job.snapshots.get(name)
        if identity is None or self._job.objects is None:
            raise UnknownSnapshot(
                f"This job has no snapshot {name!r}. It has: {', '.join(self._job.snapshots) or 'none'}."
            )
        expected = identity if identity.startswith("td1-sha256:") else self._job.digests.get(name)
        table = _stored(identity, self._job.objects, digest=expected)
        found = digest_table(table).digest  # of the very rows that the function gets
        if found != expected:
            raise SnapshotCorrupt(f"The rows stored for snapshot {identity} give another digest. Restore a backup.")
        self._read[name] = SnapshotRead(name, identity, found, table.num_rows)
        return table

    def log(
        self,
        *,
        metrics: Mapping[str, Json] | None = None,
        hyperparameters: Mapping[str, Json] | None = None,
        split: Mapping[str, Json] | None = None,
    ) -> None:
        """Put numbers and words into the record of the run; the last value of a name counts.

        The record is signed and kept: no rows and no names of persons belong in it. Metrics and split take numbers,
        true, false, null and short texts; hyper-parameters also short lists of these (``api.kubeflow.loggable``).

        Raises TrainJobInvalid for other values, and for a hyper-parameter other than the one asked for.
        """
        refuse_unrecordable(metrics=metrics, hyperparameters=hyperparameters, split=split)
        for name, value in (hyperparameters or {}).items():
            if self._job.hyperparameters.get(name, value) != value:
                raise TrainJobInvalid(
                    f"The job asked for {name}={self._job.hyperparameters[name]!r} and the function logs {value!r}."
                    " Use the value that was asked for: it is what the record says."
                )
        self._hyperparameters.update(hyperparameters or {})
        self._metrics.update(metrics or {})
        self._split.update(split or {})

    def save(self, state: Mapping[str, Any], *, name: str = "model", config: Mapping[str, Json] | None = None) -> Path:
        """Write tensors as ``<name>.safetensors``, and ``<name>.json`` saying what they are.

        :param config: what it takes to build the model that these weights fit; it becomes part of the artifact.
        """
        from safetensors.torch import save_file

        tensors = {key: tensor.detach().cpu().contiguous() for key, tensor in state.items()}
        weights = self.directory / f"{name}.safetensors"
        save_file(tensors, weights, metadata={"format": "pt"})  # one entry: more have no fixed order
        shapes = {
            key: {"dtype": str(t.dtype).removeprefix("torch."), "shape": list(t.shape)} for key, t in tensors.items()
        }
        description = {"v": 1, "weights": weights.name, "tensors": shapes, "config": _plain(config)}
        (self.directory / f"{name}.json").write_bytes(canonical_json(description))
        return weights

    def report(self) -> WorkerReport:
        """All that is known at the end of the run."""
        from api.kubeflow.determinism import observe_determinism
        from lineage.artifact import artifact_digest
        from lineage.environment import observe_environment
        from lineage.hardware import observe_hardware

        return WorkerReport(
            snapshots=tuple(self._read[name] for name in sorted(self._read)),
            hardware=observe_hardware().as_json(),
            environment=observe_environment().as_json(),
            determinism=observe_determinism(seed=self.seed),
            metrics=self._metrics,
            hyperparameters=self._hyperparameters,
            split=self._split,
            model=artifact_digest(self.directory).digest,
        )


_current: dict[JobDirectory, TrainingRun] = {}


def training_run() -> TrainingRun:
    """The run of this process. Raises UnknownTrainJob outside a TrainJob."""
    place = os.environ.get(DIRECTORY_VARIABLE)
    if place is None:
        raise UnknownTrainJob(
            f"There is no training run here: {DIRECTORY_VARIABLE} is not set. Submit the function as a TrainJob"
            " (api.kubeflow.train.train) instead of calling it."
        )
    directory = JobDirectory(Path(place))
    if directory not in _current:
        _current[directory] = TrainingRun(directory.read_job(), directory)
    return _current[directory]


def main() -> None:
    """Call the job's function and write ``result.json``, or ``failure.json`` and raise."""
    from api.kubeflow.determinism import settle
    from api.kubeflow.orphan import end_with_parent

    end_with_parent()
    directory = JobDirectory(Path(os.environ[DIRECTORY_VARIABLE]))
    try:
        job, run = directory.read_job(), training_run()
        settle(seed=job.seed)
        sys.path.append(str(directory.code))
        names = runpy.run_path(str(directory.code / FUNCTION_FILE), run_name="provender_training")
        names[job.function](**job.arguments)
        write_whole(directory.result, canonical_json(run.report().as_json()))
    except Exception as error:  # the outermost edge of this process: whatever it was, the record says so
        reason = {"type": type(error).__name__, "message": str(error)}
        write_whole(directory.failure, canonical_json(reason))
        raise


def _stored(identity: str, objects: str, *, digest: str | None) -> pa.Table:
    from lineage.objects import open_objects
    from lineage.snapshots import SnapshotStore

    return SnapshotStore(open_objects(objects), min_rows=0).read(identity, digest=digest)


def _plain(values: Mapping[str, Json] | None) -> dict[str, Json]:
    try:
        canonical_json(dict(values or {}))
    except CanonicalizationError as error:
        raise TrainJobInvalid(
            f"The config ({', '.join(map(str, values or {}))}) cannot be written ({type(error).__name__})."
            " Expected finite numbers, texts, lists and mappings; call `.item()` or `float()` on a tensor's or array's"
            " value."
        ) from error
    return dict(values or {})
