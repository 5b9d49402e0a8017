"""What came out: one row a run, with the last value of each metric it logged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nbbg import model


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
