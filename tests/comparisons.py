"""Comparisons for tests of pictures: made up, with figures that are near enough to be looked at."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from nbbg.results.comparison import Comparison, Interval, Pair, Summary
from nbbg.results.samples import Curve, LeftOut, Sample

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


_NONE = (None, None, None, None, None, None)


def of_arms(arms: Sequence[str], seeds: int, *, curves: bool = False, **more: Any) -> Comparison:
    """A comparison of arms whose means differ by a bit, each a little worse than the one before."""
    random = np.random.default_rng(3)
    shared = random.normal(size=seeds)
    values = {
        arm: {
            seed: float(0.9 - 0.01 * place + 0.008 * shared[seed - 1] + 0.006 * own)
            for seed, own in enumerate(random.normal(size=seeds), 1)
        }
        for place, arm in enumerate(arms)
    }
    drawn = {arm: _curves(found) if curves else {} for arm, found in values.items()}
    return of_values(values, curves=drawn, **more)


def of_values(
    values: Mapping[str, Mapping[int, float]],
    *,
    curves: Mapping[str, Mapping[int, Curve]] | None = None,
    left_out: Mapping[str, int] | None = None,
    **more: Any,
) -> Comparison:
    """A comparison of these values, by arm and seed."""
    missing = left_out or {}
    with np.errstate(over="ignore", invalid="ignore"):
        return _made(values, curves or {}, missing, more)


def _made(
    values: Mapping[str, Mapping[int, float]],
    curves: Mapping[str, Mapping[int, Curve]],
    missing: Mapping[str, int],
    more: Mapping[str, Any],
) -> Comparison:
    samples = [
        Sample(
            arm,
            found,
            left_out=[LeftOut(900 + k, 90 + k, "failed") for k in range(missing.get(arm, 0))],
            curves=curves.get(arm, {}),
        )
        for arm, found in values.items()
    ]
    summaries = sorted(map(_summary, samples), key=lambda one: -(one.mean or -math.inf))
    ordered = {one.arm: one for one in summaries}
    by_arm = {sample.arm: sample for sample in samples}
    pairs = [_pair(by_arm[a], by_arm[b]) for a, b in itertools.combinations(ordered, 2)]
    given = {
        "metric": "accuracy",
        "lower_is_better": False,
        "baseline": "",
        "samples": samples,
        "summaries": ordered,
        "pairs": pairs,
        "winner": "",
        "verdict": [
            f"{next(iter(ordered))} has the best mean of {len(ordered)} arms" + " and so on" * 9
        ],
        "notes": [f"{arm}: {count} runs failed" for arm, count in missing.items()],
    }
    return Comparison(**{**given, **more})


def _curves(values: Mapping[int, float]) -> dict[int, Curve]:
    random = np.random.default_rng(5)
    steps = np.arange(0, 60)
    return {
        seed: Curve(
            tuple(map(float, steps)),
            tuple(
                end * (1 - np.exp(-(steps + 2) / 8)) + random.normal(scale=0.01, size=len(steps))
            ),
        )
        for seed, end in values.items()
    }


def _summary(sample: Sample) -> Summary:
    found = np.sort([*sample.values.values()])
    count = len(found)
    if not count:
        return Summary(sample.arm, 0, len(sample.left_out), *_NONE, None, None)
    cut = count // 4
    error = float(np.std(found)) / math.sqrt(count)
    mean = float(np.mean(found))
    return Summary(
        arm=sample.arm,
        n=count,
        failures=len(sample.left_out),
        mean=mean,
        iqm=float(np.mean(found[cut : count - cut])),
        median=float(np.median(found)),
        sd=float(np.std(found, ddof=1)) if count > 1 else None,
        low=float(found[0]),
        high=float(found[-1]),
        range90=Interval(*map(float, np.percentile(found, [5, 95]))),
        mean_interval=Interval(mean - 2 * error, mean + 2 * error) if count >= 10 else None,
    )


def _pair(one: Sample, other: Sample) -> Pair:
    seeds = one.values.keys() & other.values.keys()
    found = np.array([one.values[seed] - other.values[seed] for seed in seeds])
    if not len(found):
        return Pair(one.arm, other.arm, False, 0, 0.0, *_NONE, "", None, None, False)
    mean = float(np.mean(found))
    wide = 2.2 * float(np.std(found)) / math.sqrt(len(found))
    decided = len(found) > 5 and mean > wide
    return Pair(
        better=one.arm,
        worse=other.arm,
        paired=True,
        n=len(found),
        difference=mean,
        interval=Interval(mean - wide, mean + wide) if len(found) > 1 else None,
        p=0.004 if decided else 0.31,
        p_holm=0.012 if decided else 0.62,
        improvement=float(np.mean(found > 0)),
        improvement_interval=None,
        effect=None,
        steadier="",
        p_spread=None,
        needed=None if decided else 14,
        decided=decided,
    )
