"""The GPUs of this machine, as NVIDIA's management library (NVML) tells of them.

Their numbers are those of the PCI bus, as in nvidia-smi. pynvml, which nvidia-ml-py installs,
lives here alone; it is imported when somebody asks.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from nbbg.classes import dataclass
from nbbg.errors import EnvironmentFault

if TYPE_CHECKING:
    from collections.abc import Sequence

INSTALL = "pip install 'nbbg[gpu]'"


@dataclass(frozen=True)
class Use:
    """What a GPU is used for now."""

    free: int  # bytes
    processes: Sequence[tuple[int, int]]  # that compute: pid, bytes (0 where it is not known)


def known() -> dict[str, str]:
    """The UUID of each GPU, by its number.

    Raises:
        EnvironmentFault: NVML can't be asked; the message says why, and what to type.
    """
    nvml = _nvml()
    try:
        count = range(nvml.nvmlDeviceGetCount())
        handles = [nvml.nvmlDeviceGetHandleByIndex(index) for index in count]
        return {str(n): str(nvml.nvmlDeviceGetUUID(handle)) for n, handle in enumerate(handles)}
    except nvml.NVMLError as error:
        raise EnvironmentFault(f"the GPUs can't be asked: {error}") from error


def use(gpu: str) -> Use | None:
    """What that GPU is used for; None where there is none.

    Args:
        gpu: its number or its UUID.

    Raises:
        EnvironmentFault: NVML can't be asked.
    """
    nvml = _nvml()
    try:
        handle = _handle(nvml, gpu)
        return Use(int(nvml.nvmlDeviceGetMemoryInfo(handle).free), _processes(nvml, handle))
    except (nvml.NVMLError_NotFound, nvml.NVMLError_InvalidArgument, nvml.NVMLError_GpuIsLost):
        return None
    except nvml.NVMLError as error:
        raise EnvironmentFault(f"GPU {gpu} can't be asked: {error}") from error


def _handle(nvml: Any, gpu: str) -> Any:
    if gpu.isdigit():
        return nvml.nvmlDeviceGetHandleByIndex(int(gpu))
    return nvml.nvmlDeviceGetHandleByUUID(gpu)


def _processes(nvml: Any, handle: Any) -> list[tuple[int, int]]:
    """Those that compute on it; none where NVML can't tell, as of a slice of a GPU (MIG)."""
    try:
        found = nvml.nvmlDeviceGetComputeRunningProcesses(handle)
    except nvml.NVMLError:
        return []
    return [(int(each.pid), int(each.usedGpuMemory or 0)) for each in found]


@functools.cache
def _nvml() -> Any:
    """The library, at work until this process ends."""
    try:
        import pynvml
    except ImportError as error:
        missing = "the GPUs can't be asked: there is no nvidia-ml-py beside nbbg"
        raise EnvironmentFault(f"{missing}\n{INSTALL}") from error
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        raise EnvironmentFault(f"the GPUs can't be asked: {error}\nsee: nvidia-smi") from error
    return pynvml
