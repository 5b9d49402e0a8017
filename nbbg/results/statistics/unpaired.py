"""A randomisation test beside Welch's, for arms whose seeds do not pair."""

from __future__ import annotations

import functools
import itertools
import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

ENUMERATED = 12_870  # choices of 8 out of 16
DRAWS = 9_999
FEWEST_DRAWS = 1_999
_BLOCK = 4_000_000  # numbers that are held at once
_MOST = 20_000_000  # values that are dealt; with more seeds fewer deals are as good
_SEED = 20_240_517
_ROUNDING = 1e-9  # two statistics whose ratio is nearer to 1 are one
_NOISE = 1e-6  # squares within an arm that are less, in parts of all, may be rounding: none


def permuted_welch(ones: Floats, others: Floats, draws: int = DRAWS) -> Floats:
    """The two-sided p-value of Welch's t among those of all ways to deal the values to two arms.

    Shapes (..., n) and (..., m), both >= 2; returns shape (...). All choices of n out of n + m are
    gone through where there are at most 12,870, else `draws` are drawn, fewer of very many values,
    and p = (1 + hits) / (1 + draws). Exact where both arms have one distribution, whatever its
    shape and however unequal n and m are, which Welch's own p-value is not. As
    `scipy.stats.permutation_test(..., permutation_type="independent")` of that statistic. Source:
    Janssen, Studentized permutation tests for non-i.i.d. hypotheses, 1997.
    """
    n, m = ones.shape[-1], others.shape[-1]
    values = np.concatenate([ones, others], axis=-1).reshape(-1, n + m)
    values = values - values.mean(axis=-1, keepdims=True)
    first = np.zeros((1, n + m))
    first[0, :n] = 1
    observed = _statistics(values, first)[:, 0] * (1 - _ROUNDING)
    is_small = math.comb(n + m, n) <= ENUMERATED
    some = max(FEWEST_DRAWS, min(draws, _MOST // (n + m)))
    chosen = _all_choices(n, m) if is_small else _drawn_choices(n, m, some)
    hits = np.zeros(len(values))
    rows = max(1, _BLOCK // max(len(values), n + m))
    for start in range(0, len(chosen), rows):
        found = _statistics(values, chosen[start : start + rows].astype(np.float64))
        hits += (found >= observed[:, None]).sum(axis=-1)
    extra = 0 if is_small else 1
    p: Floats = ((hits + extra) / (len(chosen) + extra)).reshape(ones.shape[:-1])
    return p


def smallest_p(n: int, m: int) -> float:
    """The smallest p-value that these numbers of seeds can have."""
    return 2 / math.comb(n + m, n) if n == m else 1 / math.comb(n + m, n)


def _statistics(values: Floats, chosen: Floats) -> Floats:
    """|t| of each sample (rows) for each choice of the first arm's members (columns)."""
    n = chosen[0].sum()
    m = chosen.shape[1] - n
    sums, squares = values @ chosen.T, values**2 @ chosen.T
    rest = values.sum(axis=-1, keepdims=True) - sums
    whole = (values**2).sum(axis=-1, keepdims=True)
    within, rest_within = squares - sums**2 / n, whole - squares - rest**2 / m
    noise = _NOISE * whole
    error = np.where(within > noise, within, 0.0) / (n * (n - 1))
    error = error + np.where(rest_within > noise, rest_within, 0.0) / (m * (m - 1))
    gap = np.abs(sums / n - rest / m)
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = np.where(gap > 0, gap / np.sqrt(error), 0.0)
    return found


@functools.lru_cache(maxsize=4)
def _all_choices(n: int, m: int) -> NDArray[np.int8]:
    places = np.array(list(itertools.combinations(range(n + m), n)))
    chosen = np.zeros((len(places), n + m), dtype=np.int8)
    np.put_along_axis(chosen, places, 1, axis=1)
    return chosen


@functools.lru_cache(maxsize=2)
def _drawn_choices(n: int, m: int, draws: int) -> NDArray[np.int8]:
    dice = np.random.default_rng(_SEED)
    chosen = np.zeros((draws, n + m), dtype=np.int8)
    rows = max(1, _BLOCK // (n + m))
    for start in range(0, draws, rows):
        some = chosen[start : start + rows]
        places = np.argpartition(dice.random(some.shape), n - 1, axis=1)[:, :n]
        np.put_along_axis(some, places, 1, axis=1)
    return chosen
