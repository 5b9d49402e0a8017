"""The rule of `--until decided`: when enough seeds have run, and which arm has won.

A design is fixed before the first run: after how many seeds it is looked, and how much error each
look may use. At a look every pair of arms is tested on the seeds that both have; the error is
shared among the pairs by Holm's rule, which holds for group-sequential tests too (Maurer and Bretz,
Multiple testing in group sequential trials using graphical approaches, 2013). So the chance of any
false claim, over all looks and pairs, is at most 5 %.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import nbbg.results.statistics  # noqa: F401 - before NumPy, for it says what is not installed
from nbbg.classes import dataclass

# isort: split
import numpy as np

from nbbg.errors import UsageError
from nbbg.results.statistics import ALPHA, sequential

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from nbbg.results.samples import Sample

    Floats = NDArray[np.float64]
    Beaten = dict[tuple[str, str], int]  # better, worse -> at which look


@dataclass(frozen=True)
class Design:
    """What is fixed before the first run."""

    arms: tuple[str, ...]
    looks: tuple[int, ...]  # after how many seeds; the last one is the most
    first_seed: int = 1  # of run 1; run k has first_seed + k - 1
    lower_is_better: bool = False
    baseline: str = ""  # only pairs with it are tested
    alpha: float = ALPHA

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Which arms are tested against each other."""
        every = itertools.combinations(self.arms, 2)
        return [pair for pair in every if not self.baseline or self.baseline in pair]


@dataclass(frozen=True)
class Outcome:
    """What a look says."""

    decided: bool  # nothing more need be run
    winner: str  # better than every other arm; empty where none is claimed
    why: str  # a sentence
    beaten: tuple[tuple[str, str], ...] = ()  # better, worse: all that is claimed so far


def design(
    arms: Sequence[str],
    max_runs: int,
    *,
    first_seed: int = 1,
    lower_is_better: bool = False,
    baseline: str = "",
) -> Design:
    """The design for these arms and at most so many runs of each.

    Raises:
        UsageError: fewer than two arms, a baseline that is none of them, or so few runs, or so many
            arms, that no test could decide.
    """
    if len(arms) < 2:  # noqa: PLR2004
        raise UsageError("one arm can't be compared\nname two: nbbg run A.ipynb B.ipynb ...")
    if baseline and baseline not in arms:
        raise UsageError(f"the baseline {baseline!r} is none of the arms {', '.join(arms)}")
    made = Design(tuple(arms), (), first_seed, lower_is_better, baseline)
    if len(made.pairs) > (most := sequential.most_pairs()):
        message = f"{len(made.pairs)} pairs of arms are too many to decide (at most {most})"
        raise UsageError(
            f"{message}\nname one that the others are compared with: --baseline {arms[0]}"
        )
    looks = sequential.looks(max_runs, len(made.pairs))
    if not looks:
        least = sequential.fewest_runs(len(made.pairs))
        message = (
            f"with {max_runs} runs of each arm no test can decide\nat least --max-runs {least}"
        )
        raise UsageError(message)
    return Design(made.arms, looks, first_seed, lower_is_better, baseline)


def look(samples: Sequence[Sample], design: Design, k: int) -> Outcome:
    """What is decided at look k (from 1), by the seeds of the first `design.looks[k - 1]` runs.

    Runs that failed are missing from their pairs alone. Deterministic: the same data say the same.
    """
    values = {sample.arm: sample.values for sample in samples}
    beaten = _beaten(values, design, k)
    winner = _winner(beaten, design)
    done = bool(winner) or len(beaten) == len(design.pairs)
    claimed = tuple(sorted(beaten))
    return Outcome(done, winner, _sentence(beaten, winner, design, k), claimed)


def _beaten(values: Mapping[str, Mapping[int, float]], design: Design, k: int) -> Beaten:
    """Which arms are better than which: Holm's rule over the pairs, until nothing is added."""
    found: Beaten = {}
    left = {pair: _differences(values, pair, design, k) for pair in design.pairs}
    # Who does not cross with all of the error does not with a part of it; most need no other look.
    left = {
        pair: d for pair, d in left.items() if sequential.crossed(d, design.looks, design.alpha)
    }
    untested = len(design.pairs) - len(left)
    while left:
        alpha = design.alpha / (untested + len(left))
        new = {
            pair: at
            for pair, differences in left.items()
            if (at := sequential.crossed(differences, design.looks, alpha))
        }
        if not new:
            break
        for pair, at in new.items():
            found[_in_order(pair, left.pop(pair)[: design.looks[at - 1]], design)] = at
    return found


def _differences(
    values: Mapping[str, Mapping[int, float]], pair: tuple[str, str], design: Design, k: int
) -> Floats:
    """By run number up to look k; NaN where one of the arms has no value."""
    one, other = (values.get(arm, {}) for arm in pair)
    seeds = range(design.first_seed, design.first_seed + design.looks[k - 1])
    return np.array([one.get(seed, np.nan) - other.get(seed, np.nan) for seed in seeds])


def _in_order(pair: tuple[str, str], differences: Floats, design: Design) -> tuple[str, str]:
    """The better arm first."""
    is_first_better = (np.nansum(differences) > 0) != design.lower_is_better
    return pair if is_first_better else (pair[1], pair[0])


def _winner(beaten: Beaten, design: Design) -> str:
    for arm in design.arms:
        if sum(better == arm for better, _ in beaten) == len(design.arms) - 1:
            return arm
    return ""


def _sentence(beaten: Beaten, winner: str, design: Design, k: int) -> str:
    seeds, most = design.looks[k - 1], design.looks[-1]
    at = f"look {k} of {len(design.looks)}, {seeds} seeds"
    if winner:
        others = [arm for arm in design.arms if arm != winner]
        rest = others[0] if len(others) == 1 else f"each of the {len(others)} others"
        return f"decided: {winner} is better than {rest} ({at})"
    said = "; ".join(f"{better} is better than {worse}" for better, worse in sorted(beaten))
    if beaten and len(beaten) == len(design.pairs):
        return f"decided: {said} ({at})"
    so_far = f"; so far {said}" if said else ""
    if seeds == most:
        return f"undecided after {most} seeds, all that were planned{so_far}"
    return f"undecided{so_far} ({at})"
