"""Whether one arm is steadier than another: a test of spreads that bears data far from normal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import special

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FEWEST = 7  # values in each arm: with 4, of which two deviate alike, it claims up to 9 % falsely


def brown_forsythe(ones: Floats, others: Floats) -> Floats:
    """The p-value of Brown and Forsythe's test that two spreads are the same.

    Shapes (..., n) and (..., m), both >= 2; returns shape (...), NaN where nothing varies. The F
    test of an analysis of variance of the distances from each arm's median, with 1 and n + m - 2
    degrees of freedom. As `scipy.stats.levene(ones, others, center="median")`. Source: Brown and
    Forsythe, Robust tests for the equality of variances, 1974.
    """
    distances = [np.abs(each - np.median(each, axis=-1, keepdims=True)) for each in (ones, others)]
    n, m = ones.shape[-1], others.shape[-1]
    means = [each.mean(axis=-1, keepdims=True) for each in distances]
    gap = (means[0] - means[1])[..., 0]
    within = sum(((d - mean) ** 2).sum(axis=-1) for d, mean in zip(distances, means, strict=True))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = (n + m - 2) * gap**2 * n * m / (n + m) / within
    found: Floats = special.fdtrc(1, n + m - 2, ratio)
    return found
