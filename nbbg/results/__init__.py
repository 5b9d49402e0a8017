"""What came out: one row a run, with the last value of each metric it logged."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbbg import model
from nbbg.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

HEAD = ("arm", "number", "seed", "run", "state", "seconds")
SOME = 12  # metrics that are named


def metrics(runs: Iterable[model.Run]) -> list[str]:
    """The names of all metrics, in the order in which they were first seen."""
    return list(dict.fromkeys(name for run in runs for name in run.metrics))


def current(runs: Iterable[model.Run]) -> list[model.Run]:
    """The runs by arm and number; where a number was run anew, the newest."""
    newest = {(run.arm.name, run.number): run for run in runs}
    return [newest[key] for key in sorted(newest)]


def row(run: model.Run, names: Iterable[str]) -> list[Any]:
    """Arm, number, seed, run, state, seconds, and each metric."""
    seconds = run.ended_at - run.started_at if run.started_at and run.ended_at else None
    fixed = [run.arm.name, run.number, run.seed, run.id, run.state.word, seconds]
    return [*fixed, *(run.metrics.get(name) for name in names)]


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


def rank(runs: Iterable[model.Run], metric: str, *, lower_is_better: bool = False) -> Ranking:
    """The runs that have succeeded in the order of a metric, and their arms by its mean.

    Raises:
        UsageError: no run has logged it.
    """
    runs = list(runs)
    known = metrics(runs)
    if metric not in known:
        some = f"there are {', '.join(known[:SOME])}" if known else "none was logged yet"
        raise UsageError(f"no run has a metric {metric!r}; {some}\nsee: nbbg results")
    left_out = [(run, why) for run in runs if (why := _why_not(run, metric))]
    without = {run.id for run, _ in left_out}
    sign = 1 if lower_is_better else -1
    fit = [run for run in runs if run.id not in without]
    fit.sort(key=lambda run: sign * run.metrics[metric])
    ranked: list[Ranked] = []
    for position, run in enumerate(fit, 1):
        value = run.metrics[metric]
        tie = ranked and ranked[-1].value == value
        ranked.append(Ranked(ranked[-1].rank if tie else position, value, run))
    arms = _arms(ranked, Counter(run.arm.name for run, _ in left_out))
    return Ranking(ranked, sorted(arms, key=lambda arm: sign * arm.mean), left_out)


def _why_not(run: model.Run, metric: str) -> str:
    """Why a run has no place in the order; empty where it has one."""
    if run.state.word != model.Succeeded.word:
        return run.state.word
    value = run.metrics.get(metric)
    if value is None:
        return f"no {metric}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"{metric} is no number"
    return f"{metric} is NaN" if math.isnan(value) else ""


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


def columns(runs: Iterable[model.Run]) -> Iterator[list[Any]]:
    """A table of all runs for other programs: a head, then a row a run with parameters, metrics."""
    runs = list(runs)
    names = metrics(runs)
    params = list(dict.fromkeys(name for run in runs for name in run.arm.params))
    yield [*HEAD, *(f"params.{name}" for name in params), *names]
    for run in runs:
        fixed, values = row(run, names)[: len(HEAD)], row(run, names)[len(HEAD) :]
        yield [*fixed, *(run.arm.params.get(name) for name in params), *values]
