"""From samples to what `nbbg compare` says: figures of arms, of pairs, and who has won."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import TYPE_CHECKING

import nbbg.results.statistics  # noqa: F401 - before NumPy, for it says what is not installed

# isort: split
import numpy as np

from nbbg.errors import UsageError
from nbbg.results import contrasts, verdict, wording
from nbbg.results.comparison import Comparison, Interval, Pair, Summary
from nbbg.results.statistics import describing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from nbbg.results.samples import Sample

MOST_ARMS = 60  # that are compared each with each: 1770 pairs
LARGEST, SMALLEST = 1e150, 1e-150  # the size of the largest value, so that squares are numbers
_NAMED = 8  # arms that a message names
_FEWEST = 2  # values that have a spread


def compare(
    samples: Sequence[Sample], metric: str, *, lower_is_better: bool = False, baseline: str = ""
) -> Comparison:
    """Compare arms by a metric: each with each, or each with the baseline.

    Raises:
        UsageError: no arm has a value, there is no such baseline, arms are too many, or values are
            too large or too small to be squared.
    """
    _check(samples, metric, baseline)
    sign = -1 if lower_is_better else 1
    summaries = {sample.arm: _summary(sample) for sample in samples}
    ordered = sorted(samples, key=lambda each: _rank(summaries[each.arm], sign))
    with_values = [sample for sample in ordered if sample.values]
    found = contrasts.pairs(
        [
            contrasts.contrast(one, other, lower_is_better=lower_is_better)
            for one, other in itertools.combinations(with_values, 2)
            if not baseline or baseline in (one.arm, other.arm)
        ]
    )
    winner = _winner([sample.arm for sample in with_values], found, baseline)
    about = verdict.About(metric, lower_is_better, baseline, ordered, found, winner)
    return Comparison(
        metric=metric,
        lower_is_better=lower_is_better,
        baseline=baseline,
        samples=ordered,
        summaries={sample.arm: summaries[sample.arm] for sample in ordered},
        pairs=found,
        winner=winner,
        verdict=verdict.sentences(about, summaries),
        notes=verdict.notes(about, summaries),
    )


def _check(samples: Sequence[Sample], metric: str, baseline: str) -> None:
    arms = [sample.arm for sample in samples]
    if not any(sample.values for sample in samples):
        raise UsageError(f"no value of {metric} counts{_why(samples)}\nsee: nbbg results")
    if baseline and baseline not in arms:
        some = ", ".join(arms[:_NAMED]) + (", ..." if arms[_NAMED:] else "")
        raise UsageError(f"the baseline {baseline!r} is none of the arms {some}\nsee: nbbg results")
    if len(arms) > MOST_ARMS and not baseline:
        message = f"{len(arms)} arms are too many to compare each with each (at most {MOST_ARMS})"
        raise UsageError(f"{message}\nname some of them, or one of them: --baseline {arms[0]}")
    for sample in samples:
        for seed, value in sample.values.items():
            if not abs(value) < LARGEST:
                message = f"{metric} of {sample.arm}, seed {seed}, is {value:g}"
                raise UsageError(f"{message}: no statistics of that\nsee: nbbg results")
    largest = max(abs(value) for sample in samples for value in sample.values.values())
    if 0 < largest < SMALLEST:
        message = f"every {metric} is at most {largest:g}: no statistics of that"
        raise UsageError(f"{message}\nlog it in another unit, or its logarithm")


def _why(samples: Sequence[Sample]) -> str:
    """Why none does, by the number of runs: `: accuracy is NaN` where it is one reason for all."""
    counted = Counter(one.why for each in samples for one in each.left_out).most_common()
    if len(counted) < _FEWEST:
        return "".join(f": {why}" for why, _ in counted)
    said = (f"{why} ({count} {'run' if count == 1 else 'runs'})" for why, count in counted)
    return f": {wording.some(said)}"


def _rank(summary: Summary, sign: int) -> tuple[bool, float]:
    return summary.mean is None, -sign * (summary.mean or 0.0)


def _summary(sample: Sample) -> Summary:
    values = np.array(list(sample.values.values()), float)
    failures = sum(each.why not in verdict.TO_COME for each in sample.left_out)
    if not values.size:
        nothing = (None,) * 8
        return Summary(sample.arm, 0, failures, *nothing)
    varies = values.size >= _FEWEST
    return Summary(
        sample.arm,
        values.size,
        failures,
        mean=float(values.mean()),
        iqm=describing.iqm(values),
        median=float(np.median(values)),
        sd=float(values.std(ddof=1)) if varies else None,
        low=float(values.min()),
        high=float(values.max()),
        range90=Interval(*describing.middle_ninety(values)) if varies else None,
        mean_interval=_bootstrap(values),
    )


def _bootstrap(values: NDArray[np.float64]) -> Interval | None:
    if values.size < describing.FEWEST or not np.ptp(values):
        return None
    low, high = describing.bca(values)
    return Interval(float(low), float(high))


def _winner(arms: Sequence[str], found: Sequence[Pair], baseline: str) -> str:
    """The arm that is better than every other with a value; none where not all pairs are known."""
    if baseline and len(arms) > _FEWEST and not _beats_all(baseline, arms, found):
        return ""
    return next((arm for arm in arms if _beats_all(arm, arms, found)), "")


def _beats_all(arm: str, arms: Sequence[str], found: Sequence[Pair]) -> bool:
    beaten = {pair.worse for pair in found if pair.better == arm and pair.decided}
    return len(arms) > 1 and beaten == {*arms} - {arm}
