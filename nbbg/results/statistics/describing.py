"""One sample in figures: its middle, its spread, and a bootstrap interval of its mean."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from nbbg.results.statistics import ALPHA

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

RESAMPLES = 9_999
MANY = 200  # seeds, from which fewer resamples are as good
FEWER = 1_999
FEWEST = 10  # seeds: with fewer a bootstrap interval covers too little, so that there is none
_BLOCK = 4_000_000  # numbers that are held at once
_ROUNDING = 1e-12  # means whose difference is less, in parts of the largest value, are one
_SEED = 20_240_517  # of all that is drawn: the same data give the same figures


def iqm(values: Floats) -> float:
    """The interquartile mean: without the lowest and the highest quarter, each rounded down.

    So of 1 to 3 values it is the mean. Shape (n,), n >= 1. As `scipy.stats.trim_mean(values,
    0.25)`. Source: Agarwal et al., Deep RL at the edge of the statistical precipice, 2021.
    """
    cut = values.size // 4
    return float(np.sort(values)[cut : values.size - cut].mean())


def middle_ninety(values: Floats) -> tuple[float, float]:
    """The 5th and the 95th percentile, linear between values; shape (n,), n >= 2.

    Source: Hyndman and Fan, Sample quantiles in statistical packages, 1996, type 7.
    """
    low, high = np.percentile(values, [5, 95])
    return float(low), float(high)


def bca(values: Floats, resamples: int = 0) -> tuple[Floats, Floats]:
    """The bias-corrected and accelerated bootstrap interval of the mean, 95 %.

    Shape (..., n), n >= 2; returns low and high, each of shape (...); NaN for a sample that is
    constant. With z0 from the share of resampled means under the mean and the acceleration
    a = sum(u^3) / (6 sum(u^2)^1.5), u the deviations of the jackknife, the ends are the percentiles
    Phi(z0 + (z0 + z) / (1 - a (z0 + z))) of the resampled means. Source: Efron, Better bootstrap
    confidence intervals, 1987; the same as `scipy.stats.bootstrap` with the same generator.
    """
    count = resamples or (RESAMPLES if values.shape[-1] <= MANY else FEWER)
    means = _resampled(values, count)
    mean = values.mean(axis=-1, keepdims=True)
    slack = _ROUNDING * np.abs(values).max(axis=-1, keepdims=True)
    under, up_to = means < mean - slack, means <= mean + slack
    share = (under.sum(axis=-1) + up_to.sum(axis=-1)) / (2 * count)
    deviations = values - mean
    largest = np.abs(deviations).max(axis=-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        deviations = deviations / largest  # of which cubes are numbers
        cubes, squares = (deviations**3).sum(axis=-1), (deviations**2).sum(axis=-1)
        acceleration = cubes / (6 * squares**1.5)
        bias = special.ndtri(share)
        ends = [
            special.ndtr(bias + (bias + z) / (1 - acceleration * (bias + z)))
            for z in (special.ndtri(ALPHA / 2), special.ndtri(1 - ALPHA / 2))
        ]
    return _percentile(means, ends[0]), _percentile(means, ends[1])


def _resampled(values: Floats, count: int) -> Floats:
    """The means of so many resamples, shape (..., count); the same draws for all samples."""
    n = values.shape[-1]
    found = np.empty((*values.shape[:-1], count))
    drawn = _drawn(n, count)
    rows = max(1, _BLOCK // n)
    for start in range(0, count, rows):
        weights = drawn[start : start + rows] / n
        found[..., start : start + rows] = values @ weights.T
    return found


@functools.lru_cache(maxsize=2)
def _drawn(n: int, count: int) -> NDArray[np.uint16]:
    """How often each of n values is in each of so many resamples."""
    dice = np.random.default_rng(_SEED)
    found = np.empty((count, n), dtype=np.uint16)
    rows = max(1, _BLOCK // n)
    for start in range(0, count, rows):
        size = min(rows, count - start)
        drawn = dice.integers(0, n, (size, n)) + n * np.arange(size)[:, None]
        times = np.bincount(drawn.ravel(), minlength=size * n)
        found[start : start + size] = times.reshape(size, n)
    return found


def _percentile(means: Floats, shares: Floats) -> Floats:
    """Of each sample's resampled means the quantile at its share, linear between values."""
    ordered = np.sort(means, axis=-1)
    place = np.nan_to_num(shares) * (means.shape[-1] - 1)
    below = np.floor(place).astype(int)
    above = np.minimum(below + 1, means.shape[-1] - 1)
    low, high = (
        np.take_along_axis(ordered, np.asarray(each)[..., None], axis=-1)[..., 0]
        for each in (below, above)
    )
    found: Floats = np.where(np.isnan(shares), np.nan, low + (high - low) * (place - below))
    return found
