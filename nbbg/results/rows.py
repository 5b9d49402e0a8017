"""Results as a table: one row a run, with its parameters and metrics; and its columns by name.

A column is one of those that every run has (`arm`, `number`, `seed`, `run`, `state`, `seconds`,
`batch`, ...), else a parameter, else a metric or a named result. `params.NAME` and `metrics.NAME`
name the one or the other for sure.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from nbbg.results import values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from nbbg import model

    Getter = Callable[[model.Run], Any]

PARAMS, METRICS = "params.", "metrics."
_ABSENT = object()


def seconds(run: model.Run) -> float | None:
    """How long its attempt took."""
    return run.ended_at - run.started_at if run.started_at and run.ended_at else None


def machine(run: model.Run) -> str:
    """Where it ran: as the project calls that machine, else as it calls itself."""
    return run.machine or run.host


def are_several(runs: Iterable[model.Run]) -> bool:
    """Whether they ran on more than one machine."""
    return len({machine(run) for run in runs} - {""}) > 1


HEAD: Mapping[str, Getter] = {
    "arm": lambda run: run.arm.name,
    "number": lambda run: run.number,
    "seed": lambda run: run.seed,
    "run": lambda run: run.id,
    "state": lambda run: run.state.word,
    "seconds": seconds,
}
_FIXED: Mapping[str, Getter] = {
    **HEAD,
    "batch": lambda run: f"b{run.batch}",
    "notebook": lambda run: run.arm.notebook,
    "attempt": lambda run: run.attempt,
    "reason": lambda run: run.state.reason,
    "engine": lambda run: run.arm.engine,
    "host": lambda run: run.host or None,
    "machine": lambda run: machine(run) or None,
}


def params(runs: Iterable[model.Run]) -> list[str]:
    """The names of all parameters that were given, in the order in which they were first seen."""
    arms = {id(run.arm): run.arm for run in runs}
    return list(dict.fromkeys(name for arm in arms.values() for name in arm.params))


def differing(runs: Iterable[model.Run]) -> list[str]:
    """Those of them that are not the same in all runs."""
    arms = list({id(run.arm): run.arm for run in runs}.values())
    names = dict.fromkeys(name for arm in arms for name in arm.params)
    return [
        name for name in names if len({repr(arm.params.get(name, _ABSENT)) for arm in arms}) > 1
    ]


def known(runs: Iterable[model.Run]) -> list[str]:
    """The names of all columns, those of every run last; one that is parameter and metric, once."""
    runs = list(runs)
    return list(dict.fromkeys([*params(runs), *values.metrics(runs), *_FIXED]))


def getter(name: str, runs: Iterable[model.Run]) -> Getter | None:
    """What gives a run's value in a column, None where it has none; None: there is no such column.

    Args:
        name: of the column.
        runs: the runs that are in the table.
    """
    if name in _FIXED:
        return _FIXED[name]
    runs = list(runs)
    parameter, metric = name.removeprefix(PARAMS), name.removeprefix(METRICS)
    if metric == name and parameter in params(runs):
        return lambda run: run.arm.params.get(parameter)
    if parameter == name and metric in values.metrics(runs):
        return lambda run: values.measured(run).get(metric)
    return None


def ordered(runs: Iterable[model.Run], get: Getter, *, reverse: bool = False) -> list[model.Run]:
    """The runs by their values in a column: numbers, then texts; without one, or NaN, last."""
    keyed = [(_rank(get(run)), run) for run in runs]
    first = [(key, run) for key, run in keyed if key is not None]
    first.sort(key=lambda one: one[0], reverse=reverse)
    return [run for _, run in first] + [run for key, run in keyed if key is None]


def _rank(value: Any) -> tuple[int, float, str] | None:
    if value is None or value != value:  # noqa: PLR0124 - NaN
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return 0, value if math.isfinite(value) else math.copysign(math.inf, value), ""
    return 1, 0.0, str(value)


def records(runs: Iterable[model.Run]) -> Iterator[dict[str, Any]]:
    """Each row by the names of its columns, which all rows have: parameters as `params.NAME`."""
    runs = list(runs)
    names, given = values.metrics(runs), params(runs)
    several = are_several(runs)
    for run in runs:
        fixed = {name: get(run) for name, get in HEAD.items()}
        fixed |= {"machine": machine(run) or None} if several else {}
        of_arm = {PARAMS + name: run.arm.params.get(name) for name in given}
        measured = values.measured(run)
        logged = {(METRICS + name if name in fixed else name): measured.get(name) for name in names}
        yield {**fixed, **of_arm, **logged}


def columns(runs: Iterable[model.Run]) -> Iterator[Sequence[Any]]:
    """The same as lists for other programs, after a head."""
    position = -1
    for position, row in enumerate(records(runs)):
        if not position:
            yield list(row)
        yield list(row.values())
    if position < 0:
        yield list(HEAD)
