"""From runs to samples: of each arm one value of a metric by seed, and every run without one.

Nothing is dropped without a word: a run that did not succeed, or whose value is missing, text, NaN
or infinite, is left out with the reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbbg.errors import UsageError
from nbbg.results import reducing, rows, values
from nbbg.results.samples import LeftOut, Sample
from nbbg.store import imported

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from nbbg import model
    from nbbg.results.reducing import Reduction
    from nbbg.results.samples import Curve


def gather(
    runs: Iterable[model.Run],
    metric: str,
    *,
    reduce: str = reducing.LAST,
    lower_is_better: bool = False,
    curves: bool = False,
    by: str = "",
) -> list[Sample]:
    """The samples of a metric, by arm; where a number was run anew, the newest run counts.

    Args:
        runs: of any arms and batches.
        metric: its name.
        reduce: which value stands for a run: `last`, `best`, or `mean:K`, the mean of the last K.
        lower_is_better: what `best` goes by.
        curves: whether to read every logged value too, which takes a look into each run's folder.
        by: a column: the runs of an arm with different values in it are samples of their own.

    Raises:
        UsageError: no run has the metric, there is no such column, or `reduce` has no meaning.
    """
    how = reducing.parse(reduce, lower_is_better=lower_is_better)
    found = values.current(runs)
    values.require(found, metric)
    of_arm: dict[str, list[model.Run]] = {}
    name_of = _names(found, by)
    for run in found:
        of_arm.setdefault(name_of(run), []).append(run)
    return [_sample(name, mine, metric, how, curves=curves) for name, mine in of_arm.items()]


def _names(runs: Sequence[model.Run], by: str) -> Callable[[model.Run], str]:
    """What the sample of a run is called."""
    if not by:
        return lambda run: run.arm.name
    get = rows.getter(by, runs)
    if get is None:
        there = ", ".join(rows.known(runs))
        raise UsageError(f"--by {by}: there is no such column\nthere are {there}")
    return lambda run: f"{run.arm.name} {by}={get(run)}"


def _sample(
    name: str, runs: Sequence[model.Run], metric: str, how: Reduction, *, curves: bool
) -> Sample:
    counted: dict[int, float] = {}
    left_out: list[LeftOut] = []
    ids: dict[int, int] = {}
    drawn: dict[int, Curve] = {}
    for run in runs:
        value, why = reducing.of_run(run, metric, how)
        if why:
            left_out.append(LeftOut(run.id, run.seed, why))
            continue
        counted[run.seed], ids[run.seed] = value, run.id
        if curves and (curve := reducing.curve(run, metric)):
            drawn[run.seed] = curve
    used = [run for run in runs if ids.get(run.seed) == run.id]
    machines = sorted({rows.machine(run) for run in used} - {""})
    return Sample(name, counted, left_out, ids, drawn, machines, _sources(used))


def _sources(runs: Sequence[model.Run]) -> list[str]:
    """What tells versions of the code apart: of the notebook, and of modules that differ."""
    one_of_each = {(run.arm.source, run.imported): run for run in runs}
    by_modules = {run.imported: run for run in one_of_each.values() if run.imported}
    differing = imported.versions(by_modules.values()) if len(by_modules) > 1 else {}
    found: dict[str, None] = {}
    for run in one_of_each.values():
        modules = imported.of_run(run) if differing else {}
        used = (f"{name}={modules[name][:12]}" for name in differing if name in modules)
        found[" ".join([run.arm.source, *used])] = None
    return list(found)
