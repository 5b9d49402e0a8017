"""`--until decided`: what was asked, what is fixed before the first run, and what came of it.

All runs of such a batch are new ones: what was seen before the looks were fixed can't count. The
same command again goes on with the batch that it made.
"""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any

from nbbg import model, process
from nbbg.classes import dataclass
from nbbg.errors import EnvironmentFault, UsageError
from nbbg.ops.asked import Target
from nbbg.store import looks

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nbbg.index import Index
    from nbbg.ops.project import Project

DECIDED = "decided"
OPTIONS = ("metric", "max_runs", "lower_is_better", "baseline")  # that say something with it alone
PROGRAM = "nbbg.results.looking"
PATIENCE = 120.0  # seconds that a design may take
_REFUSED, _LACKING = 2, 4  # exit codes of that program


@dataclass(frozen=True)
class Asked:
    """What was typed after `--until decided`."""

    metric: str
    max_runs: int
    lower_is_better: bool = False
    baseline: str = ""

    @property
    def target(self) -> Target:
        """So many runs of each arm, at most."""
        return Target(self.max_runs, more=True)


def asked(until: str | None, runs: object, given: Mapping[str, Any]) -> Asked | None:
    """What was asked; None without `--until`.

    Args:
        until: what was typed after it.
        runs: what was typed after `--runs`.
        given: the OPTIONS, by name; empty or missing where they were not typed.

    Raises:
        UsageError: something is missing, or excludes the other.
    """
    if not until:
        for name in OPTIONS:
            if given.get(name):
                option = f"--{name.replace('_', '-')}"
                raise UsageError(f"{option} goes with --until decided")
        return None
    if until != DECIDED:
        raise UsageError(f"--until {until}: there is --until {DECIDED}")
    if not given.get("metric"):
        raise UsageError("--until decided: by what?\n--metric accuracy")
    if runs is not None:
        raise UsageError("--runs and --until decided exclude each other\n--max-runs 30 is the most")
    most = given.get("max_runs")
    if most is None:
        raise UsageError("--until decided: how many runs of each arm at most?\n--max-runs 30")
    if isinstance(most, bool) or not isinstance(most, int) or most < 1:
        raise UsageError(f"--max-runs {most}: a number of 1 or more")
    baseline = str(given.get("baseline") or "").removeprefix("arm:")
    return Asked(str(given["metric"]), most, bool(given.get("lower_is_better")), baseline)


def fix(wanted: Asked, arms: Mapping[str, model.Arm], first_number: int) -> model.Until:
    """What holds for these arms, whose first new runs have that number.

    Raises:
        UsageError: they can't be decided so.
        EnvironmentFault: SciPy is not installed.
    """
    looks_at, alpha = _design(tuple(arms), wanted)
    seeds = {arm.seed for arm in arms.values()}
    return model.Until(
        wanted.metric,
        tuple(arms),
        looks_at,
        min(seeds) + first_number,
        alpha,
        wanted.lower_is_better,
        wanted.baseline,
    )


@functools.cache
def _design(arms: tuple[str, ...], wanted: Asked) -> tuple[tuple[int, ...], float]:
    """After how many runs it is looked, and the error allowed: the statistics' to say."""
    given = json.dumps({**vars(wanted), "arms": arms})
    code, said = process.ask(PROGRAM, "design", given=given, seconds=PATIENCE)
    if code == _REFUSED:
        raise UsageError(said.strip())
    if code == _LACKING:
        raise EnvironmentFault(said.strip())
    if code:
        raise EnvironmentFault(f"no design can be made: {said.strip().splitlines()[-1]}")
    found = json.loads(said)
    return tuple(found["looks"]), float(found["alpha"])


def first_number(index: Index, arms: Mapping[str, model.Arm]) -> int:
    """The number that is new in each of these arms."""
    numbers = (run.number for name in arms for run in index.runs("arm = ?", (name,)))
    return max(numbers, default=0) + 1


def same(index: Index, wanted: Asked, arms: Mapping[str, model.Arm]) -> model.Batch | None:
    """The newest batch that was asked for in the same words, of the same code."""
    for batch in reversed(index.batches()):
        if batch.until and _asked(batch.until) == wanted and set(batch.until.arms) == set(arms):
            sources = {name: batch.arms[name].source for name in batch.until.arms}
            if sources == {name: arm.source for name, arm in arms.items()}:
                return batch
    return None


def _asked(until: model.Until) -> Asked:
    return Asked(until.metric, until.max_runs, until.lower_is_better, until.baseline)


def covered(index: Index, batch: model.Batch) -> tuple[list[model.Run], str]:
    """The runs of such a batch that may still count, or have succeeded; and its last verdict."""
    assert batch.until is not None  # noqa: S101 - the caller has asked
    runs = index.runs("batch = ?", (batch.id,))
    if over := index.verdict(batch.id):
        done = [run for run in runs if run.state.word == model.Succeeded.word]
        return done, f"{batch.name}: {over.why}"
    taken = looks.taken(index.store.batch(batch.id), batch.until)
    seen = batch.last_before(len(taken)) if taken else 0
    return [run for run in runs if run.id > seen or run.state.word == model.Succeeded.word], ""


def look_again(
    project: Project, index: Index, numbers: Iterable[int], by: str
) -> list[model.Batch]:
    """Those of the batches that run until they are decided and of which a look alone is left."""
    from nbbg.ops import again

    found = [index.batch(number) for number in sorted(numbers)]
    left = [each for each in found if awaits_look(index, each)]
    for batch in left:
        again.lift(project, batch, by)
    return left


def awaits_look(index: Index, batch: model.Batch) -> bool:
    """Whether all its runs have ended, and it is to be looked whether that decides it."""
    if batch.until is None or index.verdict(batch.id):
        return False
    return not model.AT_WORK & index.counts(batch.id).keys()


@dataclass(frozen=True)
class Report:
    """How far a batch is that runs until it is decided."""

    metric: str
    lower_is_better: bool
    baseline: str | None
    max_runs: int  # of each arm
    looks: list[int]  # after so many runs of each arm
    taken: int  # looks
    over: bool
    decided: bool
    winner: str | None
    verdict: str | None  # what the last look said
    needless: int  # runs that it was decided without

    def __str__(self) -> str:
        if self.over:
            more = f"; {self.needless} were not needed" if self.needless else ""
            return f"{self.verdict}{more}"
        coming = f"after {self.looks[self.taken]} of {self.max_runs} runs of each arm"
        if self.verdict:
            return f"{self.verdict}; next look {coming}"
        return f"until decided by {self.metric}: first look {coming}"


def report(index: Index, batch: model.Batch) -> Report | None:
    """The report of a batch; None where it has a fixed number of runs."""
    until = batch.until
    if until is None:
        return None
    taken = looks.taken(index.store.batch(batch.id), until)
    last = taken[-1] if taken else None
    return Report(
        metric=until.metric,
        lower_is_better=until.lower_is_better,
        baseline=until.baseline or None,
        max_runs=until.max_runs,
        looks=list(until.looks),
        taken=len(taken),
        over=bool(last and last.over),
        decided=bool(last and last.decided),
        winner=last.winner or None if last else None,
        verdict=last.why if last else None,
        needless=len(index.needless(batch.id)),
    )
