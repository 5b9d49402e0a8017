"""Learning curves: a thin line a seed, the IQM across seeds, and a band over the middle half.

Curves of several step grids are brought onto one, each only over the steps that it has; the IQM is
drawn where at least half of the seeds have a value, since the few that went on longest are not the
others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.patheffects import withStroke

from nbbg.results.pictures import look
from nbbg.results.pictures.look import Panel
from nbbg.results.statistics import describing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from nbbg.results.comparison import Comparison
    from nbbg.results.samples import Curve, Sample

    Numbers = NDArray[np.float64]

MOST = 6  # arms
_POINTS = 300  # of a grid, where steps differ
_LONG = 22  # characters, from which on names of a legend stand one below the other
_EARLY = 0.2  # of the steps, which may go beyond the axis
_MOST_OF_THEM = (1, 99)  # percent of the later values, which the axis has room for
_INKED = 8.0  # thin lines that together are as dark as they may be
_PALEST = 0.12  # of a thin line
_FEW = 2  # values that make a line


def panel(comparison: Comparison) -> Panel:
    """The panel of a comparison whose samples have curves."""
    shown = chosen(comparison)
    left = len([sample for sample in comparison.samples if has_curves(sample)]) - len(shown)
    some = f" Shown are the {len(shown)} arms with the best means; {left} more have curves." * (
        left > 0
    )
    gaps = sum(_gaps(curve) for sample in shown for curve in sample.curves.values())
    holes = f" {gaps} values that are NaN or infinite leave gaps." if gaps else ""
    return Panel(
        "curves",
        "A thin line is one seed; the thick line is the IQM across the seeds of an arm, and the"
        f" band holds the middle half of them.{some}{holes}",
        5.2,
        3.2 + 0.17 * len(shown),
        lambda axes: _draw(axes, comparison),
    )


def has_curves(sample: Sample) -> bool:
    """Whether any seed of an arm logged more than one finite value."""
    return any(len(_clean(curve)[0]) >= _FEW for curve in sample.curves.values())


def chosen(comparison: Comparison) -> list[Sample]:
    """The arms that are shown, best mean first."""
    by_arm = {sample.arm: sample for sample in comparison.samples}
    arms = [by_arm[arm] for arm in comparison.summaries]
    return [sample for sample in arms if has_curves(sample)][:MOST]


def on_grid(curves: Iterable[Curve]) -> tuple[Numbers, Numbers]:
    """The curves over one grid of steps.

    Returns:
        Steps, of shape (g,), and values, of shape (curves, g); NaN where a curve has none.
    """
    cleaned = [each for each in map(_clean, curves) if len(each[0])]
    if not cleaned:
        return np.empty(0), np.empty((0, 0))
    grid = np.unique(np.concatenate([steps for steps, _ in cleaned]))
    if len(grid) > max(_POINTS, *(len(steps) for steps, _ in cleaned)):
        grid = np.linspace(grid[0], grid[-1], _POINTS)
    rows = [np.interp(grid, *each, left=np.nan, right=np.nan) for each in cleaned]
    return grid, np.array(rows)


def middle(values: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Lower quartile, IQM and upper quartile of each column; NaN where too few have a value.

    Args:
        values: of shape (curves, g), with NaN.
    """
    found = np.full((3, values.shape[1]), np.nan)
    for place, column in enumerate(values.T):
        there = column[np.isfinite(column)]
        if 2 * len(there) >= len(column) > 0:
            low, high = np.percentile(there, [25, 75])
            found[:, place] = low, describing.iqm(there), high
    return found[0], found[1], found[2]


def _clean(curve: Curve) -> tuple[Numbers, Numbers]:
    """Finite values by step, ascending; of a step that was logged again the last."""
    last = dict(zip(curve.steps, curve.values, strict=True))
    pairs = sorted((s, v) for s, v in last.items() if np.isfinite(s) and np.isfinite(v))
    steps, values = np.array(pairs, dtype=float).reshape(-1, 2).T
    return steps, values


def _gaps(curve: Curve) -> int:
    return int(np.count_nonzero(~np.isfinite(np.array(curve.values, dtype=float))))


def _draw(axes: Axes, comparison: Comparison) -> None:
    shown, looks = chosen(comparison), look.of_arms(comparison)
    names = look.names(comparison)
    logged = [v for each in shown for curve in each.curves.values() for v in curve.values]
    kind = look.set_axis(axes, "y", logged, look.metric(comparison))
    pale = min(0.45, max(_PALEST, _INKED / sum(len(sample.curves) for sample in shown)))
    for sample in shown:
        _arm(axes, sample, looks[sample.arm], names[sample.arm], pale)
    beyond = kind == "linear" and _focus(axes, shown)
    axes.set_xlabel("step")
    look.mark_whole(axes, (s for one in shown for c in one.curves.values() for s in c.steps))
    some = " (some values lie beyond the axis)" if beyond else ""
    axes.set_title(f"learning curves{some}", loc="left")
    axes.grid(color="#E2E2E2", linewidth=0.6)
    axes.legend(
        loc="upper left",
        bbox_to_anchor=(0, -0.16),
        frameon=False,
        fontsize=8,
        borderaxespad=0,
        handlelength=3.2,
        ncols=1 if max(len(names[sample.arm]) for sample in shown) > _LONG else 2,
    )
    look.tidy(axes)


def _focus(axes: Axes, shown: Sequence[Sample]) -> bool:
    """An axis for the later steps, where the first ones or a few dips would leave them no height.

    Returns:
        Whether some values lie beyond it.
    """
    rows = [row for sample in shown for row in _own(sample.curves.values())]
    steps, values = (np.concatenate(each) for each in zip(*rows, strict=True))
    there = np.isfinite(values) & np.isfinite(steps)
    first, last = np.min(steps[there]), np.max(steps[there])
    late = values[there & (steps >= first + _EARLY * (last - first))]
    low, high = np.percentile(late, _MOST_OF_THEM)
    if not 0 < 2 * (high - low) < np.ptp(values[there]):
        return False
    room = 0.2 * (high - low)
    axes.set_ylim(low - room, high + room)
    return True


def _arm(axes: Axes, sample: Sample, style: look.Look, name: str, pale: float) -> None:
    grid, values = on_grid(sample.curves.values())
    for row in _own(sample.curves.values()):
        axes.plot(*row, color=style.colour, linewidth=0.5, alpha=pale, zorder=1, gid="seed")
    if len(values) > 1:
        low, iqm, high = middle(values)
        axes.fill_between(grid, low, high, color=style.colour, alpha=0.18, linewidth=0, zorder=2)
    else:
        iqm = values[0]
    axes.plot(
        grid,
        iqm,
        color=style.colour,
        linestyle=style.line,
        linewidth=2,
        marker=style.marker,
        markersize=5,
        markeredgecolor="white",
        markeredgewidth=0.6,
        markevery=max(1, len(grid) // 8),
        zorder=3,
        path_effects=[withStroke(linewidth=3.6, foreground="white")],
        label=f"{name} (n = {len(values)})",
        gid=f"iqm {sample.arm}",
    )


def _own(curves: Iterable[Curve]) -> Sequence[tuple[Numbers, Numbers]]:
    """Each curve over its own steps, with gaps where it was not finite."""
    found = []
    for curve in curves:
        steps, values = (np.array(each, dtype=float) for each in (curve.steps, curve.values))
        values = np.where(np.isfinite(values), values, np.nan)
        order = np.argsort(steps, kind="stable")
        found.append((steps[order], values[order]))
    return found
