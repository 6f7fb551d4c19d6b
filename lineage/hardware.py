"""On what a training run ran: processors as the machine itself names them.

GPUs are asked through NVML, the driver's own interface. Without a driver the observation says so and lists
none: a GPU that nobody saw is never written down. No host name, address or serial number of the machine is
kept, only what decides how fast and how exactly it computes (a GPU's UUID is the one name it has).

    >>> observe_hardware().as_json()["machine"]  # doctest: +SKIP
    'x86_64'
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from governance.canonical import Json

CPUINFO = Path("/proc/cpuinfo")


class Nvml(Protocol):
    """The part of NVML that is asked, under the names that ``pynvml`` gives it.

    https://docs.nvidia.com/deploy/nvml-api/. ``NVMLError`` is the base of all its refusals.
    """

    NVMLError: type[Exception]

    def nvmlInit(self) -> None: ...  # noqa: N802, D102 - NVML's own names and documentation, here and below
    def nvmlShutdown(self) -> None: ...  # noqa: N802, D102
    def nvmlSystemGetDriverVersion(self) -> str: ...  # noqa: N802, D102
    def nvmlSystemGetCudaDriverVersion_v2(self) -> int: ...  # noqa: N802, D102
    def nvmlDeviceGetCount(self) -> int: ...  # noqa: N802, D102
    def nvmlDeviceGetHandleByIndex(self, index: int) -> Any: ...  # noqa: N802, D102
    def nvmlDeviceGetUUID(self, handle: Any) -> str: ...  # noqa: N802, D102
    def nvmlDeviceGetName(self, handle: Any) -> str: ...  # noqa: N802, D102
    def nvmlDeviceGetMemoryInfo(self, handle: Any) -> Any: ...  # noqa: N802, D102
    def nvmlDeviceGetCudaComputeCapability(self, handle: Any) -> Sequence[int]: ...  # noqa: N802, D102
    def nvmlDeviceGetMigMode(self, handle: Any) -> Sequence[int]: ...  # noqa: N802, D102
    def nvmlDeviceGetMaxMigDeviceCount(self, handle: Any) -> int: ...  # noqa: N802, D102
    def nvmlDeviceGetMigDeviceHandleByIndex(self, handle: Any, index: int) -> Any: ...  # noqa: N802, D102


@dataclass(frozen=True)
class MigInstance:
    """A slice of a GPU (Multi-Instance GPU)."""

    uuid: str
    name: str
    memory_bytes: int

    def as_json(self) -> Json:
        """The slice as JSON."""
        return {"uuid": self.uuid, "name": self.name, "memory_bytes": self.memory_bytes}


@dataclass(frozen=True)
class Gpu:
    """One GPU as its driver describes it."""

    uuid: str
    model: str
    memory_bytes: int
    driver: str
    cuda: str
    """The newest CUDA version the driver serves, ``major.minor``."""
    compute_capability: str
    mig: str
    """``enabled``, ``disabled`` or ``not supported``."""
    mig_instances: tuple[MigInstance, ...]

    def as_json(self) -> Json:
        """The GPU as JSON."""
        return {
            "uuid": self.uuid,
            "model": self.model,
            "memory_bytes": self.memory_bytes,
            "driver": self.driver,
            "cuda": self.cuda,
            "compute_capability": self.compute_capability,
            "mig": {"mode": self.mig, "instances": [instance.as_json() for instance in self.mig_instances]},
        }


@dataclass(frozen=True)
class Cpu:
    """The processor as the kernel describes it."""

    model: str
    flags: tuple[str, ...]
    """Instruction set extensions, sorted: they decide which code path a numerical library takes."""
    cores: int
    """Logical processors that this process may use."""

    def as_json(self) -> Json:
        """The processor as JSON."""
        return {"model": self.model, "flags": list(self.flags), "cores": self.cores}


@dataclass(frozen=True)
class Torch:
    """What torch itself says it can compute on."""

    version: str
    cuda: str | None
    """The CUDA version torch was built for; None for a CPU build."""
    devices: tuple[str, ...]
    """CUDA devices visible to torch: ``<name>, <compute capability>``."""

    def as_json(self) -> Json:
        """Torch's answer as JSON."""
        return {"version": self.version, "cuda": self.cuda, "devices": list(self.devices)}


