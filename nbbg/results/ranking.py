"""Runs and arms in the order of a metric, best first; and every run that has no place in it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from nbbg.classes import dataclass
from nbbg.results import reducing, values
from nbbg.results.reducing import Reduction

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nbbg import model

LAST = Reduction()


@dataclass(frozen=True)
class Ranked:
    """A run in the order of a metric; runs of one value share their rank."""

    rank: int
    value: float
    run: model.Run


@dataclass(frozen=True)
class ArmRank:
    """What a metric says of an arm: the mean over its ranked runs, and the best of them."""

    arm: str
    runs: int
    mean: float
    best: Ranked
    left_out: int


@dataclass(frozen=True)
class Ranking:
    """Runs and arms, best first; and every run that is in neither, with the reason."""

    runs: list[Ranked]
    arms: list[ArmRank]
    left_out: list[tuple[model.Run, str]]


def rank(runs: Iterable[model.Run], metric: str, how: Reduction = LAST) -> Ranking:
    """The runs that have succeeded in the order of a metric, and their arms by its mean.

    Raises:
        UsageError: no run has logged it.
    """
    runs = list(runs)
    values.require(runs, metric)
    found = [(run, *reducing.of_run(run, metric, how)) for run in runs]
    left_out = [(run, why) for run, _, why in found if why]
    sign = 1 if how.lower_is_better else -1
    fit = [(value, run) for run, value, why in found if not why]
    fit.sort(key=lambda one: sign * one[0])
    ranked: list[Ranked] = []
    for position, (value, run) in enumerate(fit, 1):
        tie = ranked and ranked[-1].value == value
        ranked.append(Ranked(ranked[-1].rank if tie else position, value, run))
    arms = _arms(ranked, Counter(run.arm.name for run, _ in left_out))
    return Ranking(ranked, sorted(arms, key=lambda arm: sign * arm.mean), left_out)


def _arms(ranked: Iterable[Ranked], left_out: Mapping[str, int]) -> list[ArmRank]:
    of_arm: dict[str, list[Ranked]] = {}
    for one in ranked:
        of_arm.setdefault(one.run.arm.name, []).append(one)
    return [
        ArmRank(
            arm,
            len(mine),
            sum(one.value for one in mine) / len(mine),
            mine[0],
            left_out.get(arm, 0),
        )
        for arm, mine in of_arm.items()
    ]
