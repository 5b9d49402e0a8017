"""What a comparison says: figures of each arm, of each pair of arms, and the verdict.

Plain values, made by `nbbg.results.comparing`; None stands where a figure can't be had with so
few seeds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbbg.classes import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nbbg.results.samples import Sample


@dataclass(frozen=True)
class Interval:
    """From `low` to `high`, 95 % unless said."""

    low: float
    high: float


@dataclass(frozen=True)
class Summary:
    """One arm in figures; all but counts in the metric's own unit."""

    arm: str
    n: int  # seeds that count
    failures: int  # runs that do not, and are over
    mean: float | None
    iqm: float | None  # mean without the lowest and the highest quarter
    median: float | None
    sd: float | None  # with n - 1
    low: float | None  # smallest
    high: float | None  # largest
    range90: Interval | None  # 5th to 95th percentile
    mean_interval: Interval | None  # bootstrap (BCa), from 10 seeds


@dataclass(frozen=True)
class Pair:
    """Two arms: `better` has the better mean; differences are better minus worse, in its favour.

    `difference` is positive where `better` is better, also where lower is better.
    """

    better: str
    worse: str
    paired: bool  # by seed; else Welch
    n: int  # pairs; the smaller arm's seeds where not paired
    difference: float
    interval: Interval | None  # t interval of the difference
    p: float | None  # exact or sampled sign-flip where paired, else Welch's or its permutation's
    p_holm: float | None  # corrected over all pairs of this comparison
    improvement: float | None  # probability that `better` is better on a seed
    improvement_interval: Interval | None
    effect: float | None  # standardised difference
    steadier: str  # the arm with the smaller spread, where that can be claimed; else empty
    p_spread: float | None  # Brown-Forsythe, before the correction
    needed: int | None  # seeds that would be needed to decide, where undecided
    decided: bool
    reachable: bool = True  # whether any data of so many seeds could be decided


@dataclass(frozen=True, repr=False)
class Comparison:
    """All that `nbbg compare` says; printed, or at the end of a cell, it is the verdict."""

    metric: str
    lower_is_better: bool
    baseline: str  # the arm that the others are compared with; empty: all pairs
    samples: Sequence[Sample]
    summaries: Mapping[str, Summary]  # by arm, best mean first
    pairs: Sequence[Pair]
    winner: str  # better than every other arm that has values; empty where none can be claimed
    verdict: Sequence[str]  # sentences
    notes: Sequence[str] = ()  # failures, mixed versions, seeds that do not pair

    def __repr__(self) -> str:
        return "\n".join([*self.verdict, *self.notes])
