"""How the values that a run logged of a metric become one: `last`, `best`, or `mean:K`."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbbg.errors import UsageError

if TYPE_CHECKING:
    from nbbg.results.samples import Curve

LAST, BEST, MEAN = "last", "best", "mean"


@dataclass(frozen=True)
class Reduction:
    """Which one value stands for a run."""

    kind: str
    count: int = 1  # of the last values that are averaged


def parse(text: str) -> Reduction:
    """What `last`, `best` or `mean:5` means.

    Raises:
        UsageError: it is none of them.
    """
    if text in {LAST, BEST}:
        return Reduction(text)
    if found := re.fullmatch(r"mean:([1-9]\d{0,8})", text):
        return Reduction(MEAN, int(found[1]))
    message = f"{text!r} is no way to reduce a curve to one value\nthere are: last, best, mean:5"
    raise UsageError(message)


def reduce(
    curve: Curve, metric: str, how: Reduction, *, lower_is_better: bool
) -> tuple[float, str]:
    """The one value of a curve; or NaN, and why there is none.

    `best` is the best finite value. `mean:K` needs K values, all of them finite: a mean of fewer
    would be compared with means of K.
    """
    if how.kind == BEST:
        finite = [value for value in curve.values if math.isfinite(value)]
        if finite:
            return (min if lower_is_better else max)(finite), ""
        return math.nan, f"{metric} was never finite"
    last = curve.values[-how.count :]
    if len(last) < how.count:
        return math.nan, f"{metric} has {len(last)} values, and {how.count} are averaged"
    if all(map(math.isfinite, last)):
        return math.fsum(last) / len(last), ""
    what = "NaN" if any(map(math.isnan, last)) else "infinite"
    among = f" among the last {how.count}" if how.count > 1 else ""
    return math.nan, f"{metric} is {what}{among}"
