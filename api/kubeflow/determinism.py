"""All that a worker can do to get the same weights from the same inputs, and what of it still held at the end."""

from __future__ import annotations

import os
import random

from api.kubeflow.launch import DETERMINISM
from governance.canonical import Json


def settle(*, seed: int) -> None:
    """Seed every generator, one thread, deterministic algorithms only (torch raises where it has none)."""
    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - libraries still draw from the global generator
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(mode=True)
    torch.backends.cudnn.benchmark = False
    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)


def observe_determinism(*, seed: int) -> dict[str, Json]:
    """What is in force now, read back from torch and the environment."""
    import torch

    return {
        "seed": seed,
        "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
        "cudnn_benchmark": torch.backends.cudnn.benchmark,
        "threads": torch.get_num_threads(),
        "interop_threads": torch.get_num_interop_threads(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "environment": {name: os.environ.get(name) for name in sorted(DETERMINISM)},
    }
