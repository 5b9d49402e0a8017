"""What a report shows of results: the comparison, its pictures, and the tables.

Where there is no metric to compare by, or a library is missing, the rest of the report is made all
the same, and says so.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import quote

from nbbg.classes import dataclass
from nbbg.cli import plotting, table
from nbbg.errors import EnvironmentFault, UsageError
from nbbg.ops.report.content import Link, Picture, Table
from nbbg.results import gathering, rows, values
from nbbg.results.pictures import writing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from nbbg import model
    from nbbg.index import Index
    from nbbg.results.comparison import Comparison, Summary
    from nbbg.results.samples import Sample

ROWS = 500  # of the table of runs
METRICS = 12
_INCH = 96  # CSS pixels
_LARGE = 200_000  # bytes of an SVG from which a PNG is smaller
_HEAD = ("arm", "number", "seed", "run", "state", "time")
_FIGURES = ("mean", "IQM", "median", "SD", "min", "max")


@dataclass(frozen=True)
class Compared:
    """What could be said of the metric that was asked for, or of the only one there is."""

    metric: str  # empty where there are several, and none was asked for
    comparison: Comparison | None
    pictures: Sequence[Picture]
    tables: Sequence[tuple[str, Table]]
    missing: Sequence[str]  # sentences: why there is no verdict, or no picture


def compare(
    index: Index, found: Sequence[model.Run], metric: str, *, lower_is_better: bool, baseline: str
) -> Compared:
    """Compare the runs by a metric, else by the only one there is; of several show the figures.

    Raises:
        UsageError: no run has the metric that was asked for.
    """
    numeric = _numeric(found)
    if not metric and len(numeric) != 1:
        tables, missing = _by_arms(found, numeric[:METRICS])
        hint = f"no verdict without a metric; name one: --metric {numeric[0]}" if numeric else ""
        return Compared("", None, [], tables, [*([hint] if hint else []), *missing])
    metric = metric or numeric[0]
    samples = gathering.gather(found, metric, lower_is_better=lower_is_better, curves=True)
    try:
        from nbbg.results import comparing

        comparison = comparing.compare(
            samples, metric, lower_is_better=lower_is_better, baseline=baseline
        )
    except (UsageError, EnvironmentFault) as error:
        return Compared(metric, None, [], _by_arms(found, [metric])[0], [f"no verdict: {error}"])
    pictures, why_none = _pictures(index, comparison)
    by_arm = (f"{metric} by arm", _summary(comparison.summaries))
    return Compared(metric, comparison, pictures, [by_arm], why_none)


def _numeric(found: Sequence[model.Run]) -> list[str]:
    """The metrics that some run has a number of."""
    return [
        name
        for name in values.metrics(found)
        if any(not values.unfit(values.measured(run).get(name), name) for run in found)
    ]


def _by_arms(
    found: Sequence[model.Run], metrics: Sequence[str]
) -> tuple[list[tuple[str, Table]], list[str]]:
    """The figures of each metric that has any; or why there are none."""
    try:
        tables = [_by_arm(found, metric) for metric in metrics]
    except EnvironmentFault as error:
        return [], [f"no figures: {error}"]
    return [(title, shown) for title, shown in tables if shown.rows], []


def _by_arm(found: Sequence[model.Run], metric: str) -> tuple[str, Table]:
    """The figures of each arm, without comparing any."""
    summaries: dict[str, Summary] = {}
    for sample in gathering.gather(found, metric):
        summaries.update(_alone(sample, metric))
    return f"{metric} by arm", _summary(summaries)


def _alone(sample: Sample, metric: str) -> Mapping[str, Summary]:
    from nbbg.results import comparing

    try:
        return comparing.compare([sample], metric).summaries
    except UsageError:  # it has no values, or they are beyond all figures
        return {}


def _pictures(index: Index, comparison: Comparison) -> tuple[list[Picture], list[str]]:
    """The pictures; or why there are none."""
    try:
        composing = plotting.composing()
    except EnvironmentFault as error:
        return [], [str(error)]
    made = []
    for panel in composing.panels(comparison, plotting.params(index, comparison)):
        figure = composing.alone(panel)
        kind, data = "svg+xml", writing.to_bytes(figure, "svg")
        if len(data) > _LARGE:
            kind, data = "png", writing.to_bytes(figure, "png")
        made.append(Picture(panel.name, panel.caption, kind, int(panel.width * _INCH), data))
    return made, []


def _summary(summaries: Mapping[str, Summary]) -> Table:
    shown = [
        [
            *(one.arm, str(one.n), str(one.failures)),
            *map(table.number, (one.mean, one.iqm, one.median, one.sd, one.low, one.high)),
            _interval(one),
        ]
        for one in summaries.values()
    ]
    numbers = ("n", "left out", *_FIGURES)
    return Table(("arm", *numbers, "5-95 %"), shown, numbers)


def _interval(one: Summary) -> str:
    ends = one.range90
    return f"{table.number(ends.low)} to {table.number(ends.high)}" if ends else ""


def runs(found: Sequence[model.Run], folder: Path) -> Table:
    """A row a run, with what it measured and where its executed notebook lies."""
    names = values.metrics(found)[:METRICS]
    shown = [_run(run, names, folder) for run in found[:ROWS]]
    left = []
    if found[ROWS:]:
        left.append(f"{ROWS} of {len(found)} runs are shown; all: nbbg results --csv runs.csv")
    if more := values.metrics(found)[METRICS:]:
        left.append(f"{len(more)} more metrics: {', '.join(more[:METRICS])}")
    numbers = ("number", "seed", "run", "time", *names)
    return Table((*_HEAD, *names, "notebook"), shown, numbers, "; ".join(left))


def _run(run: model.Run, names: Sequence[str], folder: Path) -> list[str | Link]:
    measured = values.measured(run)
    return [
        *(run.arm.name, str(run.number), str(run.seed), str(run.id), run.state.word),
        table.duration(rows.seconds(run)),
        *(table.number(measured.get(name)) for name in names),
        _link(run, folder),
    ]


def _link(run: model.Run, folder: Path) -> str | Link:
    """To the executed notebook, from where the report lies."""
    path = run.arm.output_of(run.number, run.id)
    if not run.attempt or run.arm.log_only or not os.path.exists(path):
        return ""
    relative = os.path.relpath(path, folder)
    return Link(os.path.basename(path), quote(os.fsencode(relative)))
