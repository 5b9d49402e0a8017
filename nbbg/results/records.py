"""Results from Python: plain records, which print as a table; or a DataFrame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbbg.errors import EnvironmentFault, UsageError
from nbbg.ops import asking, project, selection
from nbbg.results import expressions, reducing, rows, values
from nbbg.store import curves as store_curves

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd

    from nbbg import model

INSTALL = "pip install pandas"
SHOWN = 20  # records that are printed


class Records(list[dict[str, Any]]):
    """A list of dicts with the same keys. Printed, it is a table."""

    def to_frame(self) -> pd.DataFrame:
        """The same as a pandas DataFrame, a column a key.

        Raises:
            EnvironmentFault: pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise EnvironmentFault(f"a DataFrame needs pandas: {error}\n{INSTALL}") from error
        return pd.DataFrame.from_records(list(self), columns=list(self[0]) if self else None)

    def __repr__(self) -> str:
        if not self:
            return "no results"
        cells = [list(self[0]), *([_text(one) for one in row.values()] for row in self[:SHOWN])]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in cells
        ]
        more = len(self) - SHOWN
        return "\n".join([*lines, f"and {more} more"] if more > 0 else lines)


def results(*ids: str | int, where: str | Sequence[str] = (), reduce: str = "last") -> Records:
    """The results of the current project: one record a run, as `nbbg results` shows them.

    `nbbg.results("b3", where="lr < 0.1").to_frame()`. The keys are those of `nbbg results --csv`:
    `arm`, `number`, `seed`, `run`, `state`, `seconds`, `params.NAME`, and the metrics.

    Args:
        ids: runs (`7`), batches (`"b3"`) and arms (`"train"`); none: all.
        where: a condition, or several that must all be true.
        reduce: which value of a metric counts: "last", or "mean:5" of its last five.

    Raises:
        UsageError: a name or a condition makes no sense.
    """
    how = reducing.parse(reduce)
    if how.kind == reducing.BEST:
        message = "reduce='best': of one metric alone\nsuch as: nbbg.curves('loss')"
        raise UsageError(message)
    runs = _chosen(ids, where)
    if how.kind != reducing.LAST:
        runs = [reducing.whole(run, how)[0] for run in runs]
    return Records(rows.records(runs))


def curves(metric: str, *ids: str | int, where: str | Sequence[str] = ()) -> Records:
    """Every value that runs have logged of a metric: one record a value.

    The keys are `arm`, `number`, `seed`, `run`, `step` and `value`; the step is the position, from
    0, in a run that logged any of its values without one.

    Args:
        metric: its name.
        ids: as of `results`.
        where: as of `results`.

    Raises:
        UsageError: no run has the metric, or a name or a condition makes no sense.
    """
    runs = _chosen(ids, where)
    values.require(runs, metric)
    return Records(record for run in runs for record in _of_run(run, metric))


def _of_run(run: model.Run, metric: str) -> Iterator[dict[str, Any]]:
    found = store_curves.read(run.folder, (metric,)).get(metric) if run.attempt else None
    fixed = {"arm": run.arm.name, "number": run.number, "seed": run.seed, "run": run.id}
    for step, value in zip(found.numbered(), found.values, strict=True) if found else ():
        yield {**fixed, "step": step, "value": value}


def _chosen(ids: Sequence[str | int], where: str | Sequence[str]) -> list[model.Run]:
    with asking.index(project.here().store) as index:
        runs = selection.Runs(index, map(str, ids)) if ids else index.each()
        found = values.current(runs)
    return expressions.matching(found, [where] if isinstance(where, str) else where)


def _text(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
