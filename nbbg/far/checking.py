"""`check`: what this machine is, and whether runs could work here."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbbg import files, gpus, process
from nbbg.errors import EnvironmentFault, NbbgError
from nbbg.far import arms
from nbbg.runner.environment import cpus
from nbbg.settings import values

if TYPE_CHECKING:
    from collections.abc import Mapping

LEAST = 50_000_000  # bytes that must be free


def carry_out(request: Mapping[str, Any]) -> dict[str, Any]:
    """Say it; the folder is made where it is not there.

    Raises:
        EnvironmentFault: no run could work here.
    """
    folder = Path(request["folder"])
    if not folder.exists():
        files.make_folder(folder)
    free = shutil.disk_usage(folder).free
    if free < LEAST:
        raise EnvironmentFault(f"{folder}: No space left on device ({free // 10**6} MB are free)")
    if shutil.which("rsync") is None:
        raise EnvironmentFault("it has no rsync\ninstall it there")
    return {
        "folder": str(folder),
        "host": process.host(),
        "python": platform.python_version(),
        "runs": _interpreter(folder, request),
        "cpus": cpus(),
        "free": free,
        "gpus": _gpus(),
        "time": time.time(),
    }


def _interpreter(folder: Path, request: Mapping[str, Any]) -> str:
    """What runs would work in, or why there is none."""
    try:
        return arms.usual(folder, str(request.get("python", "")), str(request.get("engine", "")))
    except NbbgError as error:
        if request.get("strict"):
            raise
        return str(error).partition("\n")[0]


def _gpus() -> list[str]:
    """Its GPUs: their names where somebody can tell them, else their number."""
    found: list[str] = []
    with contextlib.suppress(EnvironmentFault):
        found = list(gpus.known())
    if not found and os.path.isdir("/dev"):
        found = [name for name in sorted(os.listdir("/dev")) if _is_gpu(name)]
    return found


def _is_gpu(name: str) -> bool:
    return (
        name.startswith("nvidia") and values.GPU.fullmatch(name.removeprefix("nvidia")) is not None
    )
