"""Hardware is what the machine says; for NVML, a stand-in speaks that only tests have."""

# ruff: noqa: N802 - NVML's own names

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from governance.canonical import canonical_json
from lineage.hardware import observe_hardware


class NvmlError(Exception):
    pass


class ScriptedNvml:
    """Answers in the shapes that the NVML API documents, for one GPU cut into two of at most seven slices."""

    NVMLError: type[Exception] = NvmlError

    def __init__(self, *, devices: int = 1, mig: int | None = 1) -> None:
        self.devices, self.mig, self.open = devices, mig, 0

    def nvmlInit(self) -> None:
        self.open += 1

    def nvmlShutdown(self) -> None:
        self.open -= 1

    def nvmlSystemGetDriverVersion(self) -> str:
        return "570.86.15"

    def nvmlSystemGetCudaDriverVersion_v2(self) -> int:
        return 12080

    def nvmlDeviceGetCount(self) -> int:
        return self.devices

    def nvmlDeviceGetHandleByIndex(self, index: int) -> str:
        return f"gpu{index}"

    def nvmlDeviceGetUUID(self, handle: str) -> str:
        return ("MIG-" if "/" in handle else "GPU-") + handle

    def nvmlDeviceGetName(self, handle: str) -> str:
        return "Test GPU MIG 1g.10gb" if "/" in handle else "Test GPU"

    def nvmlDeviceGetMemoryInfo(self, handle: str) -> Any:
        return SimpleNamespace(total=10 << 30 if "/" in handle else 80 << 30)

    def nvmlDeviceGetCudaComputeCapability(self, _handle: str) -> Sequence[int]:
        return (9, 0)

    def nvmlDeviceGetMigMode(self, _handle: str) -> Sequence[int]:
        if self.mig is None:
            raise NvmlError("Not Supported")
        return (self.mig, self.mig)

    def nvmlDeviceGetMaxMigDeviceCount(self, _handle: str) -> int:
        return 7

    def nvmlDeviceGetMigDeviceHandleByIndex(self, handle: str, index: int) -> str:
        if index not in (0, 3):
            raise NvmlError("Not Found")
        return f"{handle}/{index}"


class NoDriver(ScriptedNvml):
    def nvmlInit(self) -> None:
        raise NvmlError("NVML Shared Library Not Found")


def test_each_gpu_is_described_with_its_slices() -> None:
    nvml = ScriptedNvml()

    hardware = observe_hardware(nvml=nvml)

    assert hardware.as_json()["gpus"] == [
        {
            "uuid": "GPU-gpu0",
            "model": "Test GPU",
            "memory_bytes": 80 << 30,
            "driver": "570.86.15",
            "cuda": "12.8",
            "compute_capability": "9.0",
            "mig": {
                "mode": "enabled",
                "instances": [
                    {"uuid": "MIG-gpu0/0", "name": "Test GPU MIG 1g.10gb", "memory_bytes": 10 << 30},
                    {"uuid": "MIG-gpu0/3", "name": "Test GPU MIG 1g.10gb", "memory_bytes": 10 << 30},
                ],
            },
        }
    ]
    assert hardware.reason is None
    assert nvml.open == 0, "what is opened is closed"


@pytest.mark.parametrize(("mig", "mode"), [(0, "disabled"), (None, "not supported")])
def test_a_gpu_without_slices_says_why(mig: int | None, mode: str) -> None:
    (gpu,) = observe_hardware(nvml=ScriptedNvml(mig=mig)).gpus

    assert (gpu.mig, gpu.mig_instances) == (mode, ())


@pytest.mark.parametrize("nvml", [NoDriver(), ScriptedNvml(devices=0)])
def test_without_a_gpu_none_is_made_up_and_the_reason_is_given(nvml: ScriptedNvml) -> None:
    hardware = observe_hardware(nvml=nvml)

    assert hardware.as_json()["gpus"] == []
    assert "NVML" in str(hardware.as_json()["reason"])


def test_this_machine_is_described_and_can_be_written_into_a_statement() -> None:
    hardware = observe_hardware()

    assert hardware.cpu.cores >= 1
    assert hardware.memory_bytes > 0
    assert bool(hardware.gpus) != bool(hardware.reason)
    assert hardware.torch is not None
    canonical_json(hardware.as_json())


def test_the_processor_is_named_with_its_sorted_flags(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nmodel name\t: Test CPU: fast\nflags\t\t: sse2 avx2 sse2\n\nprocessor\t: 1\n")

    cpu = observe_hardware(nvml=NoDriver(), cpuinfo=cpuinfo).cpu

    assert (cpu.model, cpu.flags) == ("Test CPU: fast", ("avx2", "sse2"))


def test_the_driver_library_knows_every_name_that_is_asked() -> None:
    import pynvml

    asked = {name for name in vars(ScriptedNvml) if name.startswith("nvml")} | {"NVMLError"}

    assert {name for name in asked if not hasattr(pynvml, name)} == set()
