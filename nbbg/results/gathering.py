"""From runs to samples: of each arm one value of a metric by seed, and every run without one.

Nothing is dropped without a word: a run that did not succeed, or whose value is missing, text, NaN
or infinite, is left out with the reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbbg import model
from nbbg.results import reducing, values
from nbbg.results.samples import Curve, LeftOut, Sample
from nbbg.store import curves as store_curves
from nbbg.store import imported

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nbbg.results.reducing import Reduction


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
    how = reducing.parse(reduce)
    found = values.current(runs)
    values.require(found, metric)
    of_arm: dict[str, list[model.Run]] = {}
    for run in found:
        of_arm.setdefault(run.arm.name, []).append(run)
    return [
        _sample(mine, metric, how, lower_is_better=lower_is_better, curves=curves)
        for mine in of_arm.values()
    ]


def curve(run: model.Run, metric: str) -> Curve | None:
    """All values that a run logged of a metric; None where it logged no number of that name."""
    found = store_curves.read(run.folder, (metric,)).get(metric) if run.attempt else None
    return Curve(tuple(found.numbered()), tuple(found.values)) if found else None


def _sample(
    runs: Sequence[model.Run], metric: str, how: Reduction, *, lower_is_better: bool, curves: bool
) -> Sample:
    counted: dict[int, float] = {}
    left_out: list[LeftOut] = []
    ids: dict[int, int] = {}
    read: dict[int, Curve] = {}
    for run in runs:
        drawn = curve(run, metric) if curves else None
        value, why = _value(run, metric, how, drawn, lower_is_better=lower_is_better)
        if why:
            left_out.append(LeftOut(run.id, run.seed, why))
            continue
        counted[run.seed], ids[run.seed] = value, run.id
        if drawn:
            read[run.seed] = drawn
    sources = _sources([run for run in runs if run.seed in ids])
    return Sample(runs[0].arm.name, counted, left_out, ids, read, sources)


def _value(
    run: model.Run, metric: str, how: Reduction, drawn: Curve | None, *, lower_is_better: bool
) -> tuple[float, str]:
    """The value that stands for a run; or NaN, and why there is none."""
    if how.kind == reducing.LAST:
        why = values.why_not(run, metric)
        return (0.0, why) if why else (float(run.metrics[metric]), "")
    if run.state.word != model.Succeeded.word:
        return 0.0, run.state.word
    drawn = drawn or curve(run, metric)
    if drawn is None:
        return 0.0, values.why_not(run, metric)
    return reducing.reduce(drawn, metric, how, lower_is_better=lower_is_better)


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
