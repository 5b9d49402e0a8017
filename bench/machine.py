"""What the figures were taken on, and with: enough to compare, nothing that names the machine."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
import time
from importlib.metadata import version
from typing import TYPE_CHECKING

import nbbg

if TYPE_CHECKING:
    from pathlib import Path

_LIBRARIES = ("ipython", "numpy", "pandas", "scikit-learn")


def described(top: Path) -> dict[str, str]:
    """The machine, and the folder that is measured in."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "processor": f"{_model()}, {len(os.sched_getaffinity(0))} cores",
        "memory": f"{memory:.0f} GiB",
        "system": platform.system(),
        "temporary folder": f"on {_said('stat', '-f', '-c', '%T', str(top))}",
        "load when it began": f"{os.getloadavg()[0]:.1f}",
    }


def versions() -> dict[str, str]:
    """nbbg's, and of what its notebooks are run with."""
    found = {
        "nbbg": nbbg.__version__,
        "Python": platform.python_version(),
        "SQLite": sqlite3.sqlite_version,
    }
    return found | {name: version(name) for name in _LIBRARIES}


def _model() -> str:
    told = _said("sed", "-n", "s/^model name.*: //p", "/proc/cpuinfo").partition("\n")[0]
    return told or platform.machine()


def _said(*argv: str) -> str:
    try:
        return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""
