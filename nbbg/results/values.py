"""The value of a metric in a run that counts, or why there is none."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from nbbg.errors import UsageError
from nbbg.store import curves, results

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from nbbg import model

SOME = 12  # metrics that are named


def metrics(runs: Iterable[model.Run]) -> list[str]:
    """The names of all metrics, in the order in which they were first seen."""
    return list(dict.fromkeys(name for run in runs for name in measured(run)))


def measured(run: model.Run) -> Mapping[str, Any]:
    """The last value of each metric, and before them the named results that fit a table."""
    named = named_results(run)[0]
    return {**named, **run.metrics} if named else run.metrics


def named_results(run: model.Run) -> tuple[Mapping[str, Any], Sequence[str]]:
    """Its named results that are a number, a bool or a short text; of the others name and kind."""
    if run.scalars is None:
        return results.scalars(run.folder) if run.attempt else ({}, ())
    return run.scalars, run.others


def current(runs: Iterable[model.Run]) -> list[model.Run]:
    """The runs by arm and number; where a number was run anew, the newest.

    Without those that a batch until decided did not need.
    """
    newest: dict[tuple[str, int], model.Run] = {}
    for run in runs:
        if run.needless:
            continue
        key = run.arm.name, run.number
        if key not in newest or newest[key].id < run.id:
            newest[key] = run
    return [newest[key] for key in sorted(newest)]


def require(runs: Iterable[model.Run], metric: str) -> None:
    """Make sure that some run has the metric.

    Raises:
        UsageError: none has; the message names those there are, the most alike first.
    """
    known = metrics(runs)
    if metric in known:
        return
    import difflib

    alike = difflib.get_close_matches(metric, known, 1)
    ordered = [*alike, *(name for name in known if name not in alike)]
    more = ", ..." if ordered[SOME:] else ""
    some = f"there are {', '.join(ordered[:SOME])}{more}" if known else "none was logged yet"
    meant = f"; did you mean {alike[0]}?" if alike else ""
    raise UsageError(f"no run has a metric {metric!r}{meant}; {some}\nsee: nbbg results")


def unfit(value: Any, metric: str) -> str:
    """Why a value can't be reckoned with; empty where it can."""
    if not curves.is_number(value):
        return f"{metric} is no number"
    value = curves.number(value)
    if math.isnan(value):
        return f"{metric} is NaN"
    return f"{metric} is infinite" if math.isinf(value) else ""
