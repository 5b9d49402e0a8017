"""What is installed beside nbbg: the GPU's driver, programs that executors use, environments."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from nbbg import gpus
from nbbg.errors import EnvironmentFault
from nbbg.notebook.interpreters import places
from nbbg.ops.doctor.finding import NOTE, OK, PROBLEM, WARNING, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbbg.ops.doctor.patient import Patient

_PROGRAMS = {"tmux": "--executor tmux", "ssh": "ssh", "rsync": "ssh", "sbatch": "Slurm", "uv": "uv"}
_MISMATCH = "version mismatch"


def gpu(patient: Patient) -> Iterator[Finding]:
    """Whether NVIDIA's driver, its tools and its library are there, and of one version."""
    loaded = patient.file("proc/driver/nvidia/version").partition("\n")[0]
    if not loaded and shutil.which("nvidia-smi") is None:
        yield Finding(OK, "no NVIDIA GPU here")
        return
    if not loaded:
        yield Finding(
            PROBLEM, "nvidia-smi is there, and no driver is loaded", "sudo modprobe nvidia"
        )
        return
    if shutil.which("nvidia-smi") is None:
        yield Finding(WARNING, "there is no nvidia-smi in PATH", "install the driver's utilities")
    try:
        known = gpus.known()
    except EnvironmentFault as error:
        yield _fault(str(error))
    else:
        yield Finding(OK, f"{len(known)} NVIDIA GPUs can be asked")


def _fault(text: str) -> Finding:
    why, _, mend = text.partition("\n")
    if _MISMATCH in why.lower():
        what = f"{why}: the driver was upgraded, and the old one is still loaded"
        return Finding(PROBLEM, what, "restart the machine, or: sudo rmmod nvidia")
    return Finding(WARNING if mend == gpus.INSTALL else PROBLEM, why, mend)


def others(_: Patient) -> Iterator[Finding]:
    """Which programs there are, for information."""
    there = [name for name in _PROGRAMS if shutil.which(name)]
    missing = [name for name in _PROGRAMS if name not in there]
    without = f"; not: {', '.join(missing)}" if missing else ""
    yield Finding(OK, f"{', '.join(there) or 'none'}{without}")


def environments(patient: Patient) -> Iterator[Finding]:
    """The environments that headers of notebooks have asked for; they can be made again."""
    folder = places.cache(patient.environment) / "environments"
    try:
        count = sum(1 for each in os.scandir(folder) if each.is_dir())
    except FileNotFoundError:
        return
    if not os.access(folder, os.W_OK):
        yield Finding(WARNING, f"{folder} can't be written", f"chmod u+rwx {folder}")
    else:
        yield Finding(NOTE if count else OK, f"{count} made by uv, in {folder}")
