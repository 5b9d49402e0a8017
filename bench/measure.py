"""Rounds, medians, ratios and their intervals.

The cases of a table take turns, one go of each in every round, so that whatever else the machine
does meets all of them. A ratio is the median of the ratios of the rounds, with an interval that
holds the true median in at least 95 % of repetitions (order statistics: nothing is assumed of the
distribution; 7 rounds are 98 %, and with fewer than 6 there is none, so the range is given).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

ROUNDS, QUICK = 7, 2
LEVEL = 0.95
Figures = Mapping[str, float]  # of one go: seconds, megabytes and the like, of one run
SECONDS, MEGABYTES = "seconds", "megabytes"


@dataclass(frozen=True)
class Case:
    """Something that is measured: one go of it, the command as typed, and how many runs a go is."""

    go: Callable[[], Figures]
    typed: str = ""
    runs: int = 1


@dataclass(frozen=True)
class Middle:
    """A median with its interval; going over it gives all three."""

    value: float
    low: float
    high: float

    def __iter__(self) -> Iterator[float]:
        return iter((self.value, self.low, self.high))

    def scaled(self, by: float) -> Middle:
        """The same in another unit."""
        return Middle(self.value * by, self.low * by, self.high * by)


def turns(names: Sequence[str], number: int) -> Iterator[str]:
    """In which order the cases of a round come: each second round goes backwards."""
    yield from names if number % 2 else reversed(names)


def middle(values: Sequence[float]) -> Middle:
    """The median of values of which there is at least one, and its interval."""
    ordered = sorted(values)
    out = _left_out(len(ordered))
    return Middle(statistics.median(ordered), ordered[out], ordered[-1 - out])


def ratio(mine: Sequence[float | None], other: Sequence[float | None]) -> Middle | None:
    """How many times the other, round by round; rounds that one of them lacks do not count."""
    pairs = zip(mine, other, strict=False)
    found = [one / two for one, two in pairs if one is not None and two]
    return middle(found) if found else None


def _left_out(count: int) -> int:
    """How many of the smallest, and of the largest, an interval of LEVEL can spare."""
    out, tail = 0, 0.5**count
    while (more := tail + math.comb(count, out + 1) * 0.5**count) * 2 <= 1 - LEVEL:
        out, tail = out + 1, more
    return min(out, (count - 1) // 2)
