"""Whether one arm is better than another on average: intervals and p-values of differences."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import special

from nbbg.results.statistics import ALPHA

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

ENUMERATED = 16  # seeds up to which all 2^n signs are gone through
DRAWS = 9_999  # of signs, above
MOST_DRAWS = 99_999
_BLOCK = 4_000_000  # numbers that are held at once
_SEED = 20_240_517
_ROUNDING = 1e-12  # two sums whose difference is less, in parts of the largest, are one


class Estimate(NamedTuple):
    """A mean difference with its 95 % interval and p-value, each of shape (...)."""

    difference: Floats
    low: Floats
    high: Floats
    p: Floats


def paired_t(differences: Floats) -> Estimate:
    """Student's t interval of the mean of paired differences, and his test's two-sided p-value.

    Shape (..., n), n >= 2: mean -+ t(n-1; 0.975) s / sqrt(n). Where all differences are the same
    the interval has no width and p is NaN. As `scipy.stats.ttest_1samp(differences, 0)`. Source:
    Student, The probable error of a mean, 1908.
    """
    n = differences.shape[-1]
    mean = differences.mean(axis=-1)
    return _estimate(mean, differences.std(axis=-1, ddof=1) / np.sqrt(n), np.array(n - 1.0))


def welch(ones: Floats, others: Floats) -> Estimate:
    """Welch's interval and two-sided p-value of mean(ones) - mean(others), not paired.

    Shapes (..., n) and (..., m), both >= 2; t with the variances apart and Satterthwaite's degrees
    of freedom. As `scipy.stats.ttest_ind(ones, others, equal_var=False)`. Source: Welch, The
    generalization of Student's problem, 1947.
    """
    parts = [each.var(axis=-1, ddof=1) / each.shape[-1] for each in (ones, others)]
    error = parts[0] + parts[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = [part / error for part in parts]  # whose squares are numbers, however small
        below = shares[0] ** 2 / (ones.shape[-1] - 1) + shares[1] ** 2 / (others.shape[-1] - 1)
        freedom = np.where(error > 0, 1 / below, 1.0)
    return _estimate(ones.mean(axis=-1) - others.mean(axis=-1), np.sqrt(error), freedom)


def _estimate(mean: Floats, error: Floats, freedom: Floats) -> Estimate:
    half = special.stdtrit(freedom, 1 - ALPHA / 2) * error
    with np.errstate(divide="ignore", invalid="ignore"):
        p = 2 * special.stdtr(freedom, -np.abs(mean / error))
    return Estimate(mean, mean - half, mean + half, p)


def sign_flip(differences: Floats, draws: int = DRAWS) -> Floats:
    """The two-sided p-value of the sign-flip (randomisation) test of paired differences.

    Shape (..., n), n >= 1; returns shape (...). Where neither arm is better, each difference is as
    likely with the other sign; p is the share of all 2^n choices of signs for which |sum| is at
    least the observed one. To 16 seeds all are gone through; above, `draws` of them are drawn, the
    same for the same n, and p = (1 + hits) / (1 + draws), which keeps the error at its level.

    As `scipy.stats.permutation_test(..., permutation_type="samples")`. Source: Fisher, The design
    of experiments, 1935, section 21; the correction: Phipson and Smyth, Permutation p-values
    should never be zero, 2010.
    """
    n = differences.shape[-1]
    flat = np.ascontiguousarray(differences, dtype=np.float64).reshape(-1, n)
    hits = np.zeros(len(flat))
    observed = np.abs(flat.sum(axis=-1)) - _ROUNDING * np.abs(flat).sum(axis=-1)
    signs = _all_signs(n) if n <= ENUMERATED else _drawn_signs(n, draws)
    rows = max(1, _BLOCK // max(len(flat), n))
    for start in range(0, len(signs), rows):
        sums = np.abs(flat @ signs[start : start + rows].T.astype(np.float64))
        hits += (sums >= observed[:, None]).sum(axis=-1)
    extra = 0 if n <= ENUMERATED else 1
    found: Floats = ((hits + extra) / (len(signs) + extra)).reshape(differences.shape[:-1])
    return found


@functools.lru_cache(maxsize=4)
def _all_signs(n: int) -> NDArray[np.int8]:
    """Half of all choices of n signs, the first one +1: the other half has the same |sum|."""
    bits = np.arange(2 ** (n - 1))[:, None] >> np.arange(n)[::-1] & 1
    return (1 - 2 * bits).astype(np.int8)


@functools.lru_cache(maxsize=2)
def _drawn_signs(n: int, draws: int) -> NDArray[np.int8]:
    dice = np.random.default_rng(_SEED)
    signs: NDArray[np.int8] = dice.integers(0, 2, (draws, n), dtype=np.int8)
    signs *= -2
    signs += 1
    return signs


def draws_for(pairs: int) -> int:
    """How many signs are drawn, so that a p-value corrected for so many pairs can be small."""
    return min(MOST_DRAWS, max(DRAWS, 200 * pairs - 1))


def fewest(pairs: int = 1, alpha: float = ALPHA) -> int:
    """The seeds from which the sign-flip test can find anything: pairs * 2^(1 - n) <= alpha."""
    n = 1
    while pairs * 2.0 ** (1 - n) > alpha:
        n += 1
    return n


def holm(ps: Floats) -> Floats:
    """P-values corrected so that the chance of any false claim among them stays at its level.

    Shape (..., m); the j-th smallest (from 0) times m - j, never smaller than one before it, at
    most 1. Source: Holm, A simple sequentially rejective multiple test procedure, 1979.
    """
    m = ps.shape[-1]
    order = np.argsort(ps, axis=-1, kind="stable")
    scaled = np.take_along_axis(ps, order, axis=-1) * (m - np.arange(m))
    corrected = np.minimum(np.maximum.accumulate(scaled, axis=-1), 1.0)
    found = np.empty_like(corrected)
    np.put_along_axis(found, order, corrected, axis=-1)
    return found


def claims(p: Floats, low: Floats, high: Floats) -> NDArray[np.bool_]:
    """Where a difference may be claimed: the corrected p-value and the interval both say so.

    Shapes all (...). One that the other contradicts claims nothing, so the error is at most that
    of the p-value alone.
    """
    found: NDArray[np.bool_] = (p <= ALPHA) & ((low > 0) | (high < 0))
    return found
