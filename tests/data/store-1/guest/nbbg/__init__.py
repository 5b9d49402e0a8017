"""nbbg turns a Jupyter notebook into a durable background experiment.

From outside: `run`, `run_notebook`, `execute_run`, `as_completed`, `runs`. From inside a run, and
harmless anywhere else: `log`, `track`, `saved`, `params`, `seed_everything`, `checkpoint_dir`,
`should_stop`. Nothing is imported before it is asked for. This file also runs in the user's own
interpreter: standard library, Python 3.8.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbbg.inside import (
        checkpoint_dir,
        log,
        params,
        saved,
        seed_everything,
        should_stop,
        track,
    )
    from nbbg.ops.api import as_completed, run, run_notebook, runs
    from nbbg.ops.millrun import execute_run

__version__ = "0.1.0"
__all__ = [
    "as_completed",
    "checkpoint_dir",
    "execute_run",
    "log",
    "params",
    "run",
    "run_notebook",
    "runs",
    "saved",
    "seed_everything",
    "should_stop",
    "track",
]

_OUTSIDE = dict.fromkeys(("as_completed", "run", "run_notebook", "runs"), "nbbg.ops.api")
_OUTSIDE["execute_run"] = "nbbg.ops.millrun"


def __getattr__(name: str) -> Any:
    if name not in __all__:
        message = f"module 'nbbg' has no attribute {name!r}"
        raise AttributeError(message)
    home = _OUTSIDE.get(name, "nbbg.inside")
    if name in _OUTSIDE:
        _find_installed()
    try:
        try:
            return getattr(importlib.import_module(home), name)
        except ModuleNotFoundError:
            _follow()
            return getattr(importlib.import_module(home), name)
    except ModuleNotFoundError as error:
        message = f"nbbg.{name} needs nbbg itself in this interpreter: pip install nbbg"
        raise ImportError(message) from error


def _follow() -> None:
    """Find this package again after the project that it lies in, as a run's guest, was moved."""
    holding = importlib.import_module("nbbg.holding")
    before = os.path.dirname(__path__[-1])
    for folder in holding.folders.values():
        batch = os.path.abspath(os.path.join(folder.where(), "..", "..", ".."))
        now = os.path.join(batch, os.path.basename(before))
        packages = [sys.modules[name] for name in sys.modules if name.split(".")[0] == "nbbg"]
        for found in [sys.path, *(getattr(package, "__path__", []) for package in packages)]:
            found[:] = [
                now + each[len(before) :] if each.startswith(before) else each for each in found
            ]


def _find_installed() -> None:
    """Inside a run this package is the guest; what that has not is found in an installed nbbg."""
    for folder in sys.path:
        package = os.path.join(folder, "nbbg")
        if package not in __path__ and os.path.isfile(os.path.join(package, "ops", "api.py")):
            __path__.insert(0, package)
            for name, module in list(sys.modules.items()):
                if name.startswith("nbbg.") and hasattr(module, "__path__"):
                    module.__path__.append(os.path.join(package, *name.split(".")[1:]))
