"""How a job's processes are started: ``torchrun`` from this environment, with an environment of its own.

Two habits of torchrun are avoided. ``--standalone`` makes it listen on *all* interfaces (its TCPStore knows no
other way); with a file for the rendezvous and no shared store, nothing listens anywhere. And the current directory
would lead ``sys.path``, so that a file of the job could stand in for a module: ``PYTHONSAFEPATH`` prevents it.
"""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

DETERMINISM = {
    "ATEN_CPU_CAPABILITY": "default",
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    "MKL_CBWR": "COMPATIBLE",
    "OMP_NUM_THREADS": "1",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "PYTHONHASHSEED": "0",
}
"""Variables without which two processors of one kind may round differently."""

_ISOLATION = {
    "PYTHONSAFEPATH": "1",
    "PYTHONUNBUFFERED": "1",
    "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1",
}

_PASSED_ON = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "CUDA_VISIBLE_DEVICES",
    "NVIDIA_VISIBLE_DEVICES",
)
"""All that a job inherits: where programs and accelerators are, and no credential that happens to lie about."""


def torchrun(python: str, *, rendezvous_id: str) -> tuple[str, ...]:
    """The command that runs ``api.kubeflow`` in one process under torchrun, from the job's directory."""
    return (
        python,
        "-m",
        "torch.distributed.run",
        "--nnodes=1",
        "--nproc-per-node=1",
        "--max-restarts=0",
        "--rdzv-backend=c10d",
        "--rdzv-conf=store_type=file",
        "--rdzv-endpoint=rendezvous",
        f"--rdzv-id={rendezvous_id}",
        "--local-addr=127.0.0.1",
        "-m",
        "api.kubeflow",
    )


def declared_environment(own: Mapping[str, str]) -> dict[str, str]:
    """What the job's manifest declares: determinism, isolation, and the trainer's own variables, which win."""
    return {**DETERMINISM, **_ISOLATION, **own}


def process_environment(declared: Mapping[str, str], *, parent: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of the job's processes."""
    inherited = {name: parent[name] for name in _PASSED_ON if name in parent}
    return {**inherited, **_python_path(), **declared}


def _python_path() -> dict[str, str]:
    """Where these packages are, unless they are installed beside torch and found anyway."""
    root = str(Path(__file__).resolve().parents[2])
    installed = {str(Path(sysconfig.get_path(kind)).resolve()) for kind in ("purelib", "platlib")}
    return {} if root in installed else {"PYTHONPATH": root}


def interpreter() -> str:
    """The Python of the current environment."""
    return sys.executable
