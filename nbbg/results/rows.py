"""Results as a table: one row a run, with its metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbbg.results import values

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nbbg import model

HEAD = ("arm", "number", "seed", "run", "state", "seconds")


def row(run: model.Run, names: Iterable[str]) -> list[Any]:
    """Arm, number, seed, run, state, seconds, and each metric."""
    seconds = run.ended_at - run.started_at if run.started_at and run.ended_at else None
    fixed = [run.arm.name, run.number, run.seed, run.id, run.state.word, seconds]
    return [*fixed, *(run.metrics.get(name) for name in names)]


def columns(runs: Iterable[model.Run]) -> Iterator[list[Any]]:
    """A table of all runs for other programs: a head, then a row a run with parameters, metrics."""
    runs = list(runs)
    names = values.metrics(runs)
    params = list(dict.fromkeys(name for run in runs for name in run.arm.params))
    yield [*HEAD, *(f"params.{name}" for name in params), *names]
    for run in runs:
        found = row(run, names)
        given = (run.arm.params.get(name) for name in params)
        yield [*found[: len(HEAD)], *given, *found[len(HEAD) :]]
