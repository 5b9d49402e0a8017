"""Forks that say when they live, and the runner's program that one of them carries out."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import warnings
from typing import Any

RUNNER = "nbbg.runner.forked"


def fork() -> int:
    """Fork; 0 in the child."""
    with warnings.catch_warnings():  # of threads: those that there are, are known to be harmless
        warnings.simplefilter("ignore")
        return os.fork()


def load(package: str) -> Any:
    """The runner, from the nbbg in that folder, whichever is the guest's."""
    init = os.path.join(package, "__init__.py")
    spec = importlib.util.spec_from_file_location(
        "nbbg", init, submodule_search_locations=[package]
    )
    assert spec is not None  # noqa: S101 - it is a .py file
    assert spec.loader is not None  # noqa: S101 - and so has one
    module = importlib.util.module_from_spec(spec)
    sys.modules["nbbg"] = module
    spec.loader.exec_module(module)
    return importlib.import_module(RUNNER)
