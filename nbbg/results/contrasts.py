"""Two arms beside each other: whether their seeds pair, and every figure of their difference."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np

from nbbg.classes import dataclass
from nbbg.results.comparison import Interval, Pair
from nbbg.results.statistics import (
    ALPHA,
    effects,
    improvement,
    location,
    spread,
    unpaired,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from nbbg.results.samples import Sample

    Floats = NDArray[np.float64]

FEWEST = 2  # values of which an interval can be made


@dataclass(frozen=True)
class Contrast:
    """The values of two arms, turned so that more is better, the better arm first."""

    better: str
    worse: str
    paired: bool
    ones: Floats  # where paired, in the order of the seeds that both have
    others: Floats
    all_ones: Floats  # with the seeds that the other arm has not
    all_others: Floats

    @property
    def differences(self) -> Floats:
        """By seed, where paired."""
        return self.ones - self.others

    @property
    def n(self) -> int:
        """Pairs, or the seeds of the smaller arm."""
        return min(self.ones.size, self.others.size)

    def smallest_p(self) -> float:
        """The smallest p-value of a test of so many seeds; those that tie say nothing."""
        if self.paired:
            return 2.0 ** (1 - max(1, int((self.differences != 0).sum())))
        return unpaired.smallest_p(self.ones.size, self.others.size)


def contrast(one: Sample, other: Sample, *, lower_is_better: bool) -> Contrast:
    """Two arms that each have a value.

    Their seeds pair where both have at least half of the smaller arm's seeds; a pair then counts
    where both have it. Which of the two ways it is depends on seeds alone, never on values.
    """
    sign = -1.0 if lower_is_better else 1.0
    common = [seed for seed in one.values if seed in other.values]
    paired = 2 * len(common) >= min(len(one.values), len(other.values))
    whole = [sign * np.array(list(each.values.values()), float) for each in (one, other)]
    used = whole
    if paired:
        used = [sign * np.array([each.values[s] for s in common], float) for each in (one, other)]
    if used[0].mean() >= used[1].mean():
        return Contrast(one.arm, other.arm, paired, *used, *whole)
    return Contrast(other.arm, one.arm, paired, used[1], used[0], whole[1], whole[0])


def pairs(contrasts: Sequence[Contrast]) -> list[Pair]:
    """Every figure of each, corrected for how many there are."""
    raw = _raw(contrasts)
    tested = [at for at, each in enumerate(raw) if each is not None]
    corrected: list[float | None] = [None] * len(raw)
    for at, p in zip(tested, location.holm(np.array([raw[at] for at in tested])), strict=True):
        corrected[at] = float(p)
    spreads = [_spread(each) for each in contrasts]
    known = [at for at, each in enumerate(spreads) if each is not None]
    steadier = [""] * len(contrasts)
    for at, p in zip(known, location.holm(np.array([spreads[at] for at in known])), strict=True):
        steadier[at] = _steadier(contrasts[at]) if p <= ALPHA else ""
    return [
        _pair(each, raw[at], corrected[at], (steadier[at], spreads[at]), len(tested))
        for at, each in enumerate(contrasts)
    ]


def _raw(contrasts: Sequence[Contrast]) -> list[float | None]:
    """P-values before the correction; of many pairs those that may be claimed are drawn finer.

    The finer p-value alone makes a claim, so that a second look costs none of the error.
    """
    tested = [at for at, each in enumerate(contrasts) if each.n >= FEWEST]
    found = _tested(contrasts, tested, location.DRAWS)
    draws = location.draws_for(len(contrasts))
    if draws > location.DRAWS:
        found.update(_tested(contrasts, [at for at in tested if found[at] <= ALPHA], draws))
    return [found.get(at) for at in range(len(contrasts))]


def _tested(contrasts: Sequence[Contrast], places: Sequence[int], draws: int) -> dict[int, float]:
    """P-values by place; those of equally many seeds are made at once."""
    found: dict[int, float] = {}
    by_size: dict[tuple[bool, int, int], list[int]] = {}
    for at in places:
        each = contrasts[at]
        by_size.setdefault((each.paired, each.ones.size, each.others.size), []).append(at)
    for (paired, _, _), same in by_size.items():
        ones, others = (
            np.stack(arms)
            for arms in zip(
                *((contrasts[at].ones, contrasts[at].others) for at in same), strict=True
            )
        )
        ps = location.sign_flip(ones - others, draws) if paired else _unpaired(ones, others, draws)
        found.update(zip(same, map(float, ps), strict=True))
    return found


def _unpaired(ones: Floats, others: Floats, draws: int) -> Floats:
    """Welch's, or the larger one of the randomisation test of his statistic."""
    # Welch has none where nothing varies within an arm.
    return np.fmax(location.welch(ones, others).p, unpaired.permuted_welch(ones, others, draws))