@dataclass(frozen=True)
class Hardware:
    """All that was observed of the machine."""

    machine: str
    system: str
    cpu: Cpu
    memory_bytes: int
    gpus: tuple[Gpu, ...]
    reason: str | None
    """Why there are no GPUs; None where there are some."""
    torch: Torch | None
    """None where torch is not installed."""

    def as_json(self) -> Json:
        """The observation as JSON, for a statement."""
        return {
            "machine": self.machine,
            "system": self.system,
            "cpu": self.cpu.as_json(),
            "memory_bytes": self.memory_bytes,
            "gpus": [gpu.as_json() for gpu in self.gpus],
            "reason": self.reason,
            "torch": self.torch.as_json() if self.torch else None,
        }


def observe_hardware(*, nvml: Nvml | None = None, cpuinfo: Path = CPUINFO) -> Hardware:
    """Observe the machine this process runs on.

    :param nvml: who answers for the GPUs; the driver's NVML through ``pynvml`` if not given.
    """
    gpus, reason = _gpus(nvml if nvml is not None else _driver())
    return Hardware(
        machine=platform.machine(),
        system=f"{platform.system()} {platform.release()}",
        cpu=_cpu(cpuinfo),
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        gpus=gpus,
        reason=reason,
        torch=_torch(),
    )


def _driver() -> Nvml:
    import pynvml

    driver: Nvml = pynvml
    return driver


def _gpus(nvml: Nvml) -> tuple[tuple[Gpu, ...], str | None]:
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        return (), f"no GPU can be seen: NVML says {error}"
    try:
        found = tuple(_gpu(nvml, nvml.nvmlDeviceGetHandleByIndex(index)) for index in range(nvml.nvmlDeviceGetCount()))
    finally:
        nvml.nvmlShutdown()
    return found, None if found else "no GPU can be seen: NVML counts 0 devices"


def _gpu(nvml: Nvml, handle: Any) -> Gpu:
    cuda = nvml.nvmlSystemGetCudaDriverVersion_v2()  # 1000 * major + 10 * minor
    major, minor = nvml.nvmlDeviceGetCudaComputeCapability(handle)
    mode = _mig_mode(nvml, handle)
    return Gpu(
        uuid=nvml.nvmlDeviceGetUUID(handle),
        model=nvml.nvmlDeviceGetName(handle),
        memory_bytes=int(nvml.nvmlDeviceGetMemoryInfo(handle).total),
        driver=nvml.nvmlSystemGetDriverVersion(),
        cuda=f"{cuda // 1000}.{cuda % 1000 // 10}",
        compute_capability=f"{major}.{minor}",
        mig=mode,
        mig_instances=tuple(_mig_instances(nvml, handle)) if mode == "enabled" else (),
    )


def _mig_mode(nvml: Nvml, handle: Any) -> str:
    try:
        current, _pending = nvml.nvmlDeviceGetMigMode(handle)
    except nvml.NVMLError:  # the driver's way to say that this model has no MIG
        return "not supported"
    return "enabled" if current else "disabled"


def _mig_instances(nvml: Nvml, handle: Any) -> Iterator[MigInstance]:
    for index in range(nvml.nvmlDeviceGetMaxMigDeviceCount(handle)):
        try:
            instance = nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, index)
        except nvml.NVMLError:  # a free slot
            continue
        yield MigInstance(
            uuid=nvml.nvmlDeviceGetUUID(instance),
            name=nvml.nvmlDeviceGetName(instance),
            memory_bytes=int(nvml.nvmlDeviceGetMemoryInfo(instance).total),
        )


def _cpu(cpuinfo: Path) -> Cpu:
    facts = _first_processor(cpuinfo)
    return Cpu(
        model=facts.get("model name") or platform.processor() or "unknown",
        flags=tuple(sorted(set((facts.get("flags") or facts.get("Features") or "").split()))),  # x86, arm64
        cores=_usable_processors(),
    )


def _first_processor(cpuinfo: Path) -> dict[str, str]:
    if not cpuinfo.exists():
        return {}
    block = cpuinfo.read_text(encoding="utf-8", errors="replace").split("\n\n", maxsplit=1)[0]
    pairs = (line.partition(":") for line in block.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _usable_processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _torch() -> Torch | None:
    try:
        import torch
    except ImportError:
        return None
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    devices = (torch.cuda.get_device_properties(index) for index in range(count))
    return Torch(
        version=str(torch.__version__),
        cuda=torch.version.cuda,
        devices=tuple(f"{device.name}, {device.major}.{device.minor}" for device in devices),
    )
