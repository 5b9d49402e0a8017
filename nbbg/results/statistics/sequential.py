"""Looking several times at data that grow, with the error of all looks together controlled.

A group-sequential sign-flip test of paired differences, after AdaStop (Mathieu et al., AdaStop:
adaptive statistical testing for sound comparisons of deep RL agents, TMLR 2024), which permutes
unpaired runs in the same way; how much of the error each look may use is an alpha-spending function
(Lan and DeMets, Discrete sequential boundaries for clinical trials, 1983).

Where neither arm is better, each difference is as likely with the other sign. So the sums at all
looks of many sign vectors, the observed one among them, are exchangeable, and the share of them
that may have crossed a border by look k is kept at `spent(n_k / n_max)`; the observed one is then
among those with no greater chance. The looks are fixed before the first run.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING

import numpy as np

from nbbg.results.statistics import ALPHA
from nbbg.results.statistics.location import fewest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LOOKS = 5  # at most
DRAWS = 9_999  # of signs, beside the observed ones
_SEED = 20_240_517
_DIGITS = 12  # to which sums are compared, in parts of the largest


def spent(share: float, alpha: float = ALPHA) -> float:
    """The error that may be used when this share of the runs is there: alpha ln(1 + (e - 1) t).

    Source: Lan and DeMets 1983, the function of Pocock's kind, which lets early looks decide.
    """
    return alpha * math.log(1 + (math.e - 1) * min(max(share, 0.0), 1.0))


def looks(max_runs: int, pairs: int = 1, alpha: float = ALPHA) -> tuple[int, ...]:
    """After how many seeds it is looked, the last of them `max_runs`; empty if none can decide.

    The first is the fewest seeds that can decide there, with the error divided by the pairs; up to
    four more follow at even distances.
    """
    first = next((n for n in range(2, max_runs + 1) if _can_decide(n, max_runs, pairs, alpha)), 0)
    if not first:
        return ()
    count = min(LOOKS, max_runs - first + 1)
    places = np.linspace(first, max_runs, count) if count > 1 else [max_runs]
    return tuple(sorted({math.ceil(each) for each in places}))


def fewest_runs(pairs: int = 1, alpha: float = ALPHA) -> int:
    """The smallest `max_runs` with which something can be decided."""
    return fewest(pairs, alpha)


def _can_decide(n: int, max_runs: int, pairs: int, alpha: float) -> bool:
    return 2.0 ** (1 - n) <= spent(n / max_runs, alpha / pairs)


def crossed(blocks: Sequence[Floats], shares: Sequence[float], alpha: float) -> int:
    """The first look at which the border is crossed, from 1; 0 where none is.

    Args:
        blocks: of each look so far, the paired differences that are new there, shape (n_k,),
            which may be empty where runs have failed.
        shares: of each look, the share of the runs that were planned up to it.
        alpha: the chance of crossing at any look where neither arm is better.

    At look k, of the sign vectors that have not crossed before, those with the largest |sum| cross,
    as many as keep the share of all that have within `spent(shares[k], alpha)`; equal sums cross
    together or not at all.
    """
    differences = np.concatenate(blocks) if blocks else np.empty(0)
    if not differences.size:
        return 0
    signs = _signs(differences.size)
    scale = float(np.abs(differences).sum()) or 1.0
    over, end = np.zeros(len(signs), dtype=bool), 0
    for look, (block, share) in enumerate(zip(blocks, shares, strict=True), 1):
        end += block.size
        sums = np.abs(signs[:, :end].astype(np.float64) @ differences[:end]) / scale
        sums = np.round(sums, _DIGITS)
        allowed = math.floor(spent(share, alpha) * len(signs) + 1e-9) - int(over.sum())
        over |= _largest(sums, ~over, allowed)
        if over[0]:
            return look
    return 0


def _largest(sums: Floats, among: NDArray[np.bool_], allowed: int) -> NDArray[np.bool_]:
    """Those with the largest sums, at most so many, without breaking ties; none with sum 0."""
    left = sums[among]
    nobody = np.zeros(sums.size, dtype=bool)
    if allowed <= 0 or not left.size:
        return nobody
    if allowed >= left.size:
        return among & (sums > 0)
    next_best = np.partition(left, left.size - allowed - 1)[left.size - allowed - 1]
    found: NDArray[np.bool_] = among & (sums > next_best)
    return found


@functools.lru_cache(maxsize=8)
def _signs(n: int) -> NDArray[np.int8]:
    """The observed signs first, then others: all, or where these are too many, some drawn.

    Column j does not depend on n, where they are drawn, so that the borders of earlier looks stay
    as they were.
    """
    if 2 ** (n - 1) <= DRAWS:  # the other half has the same |sum|
        bits = np.arange(2 ** (n - 1))[:, None] >> np.arange(n)[::-1] & 1
        return (1 - 2 * bits).astype(np.int8)
    columns = [np.random.default_rng((_SEED, each)).integers(0, 2, DRAWS) for each in range(n)]
    drawn = 1 - 2 * np.stack(columns, axis=1)
    return np.concatenate([np.ones((1, n)), drawn]).astype(np.int8)
