"""Pictures for commands: matplotlib where it is installed, else a sentence on how to have it."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbbg.cli import output, placing
from nbbg.errors import UsageError
from nbbg.results.pictures import writing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import ModuleType

    from nbbg import model
    from nbbg.results.comparison import Comparison

OPTION = "--plot"


def check(name: str) -> Path:
    """The path of a picture that can be made, before anything is computed for it.

    Raises:
        UsageError: its name has no known format, it can't be put there, or matplotlib is missing.
    """
    path = Path(name)
    writing.kind_of(path)
    placing.check(path, OPTION)
    composing()
    return path


def plot(comparison: Comparison, runs: Iterable[model.Run], path: Path) -> None:
    """Make the picture of a comparison, with a sweep's parameters where the runs had some.

    Raises:
        UsageError: as `check` does, or it can't be written.
    """
    figure = composing().compose(comparison, params(runs))
    placing.put(path, writing.to_bytes(figure, writing.kind_of(path)), OPTION)
    output.say(f"picture: {path}")


def params(runs: Iterable[model.Run]) -> dict[str, Mapping[str, Any]]:
    """What tells arms apart: their parameters, and their notebooks."""
    arms = {run.arm.name: run.arm for run in runs}
    return {name: {**arm.params, "notebook": arm.notebook} for name, arm in arms.items()}


def comparing() -> ModuleType:
    """The module that needs SciPy.

    Raises:
        UsageError: that is not installed.
    """
    return _needed("nbbg.results.comparing", "statistics")


def composing() -> ModuleType:
    """The module that needs matplotlib.

    Raises:
        UsageError: that is not installed.
    """
    return _needed("nbbg.results.pictures.composing", "pictures")


def _needed(module: str, extra: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        message = f"{extra} need {error.name}, which is not installed"
        raise UsageError(f"{message}\npip install 'nbbg[{extra}]'") from error
