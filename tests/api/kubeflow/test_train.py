"""Training, through the real SDK and torchrun: twice the same weights, and a reason whenever there are none."""

# ruff: noqa: T201 - training functions print; the log is what is tested

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from api.kubeflow.errors import TrainJobInvalid
from api.kubeflow.train import train
from audit.model_signature import public_key_pem, verify
from governance.errors import ConfigurationError
from lineage.artifact import ArtifactStore
from lineage.training import FailedTraining, TrainingOutcome, failed_predicate

pytestmark = pytest.mark.slow


def fit(epochs: int) -> None:
    import torch
    from helping import weights_of  # type: ignore[import-not-found]  # a further code file, there only inside the job

    from api.kubeflow.worker import training_run

    run = training_run()
    table = run.snapshot("features")
    x, y = (torch.tensor(table[name].to_numpy().copy(), dtype=torch.float32)[:, None] for name in ("x", "y"))
    model = torch.nn.Sequential(torch.nn.Linear(1, 8), torch.nn.ReLU(), torch.nn.Dropout(0.1), torch.nn.Linear(8, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    loss = torch.zeros(())
    for epoch in range(epochs):
        optimizer.zero_grad()
        loss = ((model(x) - y) ** 2).mean()
        loss.backward()
        optimizer.step()
        print("epoch", epoch)
    run.log(metrics={"loss": loss.item()}, hyperparameters={"lr": 0.01}, split={"train": table.num_rows, "test": 0})
    run.save(weights_of(model), config={"layers": [1, 8, 1]})


def fit_and_fail() -> None:
    print("about to fail")
    float("Maria Muster")


def fit_without_looking() -> None:
    import torch

    from api.kubeflow.worker import training_run

    training_run().save({"w": torch.zeros(1)})


def fit_and_change(word: str) -> None:
    from api.kubeflow.worker import training_run

    training_run().log(hyperparameters={"word": word + "!"})


def fit_forever() -> None:
    import time

    time.sleep(600)


def attempt(workshop: Any, function: Any, **options: Any) -> TrainingOutcome | FailedTraining:
    return train(
        function,
        **{
            "name": "tiny",
            "snapshots": {"features": workshop.snapshot.id},
            "hyperparameters": {},
            "seed": 7,
            "objects": workshop.objects,
            "jobs": workshop.jobs,
            "model_key": workshop.key,
            **options,
        },
    )


@pytest.fixture(scope="module")
def lines() -> list[str]:
    return []


@pytest.fixture(scope="module")
def outcome(workshop: Any, lines: list[str]) -> TrainingOutcome:
    helping = workshop.path / "helping.py"
    helping.write_text("def weights_of(model):\n    return model.state_dict()\n")
    before = (Path.cwd(), dict(os.environ))
    outcome = attempt(
        workshop, fit, hyperparameters={"epochs": 5}, code=[helping], progress=lines.append, job_name="fit"
    )
    assert (Path.cwd(), dict(os.environ)) == before, "a job leaves this process as it was"
    assert isinstance(outcome, TrainingOutcome), outcome
    return outcome


def test_the_artifact_is_stored_under_its_digest_and_signed(outcome: TrainingOutcome, workshop: Any) -> None:
    artifact = ArtifactStore(workshop.objects).open(outcome.artifact)

    assert [file.path for file in artifact.files] == ["model.json", "model.safetensors"]
    assert verify(artifact.path, public_key=public_key_pem(workshop.key)) == outcome.signature
    assert json.loads((artifact.path / "model.json").read_bytes())["config"] == {"layers": [1, 8, 1]}


def _environment_of_a_new_process() -> str:
    """As the job sees it; this process may have put packages of others (Ray carries some) on its path by now."""
    says = "from lineage.environment import observe_environment; print(observe_environment().sha256)"
    return subprocess.run([sys.executable, "-c", says], check=True, capture_output=True, text=True).stdout.strip()


def test_the_report_says_what_was_read_on_what_and_what_came_out(outcome: TrainingOutcome, workshop: Any) -> None:
    report = outcome.report

    assert [(s.name, s.digest, s.rows) for s in report.snapshots] == [("features", workshop.snapshot.digest, 100)]
    assert report.hardware["torch"]["version"]
    assert bool(report.hardware["gpus"]) != bool(report.hardware["reason"])
    assert report.environment["sha256"] == _environment_of_a_new_process()
    assert report.determinism["deterministic_algorithms"] is True
    assert report.determinism["threads"] == 1
    assert report.determinism["environment"]["ATEN_CPU_CAPABILITY"] == "default"
    assert report.hyperparameters == {"epochs": 5, "lr": 0.01}
    assert report.split == {"train": 100, "test": 0}
    assert report.metrics["loss"] > 0
    assert outcome.trainjob.name == "fit"
    assert [file.path for file in outcome.code] == ["helping.py", "train.py"]


def test_progress_hears_what_the_job_prints(outcome: TrainingOutcome, lines: list[str]) -> None:
    assert outcome.artifact
    assert [line for line in lines if line.startswith("epoch")] == [f"epoch {n}" for n in range(5)]


def test_training_again_gives_the_same_weights(outcome: TrainingOutcome, workshop: Any) -> None:
    options = {"hyperparameters": {"epochs": 5}, "code": [workshop.path / "helping.py"]}
    again = attempt(workshop, fit, **options)

    assert isinstance(again, TrainingOutcome), again
    assert again.artifact == outcome.artifact
    assert again.code_sha256 == outcome.code_sha256
    assert again.request.run_id != outcome.request.run_id


def test_a_function_that_raises_is_a_failed_training_with_its_reason_and_the_end_of_its_log(workshop: Any) -> None:
    failed = attempt(workshop, fit_and_fail)

    assert isinstance(failed, FailedTraining)
    assert failed.reason == "ValueError: could not convert string to float: 'Maria Muster'"
    assert "about to fail" in "\n".join(failed.log_tail)
    assert "Maria Muster" in "\n".join(failed.log_tail)
    assert failed_predicate(failed)["reason"] == "ValueError"
    assert "Muster" not in json.dumps(failed_predicate(failed))


def test_a_model_that_read_none_of_its_snapshots_is_refused(workshop: Any) -> None:
    failed = attempt(workshop, fit_without_looking)

    assert isinstance(failed, FailedTraining)
    assert "read none of its snapshots" in failed.reason


def test_a_hyperparameter_other_than_the_one_asked_for_fails(workshop: Any) -> None:
    failed = attempt(workshop, fit_and_change, hyperparameters={"word": "x"})

    assert isinstance(failed, FailedTraining)
    assert "asked for word='x' and the function logs 'x!'" in failed.reason


def test_a_changed_snapshot_fails_with_the_right_reason(workshop: Any) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from lineage.objects import DirectoryObjects
    from lineage.snapshots import SnapshotStore
    from lineage.td1 import digest_table

    table = pa.table({"x": [float(i) for i in range(100)], "y": [0.0] * 100})
    store = SnapshotStore(DirectoryObjects(workshop.objects), min_rows=1)
    snapshot, _ = store.put(table, run="00000000-0000-4000-8000-000000000001", manifest={})
    changed = table.set_column(1, "y", pa.array([0.0] * 99 + [5e-324]))
    place = workshop.objects / "snapshots" / snapshot.digest.removeprefix("td1-sha256:")
    pq.write_table(changed, place / "data.parquet")

    options = {"hyperparameters": {"epochs": 1}, "code": [workshop.path / "helping.py"]}
    failed = attempt(workshop, fit, snapshots={"features": snapshot.id}, **options)

    assert isinstance(failed, FailedTraining)
    assert failed.cause == "SnapshotCorrupt"
    assert failed.reason.startswith("SnapshotCorrupt: ")
    assert digest_table(changed).digest in failed.reason


def test_a_job_that_takes_too_long_is_ended(workshop: Any) -> None:
    failed = attempt(workshop, fit_forever, timeout=2)

    assert isinstance(failed, FailedTraining)
    assert "ended from outside" in failed.reason


def test_what_cannot_be_submitted_is_said_before_anything_runs(workshop: Any, tmp_path: Path) -> None:
    hiding = tmp_path / "json.py"
    hiding.write_text("")
    for options, said in (
        ({"seed": -1}, "seed"),
        ({"hyperparameters": {"x": float("nan")}}, "cannot be recorded"),
        ({"hyperparameters": {"patients": [str(n) for n in range(17)]}}, "cannot be recorded"),
        ({"snapshots": {"features": "random:" + "0" * 64}}, "recorded manifest is not given"),
        ({"code": [hiding]}, "rename it"),
        ({"code": [tmp_path / "missing.py"]}, "not a Python file"),
        ({"job_name": "Not A Label"}, "cannot name a TrainJob"),
    ):
        with pytest.raises(TrainJobInvalid, match=said):
            attempt(workshop, fit, jobs=tmp_path / "jobs", **options)
    with pytest.raises(ConfigurationError, match="model key"):
        attempt(workshop, fit, jobs=tmp_path / "jobs", model_key=tmp_path / "missing.pem")
    assert not any(tmp_path.glob("jobs/*"))
