"""Pictures for commands: matplotlib where it is installed, else a sentence on how to have it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbbg.cli import output, placing
from nbbg.errors import EnvironmentFault
from nbbg.index import Index
from nbbg.results.pictures import writing

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

    from nbbg.results.comparison import Comparison
    from nbbg.store.place import Store

OPTION = "--plot"


def check(name: str) -> Path:
    """The path of a picture that can be made, before anything is computed for it.

    Raises:
        UsageError: its name has no known format, or it can't be put there.
        EnvironmentFault: matplotlib is not installed.
    """
    path = Path(name)
    writing.kind_of(path)
    placing.check(path, OPTION)
    composing()
    return path


def plot(store: Store, comparison: Comparison, path: Path) -> None:
    """Make the picture of a comparison, against the parameters where there was a sweep.

    Raises:
        UsageError: as `check` does, or it can't be written.
    """
    with Index(store) as index:
        given = params(index, comparison)
    figure = composing().compose(comparison, given)
    placing.put(path, writing.to_bytes(figure, writing.kind_of(path)), OPTION)
    output.say(f"picture: {path}")


def params(index: Index, comparison: Comparison) -> dict[str, Mapping[str, Any]]:
    """What tells arms apart: their parameters, and their notebooks."""
    found: dict[str, Mapping[str, Any]] = {}
    for sample in comparison.samples:
        run = index.run(next(iter(sample.runs.values()), 0))
        if run:
            found[sample.arm] = {**run.arm.params, "notebook": run.arm.notebook}
    return found


def composing() -> ModuleType:
    """The module that needs matplotlib.

    Raises:
        EnvironmentFault: that is not installed.
    """
    try:
        from nbbg.results.pictures import composing
    except ModuleNotFoundError as error:
        message = f"pictures need {error.name}, which is not installed"
        raise EnvironmentFault(f"{message}\npip install 'nbbg[pictures]'") from error
    return composing
