"""How large a difference is beside the spread, and how many seeds would show it."""

from __future__ import annotations

import bisect
import math
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from nbbg.results.statistics import ALPHA

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

POWER = 0.8  # the chance with which the seeds that are said to be needed would decide
MOST = 1000  # seeds; what needs more is not counted
_TOO_FEW = 2  # pairs
_ROUNDING = 1e-12  # a spread that is less, in parts of the largest value, is none


def paired_effect(differences: Floats) -> float | None:
    """The mean paired difference in its own standard deviations: Cohen's d_z, corrected.

    Shape (n,), n >= 2; None where nothing varies, and of two seeds, whose d_z has no expectation
    that could be corrected (J(1) is 0). d_z = mean / s, times the correction J(n - 1) for few
    seeds. Source: Lakens, Calculating and reporting effect sizes, 2013, formula 7; J as in
    `correction`.
    """
    spread = float(differences.std(ddof=1))
    if differences.size <= _TOO_FEW or _is_nothing(spread, differences):
        return None
    return float(differences.mean()) / spread * correction(differences.size - 1)


def hedges_g(ones: Floats, others: Floats) -> float | None:
    """The difference of two means in pooled standard deviations, corrected for few seeds.

    Shapes (n,) and (m,), n + m >= 3; None where nothing varies. g = J(n + m - 2) (mean - mean) /
    s_pooled. Source: Hedges, Distribution theory for Glass's estimator of effect size, 1981.
    """
    freedom = ones.size + others.size - 2
    squares = sum(float(((each - each.mean()) ** 2).sum()) for each in (ones, others))
    pooled = float(np.sqrt(squares / freedom))
    if _is_nothing(pooled, np.concatenate([ones, others])):
        return None
    return float(ones.mean() - others.mean()) / pooled * correction(freedom)


def correction(freedom: int) -> float:
    """Hedges' exact J(m) = Gamma(m / 2) / (sqrt(m / 2) Gamma((m - 1) / 2)), m >= 2; 0 for m = 1."""
    log = special.gammaln(freedom / 2) - special.gammaln((freedom - 1) / 2)
    return float(np.exp(log) / np.sqrt(freedom / 2))


def needed_paired(mean: float, spread: float, alpha: float = ALPHA) -> int | None:
    """The pairs with which a paired t-test would find this difference, with a chance of 80 %.

    Two-sided at `alpha`; `spread` is the standard deviation of the differences. None: more than
    `MOST`, or no difference. The power is that of the noncentral t distribution. Source: Cohen,
    Statistical power analysis for the behavioral sciences, 1988, chapter 2.
    """
    return _first(mean, spread, 1.0, alpha)


def needed_welch(
    mean: float, one_spread: float, other_spread: float, alpha: float = ALPHA
) -> int | None:
    """The runs of each of two arms with which Welch's test would; else as `needed_paired`."""
    spread = math.hypot(one_spread, other_spread)
    shares = [(each / spread) ** 2 for each in (one_spread, other_spread)] if spread else [0.5] * 2
    return _first(mean, spread, 1 / sum(share**2 for share in shares), alpha)


def _first(mean: float, spread: float, freedom: float, alpha: float) -> int | None:
    """The smallest n with the power, of which there is more the larger n is.

    `freedom` is that of the test in parts of n - 1, `spread` that of the difference for n = 1.
    """
    if not mean:
        return None
    if spread <= 0:
        return 2

    def is_enough(n: int) -> bool:
        shift = min(abs(mean) / spread * math.sqrt(n), 30.0)  # beyond that the power is 1
        border = special.stdtrit(freedom * (n - 1), 1 - alpha / 2)
        low, high = special.nctdtr(freedom * (n - 1), shift, np.array([-border, border]))
        return bool(1 - (high - np.nan_to_num(low)) >= POWER)  # SciPy may have NaN for almost 0

    found = bisect.bisect_left(range(2, MOST + 1), True, key=is_enough)
    return found + 2 if found + 2 <= MOST else None


def _is_nothing(spread: float, values: Floats) -> bool:
    return spread <= _ROUNDING * float(np.abs(values).max())
