"""Inside a job: what a training function can ask for, tried without starting one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch
from safetensors.torch import load_file

from api.kubeflow.errors import TrainJobInvalid, UnknownTrainJob
from api.kubeflow.job import Job, JobDirectory
from api.kubeflow.worker import TrainingRun, training_run
from lineage.errors import SnapshotCorrupt, UnknownSnapshot


@pytest.fixture
def run(workshop: Any, tmp_path: Path) -> TrainingRun:
    job = Job("fit", {}, 7, {"features": workshop.snapshot.id}, {"epochs": 3}, str(workshop.objects))
    return TrainingRun(job, JobDirectory(tmp_path))


def test_a_snapshot_is_handed_over_by_its_name_in_the_job(run: TrainingRun) -> None:
    assert run.snapshot("features").num_rows == 100
    with pytest.raises(UnknownSnapshot, match="It has: features"):
        run.snapshot("other")


def test_a_snapshot_whose_manifest_was_changed_with_it_is_refused(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    from lineage.td1 import digest_table

    forged = pa.table({"x": [1.0]})
    place = tmp_path / "objects" / "snapshots" / ("0" * 64)
    place.mkdir(parents=True)
    pq.write_table(forged, place / "data.parquet")
    (place / "run.json").write_text(json.dumps({"digest": digest_table(forged).digest}))
    job = Job("fit", {}, snapshots={"features": "td1-sha256:" + "0" * 64}, objects=str(tmp_path / "objects"))

    with pytest.raises(SnapshotCorrupt):
        TrainingRun(job, JobDirectory(tmp_path)).snapshot("features")


def test_saving_the_same_tensors_gives_the_same_bytes(run: TrainingRun) -> None:
    state = {"b": torch.arange(4.0).reshape(2, 2).T, "a": torch.tensor([1], dtype=torch.int64)}

    first = run.save(state, config={"k": 1}).read_bytes()

    assert run.save(dict(reversed(state.items())), config={"k": 1}).read_bytes() == first
    assert torch.equal(load_file(run.directory / "model.safetensors")["b"], state["b"])
    description = json.loads((run.directory / "model.json").read_bytes())
    assert description["tensors"]["b"] == {"dtype": "float32", "shape": [2, 2]}
    assert description["config"] == {"k": 1}


@pytest.mark.parametrize("value", [float("nan"), torch.tensor(1.0), {1}])
def test_only_what_json_can_say_is_logged(run: TrainingRun, value: object) -> None:
    with pytest.raises(TrainJobInvalid, match="cannot be recorded"):
        run.log(metrics={"loss": value})


def test_a_hyperparameter_that_was_asked_for_cannot_be_logged_otherwise(run: TrainingRun) -> None:
    run.log(hyperparameters={"epochs": 3, "lr": 0.1})

    assert run.hyperparameters == {"epochs": 3, "lr": 0.1}
    with pytest.raises(TrainJobInvalid, match="epochs=3"):
        run.log(hyperparameters={"epochs": 4})


def test_outside_a_trainjob_there_is_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROVENDER_TRAINJOB", raising=False)

    with pytest.raises(UnknownTrainJob, match="Submit the function"):
        training_run()
