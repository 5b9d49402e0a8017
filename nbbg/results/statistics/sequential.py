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
ENUMERATED = 14  # seeds of which all signs are gone through; those of later ones are drawn
MOST_ENUMERATED = 18  # the same, where the error is shared by many pairs
_WITHIN = 20  # sign vectors that may cross, at least, so that their share can be finely told
_SEED = 20_240_517
_ROWS = 16_384  # sign vectors that are held as numbers at once
_SLACK = 1e-9  # of a count that was rounded
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


def most_pairs(alpha: float = ALPHA) -> int:
    """The pairs above which nothing can be decided, however many runs there are."""
    return int(alpha * 2 ** (MOST_ENUMERATED - 1))


def _can_decide(n: int, max_runs: int, pairs: int, alpha: float) -> bool:
    smallest = 2.0 ** (1 - min(n, _enumerated(max_runs, alpha / pairs)))
    return smallest <= spent(n / max_runs, alpha / pairs)


def _enumerated(n: int, alpha: float) -> int:
    """Of how many of n seeds all signs are gone through: more, where little error may be made."""
    enough = 1 + math.ceil(math.log2(_WITHIN / alpha))
    return min(n, max(ENUMERATED, min(enough, MOST_ENUMERATED)))


def crossed(differences: Floats, looks: Sequence[int], alpha: float = ALPHA) -> int:
    """The first look at which the border is crossed, from 1; 0 where none is, or not yet.

    Args:
        differences: by run number, shape (n,), as far as it has come; NaN where a pair is missing.
        looks: after how many runs it is looked, all that are planned; those up to n are gone by.
        alpha: the chance of crossing at any look where neither arm is better.

    At look k, of the sign vectors that have not crossed before, those with the largest |sum| cross,
    as many as keep the share of all that have within `spent(n_k / n_max, alpha)`; equal sums cross
    together or not at all. So what more seeds say never moves the border of an earlier look.
    """
    signs = _signs(looks[-1], _enumerated(looks[-1], alpha))
    known = np.nan_to_num(differences)
    over = np.zeros(len(signs), dtype=bool)
    for at, n in enumerate((n for n in looks if n <= known.size), 1):
        scale = float(np.abs(known[:n]).sum()) or 1.0
        sums = np.round(np.abs(_sums(signs, known[:n])) / scale, _DIGITS)
        may = math.floor(spent(n / looks[-1], alpha) * len(signs) + _SLACK) - int(over.sum())
        over |= _largest(sums, ~over, may)
        if over[0]:
            return at
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


def _sums(signs: NDArray[np.int8], differences: Floats) -> Floats:
    """The sum of the differences with each of the sign vectors."""
    parts = np.array_split(signs[:, : differences.size], 1 + len(signs) // _ROWS)
    return np.concatenate([part.astype(np.float64) @ differences for part in parts])


@functools.lru_cache(maxsize=8)
def _signs(n: int, exact: int) -> NDArray[np.int8]:
    """The observed signs first, then others: all of the first seeds, each with drawn ones after.

    Half of all are enough, as the other half has the same |sum|. Multiplied by any of its rows, the
    set is one of the same kind, so that the observed row is exchangeable with every other.
    """
    bits = np.arange(2 ** (exact - 1))[:, None] >> np.arange(exact)[::-1] & 1
    drawn = np.random.default_rng(_SEED).integers(0, 2, (len(bits), n - exact))
    drawn[0] = 0
    return (1 - 2 * np.concatenate([bits, drawn], axis=1)).astype(np.int8)
