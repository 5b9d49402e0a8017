"""How often one arm is better than another: the probability of improvement, with its interval."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from nbbg.results.statistics import ALPHA

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_STEPS = 80  # of a bisection, each halves what is left


def on_a_seed(differences: Floats) -> tuple[float, float, float]:
    """The share of seeds on which the difference is positive, ties half, with Wilson's interval.

    Shape (n,), n >= 1. As `scipy.stats.binomtest(k, n).proportion_ci(method="wilson")` where there
    are no ties. Source: Wilson, Probable inference, the law of succession, 1927.
    """
    n = differences.size
    share = float(((differences > 0) + 0.5 * (differences == 0)).mean())
    z = _z()
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return share, max(0.0, centre - half), min(1.0, centre + half)


def of_two_runs(ones: Floats, others: Floats) -> tuple[float, float, float]:
    """The chance that a run of one arm beats a run of the other, ties half, with its interval.

    Shapes (n,) and (m,), both >= 1. The chance is Mann and Whitney's U / (n m); the interval has
    the ends q with (chance - q)^2 = z^2 V(q), where V(q) = q (1 - q) (1 + h (1 - q) / (2 - q) +
    h q / (1 + q)) / (n m) and h = (n + m) / 2 - 1. Source: Newcombe, Confidence intervals for an
    effect size measure based on the Mann-Whitney statistic, part 2, 2006, method 5.
    """
    n, m = ones.size, others.size
    ordered = np.sort(others)
    sides = (np.searchsorted(ordered, ones, "left"), np.searchsorted(ordered, ones, "right"))
    chance = float((sides[0] + sides[1]).sum() / (2 * n * m))
    half = (n + m) / 2 - 1

    def beyond(q: float) -> bool:
        middle = 1 + half * (1 - q) / (2 - q) + half * q / (1 + q)
        return (chance - q) ** 2 > _z() ** 2 * q * (1 - q) * middle / (n * m)

    return chance, _border(beyond, 0.0, chance), _border(beyond, 1.0, chance)


def _border(beyond: Callable[[float], bool], outside: float, inside: float) -> float:
    """Where `beyond` changes between two places, or `outside` where it does not."""
    if not beyond(outside):
        return outside
    for _ in range(_STEPS):
        middle = (outside + inside) / 2
        outside, inside = (middle, inside) if beyond(middle) else (outside, middle)
    return (outside + inside) / 2


def _z() -> float:
    return float(special.ndtri(1 - ALPHA / 2))
