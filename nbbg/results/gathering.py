"""From runs to samples: of each arm one value of a metric by seed, and every run without one.

Nothing is dropped without a word: a run that did not succeed, or whose value is missing, text, NaN
or infinite, is left out with the reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbbg.results import reducing, values
from nbbg.results.samples import LeftOut, Sample
from nbbg.store import imported

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

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
) -> list[Sample]:
    """The samples of a metric, by arm; where a number was run anew, the newest run counts.

    Args:
        runs: of any arms and batches.
        metric: its name.
        reduce: which value stands for a run: `last`, `best`, or `mean:K`, the mean of the last K.
        lower_is_better: what `best` goes by.
        curves: whether to read every logged value too, which takes a look into each run's folder.

    Raises:
        UsageError: no run has the metric, or `reduce` has no meaning.
    """
    how = reducing.parse(reduce, lower_is_better=lower_is_better)
    found = values.current(runs)
    values.require(found, metric)
    of_arm: dict[str, list[model.Run]] = {}
    for run in found:
        of_arm.setdefault(run.arm.name, []).append(run)
    return [_sample(mine, metric, how, curves=curves) for mine in of_arm.values()]


def _sample(runs: Sequence[model.Run], metric: str, how: Reduction, *, curves: bool) -> Sample:
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
    sources = _sources([run for run in runs if run.seed in ids])
    return Sample(runs[0].arm.name, counted, left_out, ids, drawn, sources)


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