def _spread(each: Contrast) -> float | None:
    """The p-value of the test of spreads; None where it has too few seeds or nothing varies."""
    if min(each.all_ones.size, each.all_others.size) < spread.FEWEST:
        return None
    p = float(spread.brown_forsythe(each.all_ones, each.all_others))
    return None if math.isnan(p) else p


def _steadier(each: Contrast) -> str:
    """The arm whose values lie nearer to its median, if its standard deviation says so too."""
    both = (each.all_ones, each.all_others)
    distances = [np.abs(values - np.median(values)).mean() for values in both]
    is_better = bool(distances[0] < distances[1])
    if is_better != bool(both[0].std() < both[1].std()):
        return ""
    return each.better if is_better else each.worse


def _pair(
    each: Contrast,
    p: float | None,
    corrected: float | None,
    steadiness: tuple[str, float | None],
    tested: int,
) -> Pair:
    estimate = None
    if each.n >= FEWEST:
        estimate = (
            location.paired_t(each.differences)
            if each.paired
            else location.welch(each.ones, each.others)
        )
    decided = (
        estimate is not None
        and corrected is not None
        and bool(location.claims(np.array(corrected), estimate.low, estimate.high))
    )
    chance, low, high = (
        improvement.on_a_seed(each.differences)
        if each.paired
        else improvement.of_two_runs(each.ones, each.others)
    )
    return Pair(
        better=each.better,
        worse=each.worse,
        paired=each.paired,
        n=each.n,
        difference=float(each.ones.mean() - each.others.mean()),
        interval=Interval(float(estimate.low), float(estimate.high)) if estimate else None,
        p=p,
        p_holm=corrected,
        improvement=chance,
        improvement_interval=Interval(low, high),
        effect=_effect(each),
        steadier=steadiness[0],
        p_spread=steadiness[1],
        needed=None if decided else _needed(each, tested),
        decided=decided,
        reachable=each.n >= FEWEST and each.smallest_p() * max(tested, 1) <= ALPHA,
    )


def _effect(each: Contrast) -> float | None:
    if each.n < FEWEST:
        return None
    if each.paired:
        return effects.paired_effect(each.differences)
    return effects.hedges_g(each.ones, each.others)


def _needed(each: Contrast, tested: int) -> int | None:
    """Seeds with which such a difference would be found four times out of five; None: too many."""
    if each.n < FEWEST:
        return None
    alpha, mean = ALPHA / max(tested, 1), float(each.ones.mean() - each.others.mean())
    if each.paired:
        found = effects.needed_paired(mean, float(each.differences.std(ddof=1)), alpha)
        least = location.fewest(max(tested, 1))
    else:
        one, other = (float(v.std(ddof=1)) for v in (each.ones, each.others))
        found = effects.needed_welch(mean, one, other, alpha)
        least = next(n for n in itertools.count(2) if unpaired.smallest_p(n, n) <= alpha)
    return None if found is None else max(found, least, each.n + 1)
