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
from lineage.errors import SnapshotCorrupt, SnapshotNotRecorded, UnknownSnapshot


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


def test_a_snapshot_with_a_random_name_is_compared_with_the_digest_the_job_was_told(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    from lineage.objects import DirectoryObjects
    from lineage.snapshots import SnapshotStore
    from lineage.td1 import digest_table

    table = pa.table({"x": [1.0, 2.0]})
    store = SnapshotStore(DirectoryObjects(tmp_path / "objects"), min_rows=3)
    snapshot, _ = store.put(table, run="00000000-0000-4000-8000-000000000000", manifest={})
    names, objects = {"features": snapshot.id}, str(tmp_path / "objects")
    told = Job("fit", {}, snapshots=names, objects=objects, digests={"features": snapshot.digest})
    assert TrainingRun(told, JobDirectory(tmp_path)).snapshot("features").equals(table)

    with pytest.raises(SnapshotNotRecorded):
        TrainingRun(Job("fit", {}, snapshots=names, objects=objects), JobDirectory(tmp_path)).snapshot("features")

    (manifest,) = (tmp_path / "objects").rglob("*.json")
    forged = pa.table({"x": [1.0, 9.0]})
    pq.write_table(forged, manifest.with_name("data.parquet"))
    manifest.write_text(json.dumps({**json.loads(manifest.read_bytes()), "digest": digest_table(forged).digest}))
    with pytest.raises(SnapshotCorrupt):
        TrainingRun(told, JobDirectory(tmp_path)).snapshot("features")


@pytest.mark.parametrize("value", [float("nan"), torch.tensor(1.0), {1}, {"a": 1}, "x" * 201, ["Maria Muster"], [1, 2]])
@pytest.mark.parametrize("what", ["metrics", "split"])
def test_only_numbers_and_short_texts_are_logged_and_what_is_refused_is_not_quoted(
    run: TrainingRun, what: str, value: object
) -> None:
    with pytest.raises(TrainJobInvalid, match=rf"{what}: held_out .* cannot be recorded") as refusal:
        run.log(**{what: {"held_out": value}})
    assert "Muster" not in str(refusal.value)
    assert vars(run)[f"_{what}"] == {}


def test_a_hyperparameter_may_be_a_short_list(run: TrainingRun) -> None:
    run.log(
        hyperparameters={"layers": [8, 16, 1]}, metrics={"auc": 0.8, "best": None, "early": True}, split={"by": "site"}
    )
    for value in ([0] * 17, [[1]], ["x" * 201], {"a": 1}):
        with pytest.raises(TrainJobInvalid, match="cannot be recorded"):
            run.log(hyperparameters={"patients": value})
    with pytest.raises(TrainJobInvalid, match="no short text"):
        run.log(metrics={"x" * 201: 1})
    with pytest.raises(TrainJobInvalid, match="at most 100"):
        run.log(split={str(number): number for number in range(101)})


def test_a_hyperparameter_that_was_asked_for_cannot_be_logged_otherwise(run: TrainingRun) -> None:
    run.log(hyperparameters={"epochs": 3, "lr": 0.1})

    assert run.hyperparameters == {"epochs": 3, "lr": 0.1}
    with pytest.raises(TrainJobInvalid, match="epochs=3"):
        run.log(hyperparameters={"epochs": 4})


def test_outside_a_trainjob_there_is_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROVENDER_TRAINJOB", raising=False)

    with pytest.raises(UnknownTrainJob, match="Submit the function"):
        training_run()
