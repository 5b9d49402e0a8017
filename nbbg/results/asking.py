"""`nbbg.compare`: from names of arms to a comparison that prints as its verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbbg.classes import replace
from nbbg.ops import asking as elsewhere
from nbbg.ops import deciding, project, selection
from nbbg.results import gathering

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbbg.index import Index
    from nbbg.ops.project import Project
    from nbbg.results.comparison import Comparison
    from nbbg.results.samples import Sample


def compare(
    *names: str,
    metric: str,
    lower_is_better: bool = False,
    baseline: str = "",
    reduce: str = "last",
    by: str = "",
) -> Comparison:
    """Compare arms of the current project over their seeds; the result prints as the verdict.

    Args:
        names: arms, batches or runs as on the command line; none: all arms with the metric.
        metric: what they are compared by.
        lower_is_better: whether less of it is better.
        baseline: the arm that each other one is compared with, instead of each with each.
        reduce: which value stands for a run: `last`, `best`, or `mean:5`, the mean of the last 5.
        by: a column, such as `machine`: each arm is split by it, and its parts are compared.

    Raises:
        UsageError: a name or the metric means nothing here, or there is nothing to compare.
        EnvironmentFault: SciPy is not installed.
    """
    return in_project(
        project.to_read(),
        names,
        metric,
        lower_is_better=lower_is_better,
        baseline=baseline,
        reduce=reduce,
        by=by,
    )


def in_project(
    where: Project,
    names: Sequence[str],
    metric: str,
    *,
    lower_is_better: bool = False,
    baseline: str = "",
    reduce: str = "last",
    curves: bool = False,
    by: str = "",
) -> Comparison:
    """As `compare`, in a project that is known; `curves` are read where pictures need them.

    Raises:
        UsageError: as `compare` does.
    """
    first = baseline.partition(f" {by}=")[0] if by else baseline
    wanted = [*names, first] if names and baseline else names
    with elsewhere.index(where.store) as index:
        runs = selection.Runs(index, wanted) if wanted else index.each()
        samples = gathering.gather(
            runs,
            metric,
            reduce=reduce,
            lower_is_better=lower_is_better,
            curves=curves,
            by=by,
        )
        decided = _decided(index, samples)
    if not names:  # an arm that has never had the metric is of other work
        without = f"no {metric}"
        samples = [
            each
            for each in samples
            if each.values or any(one.why != without for one in each.left_out)
        ]
    from nbbg.results import comparing  # SciPy, which takes a while, and may not be there

    found = comparing.compare(
        samples, metric, lower_is_better=lower_is_better, baseline=baseline.removeprefix("arm:")
    )
    return replace(found, notes=(*found.notes, *decided))


def _decided(index: Index, samples: Sequence[Sample]) -> list[str]:
    """Of the batches with these runs that run until they are decided: what their looks say."""
    ids = [run for each in samples for run in each.runs.values()]
    notes = []
    for batch in map(index.batch, index.batches_of(ids)):
        report = deciding.report(index, batch)
        if report and any(batch.first <= run <= batch.last for run in ids):
            about = f"{batch.name} runs until it is decided by {report.metric}: its looks decide"
            notes.append(f"{about}, and the figures here only describe\n{batch.name}: {report}")
    return notes
