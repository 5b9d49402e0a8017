"""Every seed as a point, a row an arm; seeds that pair are joined; IQM, mean and its interval."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from nbbg.results.pictures import look
from nbbg.results.pictures.look import Panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from nbbg.results.comparison import Comparison, Summary

JOINED = 8  # arms, and seeds of each, up to which lines join them; more would hide the points
JOINED_SEEDS = 60
_ROOM = 0.3  # of a row, over which points are spread
_BELOW = 0.3  # of a row, at which the figures of the arm stand
_FEW = 4  # rows up to which there is room to spare
_TIGHT = 10  # rows from which on they stand closer


def panel(comparison: Comparison) -> Panel:
    """The panel of a comparison."""
    arms = len(comparison.summaries)
    row = 0.75 if arms < _FEW else 0.5 if arms < _TIGHT else 0.34
    labels = [*look.names(comparison).values()]
    joined = ", thin lines join equal seeds" if _is_joined(comparison) else ""
    return Panel(
        "seeds",
        f"Each point is one seed{joined}. Below the points: the diamond is the IQM (mean of the"
        " middle half), the grey bar the 5-95 % range of the seeds, the tick the mean, and from 10"
        " seeds on the black line its 95 % interval.",
        3.9 + look.width_of(labels) + 0.9,
        1.0 + row * max(arms, 2),
        lambda axes: _draw(axes, comparison),
    )


def _is_joined(comparison: Comparison) -> bool:
    seeds = max(len(sample.values) for sample in comparison.samples)
    few = 1 < len(comparison.summaries) <= JOINED and seeds <= JOINED_SEEDS
    return few and any(pair.paired for pair in comparison.pairs)


def _draw(axes: Axes, comparison: Comparison) -> None:
    rows = {arm: row for row, arm in enumerate(comparison.summaries)}
    values = {sample.arm: sample.values for sample in comparison.samples}
    shown = [value for arm in rows for value in values[arm].values()]
    look.set_axis(axes, "x", shown, look.metric(comparison))
    if _is_joined(comparison):
        _join(axes, comparison)
    for arm, style in look.of_arms(comparison).items():
        found = values[arm]
        places = [rows[arm] + place for place in _places(comparison, arm)]
        axes.plot(
            [*found.values()],
            places,
            linestyle="",
            marker=style.marker,
            markersize=4.5 if len(found) <= 12 else 3.5,  # noqa: PLR2004 - more stand closer
            color=style.colour,
            markeredgecolor=look.INK,
            markeredgewidth=0.4,
            alpha=0.9,
            zorder=3,
            gid=f"seeds {arm}",
        )
        _figures(axes, comparison.summaries[arm], rows[arm] + _BELOW)
    axes.set_yticks([*rows.values()], [*look.names(comparison).values()])
    axes.set_ylim(len(rows) - 0.35, -0.5)
    axes.set_title("every seed", loc="left")
    axes.grid(axis="x", color="#E2E2E2", linewidth=0.6)
    look.tidy(axes)


def _places(comparison: Comparison, arm: str) -> list[float]:
    """Where in its row each seed of an arm stands: a seed at the same height in every arm."""
    seeds = sorted({seed for sample in comparison.samples for seed in sample.values})
    offsets = dict(zip(seeds, look.spread(len(seeds), _ROOM), strict=True))
    found = next(sample for sample in comparison.samples if sample.arm == arm)
    return [offsets[seed] - 0.12 for seed in found.values]


def _join(axes: Axes, comparison: Comparison) -> None:
    """A thin line for each seed from arm to arm, where neighbours both have it."""
    values = {sample.arm: sample.values for sample in comparison.samples}
    arms = list(comparison.summaries)
    at = {arm: dict(zip(values[arm], _places(comparison, arm), strict=True)) for arm in arms}
    for row, (upper, lower) in enumerate(pairwise(arms)):
        for seed in values[upper].keys() & values[lower].keys():
            axes.plot(
                [values[upper][seed], values[lower][seed]],
                [row + at[upper][seed], row + 1 + at[lower][seed]],
                color=look.PALE,
                linewidth=0.5,
                alpha=0.6,
                zorder=1,
                gid="pair",
            )


def _figures(axes: Axes, of: Summary, at: float) -> None:
    """What the seeds of an arm amount to, and how many there are."""
    if look.is_shown(of.range90) and of.n > 1:
        ends = [of.range90.low, of.range90.high]
        axes.plot(ends, [at, at], color="#C4C4C4", linewidth=4, solid_capstyle="butt", zorder=2)
    if look.is_shown(of.mean_interval):
        ends = [of.mean_interval.low, of.mean_interval.high]
        axes.plot(ends, [at, at], color=look.INK, linewidth=1.2, zorder=4, gid="interval")
    if of.mean is not None:
        axes.plot(of.mean, at, marker="|", markersize=8, color=look.INK, zorder=5, gid="mean")
    if of.iqm is not None:
        axes.plot(
            *(of.iqm, at),
            marker="D",
            markersize=4.5,
            color="white",
            markeredgecolor=look.INK,
            zorder=6,
            gid="iqm",
        )
    failed = f"\n{of.failures} left out" if of.failures else ""
    axes.annotate(
        f"n = {of.n}{failed}",
        (1.0, round(at - _BELOW)),
        xycoords=("axes fraction", "data"),
        xytext=(6, 0),
        textcoords="offset points",
        va="center",
        fontsize=8,
    )
