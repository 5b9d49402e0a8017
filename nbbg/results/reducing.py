"""How the values that a run logged of a metric become one: `last`, `best`, or `mean:K`.

`best` is the best finite value. `mean:K` is the mean of the last K values, and needs K of them, all
finite: a mean of fewer would be compared with means of K. A named result is a curve of one value.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from nbbg import model
from nbbg.classes import dataclass, replace
from nbbg.errors import UsageError
from nbbg.results import values
from nbbg.results.samples import Curve
from nbbg.store import curves
from nbbg.store import metrics as store_metrics

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LAST, BEST, MEAN = "last", "best", "mean"


@dataclass(frozen=True)
class Reduction:
    """Which one value stands for a run."""

    kind: str = LAST
    count: int = 1  # of the last values that are averaged
    lower_is_better: bool = False


def parse(text: str, *, lower_is_better: bool = False) -> Reduction:
    """What `last`, `best` or `mean:5` means.

    Raises:
        UsageError: it is none of them.
    """
    if text in {LAST, BEST}:
        return Reduction(text, lower_is_better=lower_is_better)
    if found := re.fullmatch(r"mean:([1-9]\d{0,8})", text):
        return Reduction(MEAN, int(found[1]), lower_is_better)
    message = f"{text!r} is no way to make one value of many\nthere are: last, best, mean:5"
    raise UsageError(message)


def of_run(run: model.Run, metric: str, how: Reduction) -> tuple[float, str]:
    """The value that stands for a run that succeeded; or NaN, and why there is none."""
    if run.state.word != model.Succeeded.word:
        return math.nan, run.state.word
    return value(run, metric, how)


def whole(run: model.Run, how: Reduction) -> tuple[model.Run, dict[str, str]]:
    """The run with the reduced value of each metric; and of those that have none, why."""
    drawn = curves.read(run.folder) if run.attempt else {}
    found: dict[str, Any] = {}
    without: dict[str, str] = {}
    for name, last in values.measured(run).items():
        if run.cleaned_at and name in run.metrics:
            without[name] = value(run, name, how)[1]
            continue
        logged = drawn[name].values if name in drawn else [last]
        why = values.unfit(last, name) if name not in drawn else ""
        one, why = (math.nan, why) if why else _of_curve(logged, name, how)
        if why:
            without[name] = why
        else:
            found[name] = one
    return replace(run, metrics=found, scalars={}), without


def value(run: model.Run, metric: str, how: Reduction) -> tuple[float, str]:
    """The same for a run in any state."""
    found = values.measured(run)
    if metric not in found:
        return math.nan, f"no {metric}"
    if how.kind == LAST or metric not in run.metrics:
        why = values.unfit(found[metric], metric) or _too_few(1, metric, how)
        return (math.nan, why) if why else (curves.number(found[metric]), "")
    if how.kind == BEST and (span := run.spans.get(metric)):
        return _best(span.low if how.lower_is_better else span.high, metric)
    if run.cleaned_at:
        return math.nan, f"the values of {metric} were cleaned away"
    if metric in run.spans and how.kind == MEAN:
        return _of_curve(curves.last(run.folder, metric, how.count), metric, how)
    drawn = curve(run, metric)
    return _of_curve(drawn.values, metric, how) if drawn else (math.nan, f"{metric} is no number")


def curve(run: model.Run, metric: str) -> Curve | None:
    """All values that a run logged of a metric; None where it logged no number of that name."""
    found = curves.read(run.folder, (metric,)).get(metric) if run.attempt else None
    return Curve(tuple(found.numbered()), tuple(found.values)) if found else None


def spans(run: model.Run) -> Mapping[str, model.Span]:
    """How far each of its curves goes; of a run that resumed, over its attempts."""
    return run.spans if run.spans or not run.metrics else store_metrics.spans(run.folder)


def _of_curve(logged: Sequence[float], metric: str, how: Reduction) -> tuple[float, str]:
    if how.kind == BEST:
        finite = filter(math.isfinite, logged)
        return _best((min if how.lower_is_better else max)(finite, default=None), metric)
    last = logged[-how.count :]
    if why := _too_few(len(last), metric, how):
        return math.nan, why
    for one in last:
        if why := values.unfit(one, metric):
            return math.nan, f"{why} among its last {how.count}"
    return math.fsum(last) / len(last), ""


def _best(found: float | None, metric: str) -> tuple[float, str]:
    return (found, "") if found is not None else (math.nan, f"{metric} was never finite")


def _too_few(count: int, metric: str, how: Reduction) -> str:
    if how.kind != MEAN or count >= how.count:
        return ""
    return f"{metric} has {count} of {how.count} values"
