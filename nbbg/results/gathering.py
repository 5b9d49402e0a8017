"""From runs to samples: of each arm the last value of a metric by seed, and every run without."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from nbbg import model, results
from nbbg.errors import UsageError
from nbbg.results.samples import LeftOut, Sample

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def gather(
    runs: Iterable[model.Run],
    metric: str,
    *,
    reduce: str = "last",
    lower_is_better: bool = False,
    curves: bool = False,
) -> list[Sample]:
    """The samples of a metric, by arm; where a number was run anew, the newest run counts.

    Raises:
        UsageError: no run has the metric, or `reduce` has no meaning.
    """
    del lower_is_better, curves
    if reduce != "last":
        raise UsageError(f"--reduce {reduce}: there is `last`")
    found = results.current(runs)
    known = results.metrics(found)
    if metric not in known:
        some = f"there are {', '.join(known[: results.SOME])}" if known else "none was logged yet"
        raise UsageError(f"no run has a metric {metric!r}; {some}\nsee: nbbg results")
    of_arm: dict[str, list[model.Run]] = {}
    for run in found:
        of_arm.setdefault(run.arm.name, []).append(run)
    return [_sample(mine, metric) for mine in of_arm.values()]


def _sample(runs: Sequence[model.Run], metric: str) -> Sample:
    whys = {run.id: _why_not(run, metric) for run in runs}
    fit = [run for run in runs if not whys[run.id]]
    return Sample(
        runs[0].arm.name,
        {run.seed: float(run.metrics[metric]) for run in fit},
        [LeftOut(run.id, run.seed, whys[run.id]) for run in runs if whys[run.id]],
        {run.seed: run.id for run in fit},
        sources=list(dict.fromkeys(run.arm.source for run in fit)),
    )


def _why_not(run: model.Run, metric: str) -> str:
    if run.state.word != model.Succeeded.word:
        return run.state.word
    value = run.metrics.get(metric)
    if value is None:
        return f"no {metric}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"{metric} is no number"
    return "" if math.isfinite(value) else f"{metric} is {value:g}"
