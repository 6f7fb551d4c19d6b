"""The backend keeps the promises of the SDK's TrainerClient, and no process outlives its job."""

# ruff: noqa: T201 - training functions print; the log is what is tested

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from kubeflow.trainer import BuiltinTrainer, CustomTrainer, TorchTuneConfig, TrainerClient
from kubeflow.trainer.options import Labels, Name

from api.kubeflow.backend import TorchrunBackend, trainer_client
from api.kubeflow.errors import TrainJobFailed, TrainJobInvalid, TrainJobTimeout, UnknownTrainJob

ROOT = Path(__file__).parents[3]


def stay(marker: str) -> None:
    import os
    import subprocess
    import sys
    import time
    from pathlib import Path

    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path(marker).write_text(f"{os.getpid()} {child.pid}")
    print("staying", flush=True)
    time.sleep(600)


def leave_nothing() -> None:
    print("over")


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[TorchrunBackend]:
    with TorchrunBackend(jobs=tmp_path / "jobs", environment={**os.environ, "SECRET_TOKEN": "x"}) as backend:
        yield backend


@pytest.fixture
def client(backend: TorchrunBackend) -> TrainerClient:
    return trainer_client(backend)


def pids(marker: Path) -> list[int]:
    deadline = time.monotonic() + 90
    while not marker.exists() or len(marker.read_text().split()) < 2:
        assert time.monotonic() < deadline, "the worker did not start"
        time.sleep(0.1)
    return [int(pid) for pid in marker.read_text().split()]


def assert_gone(processes: list[int]) -> None:
    deadline = time.monotonic() + 20
    while any(psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE for pid in processes):
        assert time.monotonic() < deadline, f"processes are left: {processes}"
        time.sleep(0.1)


@pytest.mark.slow
def test_a_running_job_is_seen_hears_nothing_from_the_network_and_leaves_no_process_when_deleted(
    client: TrainerClient, backend: TorchrunBackend, tmp_path: Path
) -> None:
    marker = tmp_path / "pids"
    name = client.train(
        runtime="torch-distributed",
        trainer=CustomTrainer(func=stay, func_args={"marker": str(marker)}),
        options=[Name("stay")],
    )
    worker, child = pids(marker)
    torchrun = backend.local_job(name).process.pid

    job = client.get_job(name)
    assert (name, job.status, [step.name for step in job.steps]) == ("stay", "Running", ["node-0"])
    assert [other.name for other in client.list_jobs()] == ["stay"]
    assert [event.reason for event in client.get_job_events(name)] == ["Created"]
    with pytest.raises(TrainJobTimeout):
        client.wait_for_job_status(name, timeout=2, polling_interval=1)
    assert client.wait_for_job_status(name, status={"Running"}).name == name

    listening = [
        c for c in psutil.net_connections("inet") if c.pid in (torchrun, worker, child) and c.status == "LISTEN"
    ]
    assert listening == []
    inherited = psutil.Process(worker).environ()
    assert "SECRET_TOKEN" not in inherited
    assert inherited["MKL_CBWR"] == "COMPATIBLE"
    with pytest.raises(TrainJobInvalid, match="already"):
        client.train(trainer=CustomTrainer(func=leave_nothing), options=[Name("stay")])

    directory = backend.local_job(name).directory.path
    client.delete_job(name)
    assert_gone([torchrun, worker, child])
    assert not directory.exists()
    with pytest.raises(UnknownTrainJob):
        client.get_job(name)


@pytest.mark.slow
def test_the_job_ends_when_whoever_submitted_it_is_killed(tmp_path: Path) -> None:
    marker, script = tmp_path / "pids", tmp_path / "submit.py"
    script.write_text(
        "import os, sys, time\n"
        "from pathlib import Path\n"
        "from kubeflow.trainer import CustomTrainer\n"
        "from api.kubeflow.backend import TorchrunBackend, trainer_client\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "import test_backend\n"
        f"client = trainer_client(TorchrunBackend(jobs=Path({str(tmp_path / 'jobs')!r}), environment=os.environ))\n"
        f"client.train(trainer=CustomTrainer(func=test_backend.stay, func_args={{'marker': {str(marker)!r}}}))\n"
        "time.sleep(600)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    submitter = subprocess.Popen([sys.executable, str(script)], env=environment)
    try:
        processes = pids(marker)
        torchrun = psutil.Process(processes[0]).ppid()
    finally:
        submitter.send_signal(signal.SIGKILL)
        submitter.wait()

    assert_gone([torchrun, *processes])


@pytest.mark.slow
def test_a_function_that_saves_nothing_fails_and_its_log_can_be_read(client: TrainerClient) -> None:
    name = client.train(trainer=CustomTrainer(func=leave_nothing))

    assert "over" in list(client.get_job_logs(name, follow=True))
    with pytest.raises(TrainJobFailed, match="was anything saved"):
        client.wait_for_job_status(name)
    job = client.wait_for_job_status(name, status={"Complete", "Failed"})
    assert job.status == "Failed"
    assert [event.reason for event in client.get_job_events(name)] == ["Created", "Failed"]
    with pytest.raises(UnknownTrainJob, match="no step"):
        client.get_job_logs(name, step="node-9")


def test_there_is_one_runtime_and_it_lists_the_installed_packages(client: TrainerClient) -> None:
    (runtime,) = client.list_runtimes()

    assert client.get_runtime("torch-distributed") == runtime
    assert any(package.startswith("torch==") for package in client.get_runtime_packages(runtime))
    with pytest.raises(ValueError, match="no runtime"):
        client.get_runtime("mpi")
    with pytest.raises(ValueError, match="no TrainJob"):
        client.delete_job("missing")


def test_what_this_machine_cannot_do_is_refused_and_leaves_nothing(client: TrainerClient, tmp_path: Path) -> None:
    for trainer, said in (
        (CustomTrainer(func=leave_nothing, image="x"), "image"),
        (CustomTrainer(func=leave_nothing, packages_to_install=["x"]), "packages_to_install"),
        (CustomTrainer(func=leave_nothing, resources_per_node={"gpu": 1}), "resources_per_node"),
        (CustomTrainer(func=leave_nothing, num_nodes=2), "num_nodes"),
        (CustomTrainer(func=eval("lambda: None")), "no name"),
        (BuiltinTrainer(config=TorchTuneConfig()), "CustomTrainer"),
        (None, "CustomTrainer"),
    ):
        with pytest.raises(TrainJobInvalid, match=said):
            client.train(trainer=trainer)
    with pytest.raises(ValueError, match="not compatible"):
        client.train(trainer=CustomTrainer(func=leave_nothing), options=[Labels({"a": "b"})])  # the SDK's own refusal
    assert list((tmp_path / "jobs").glob("*")) == []
