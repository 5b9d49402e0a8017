"""How probable it is that one arm beats another on a seed, for all pairs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from nbbg.results.pictures import look
from nbbg.results.pictures.look import Panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from nbbg.results.comparison import Comparison

MOST = 30  # arms
_DARK = 0.6  # from which on the number is white
_TITLE = "row better than column, %"
_BOLD = 1.3  # times as wide as a label of so many characters
_ROOMY = 10  # arms up to which cells are large


def panel(comparison: Comparison) -> Panel:
    """The panel of a comparison of all its pairs."""
    arms = [*comparison.summaries][:MOST]
    cell = 0.42 if len(arms) <= _ROOMY else 0.29
    labels = look.width_of([*look.names(comparison).values()][:MOST])
    some = f" Shown are the best {MOST} arms." if len(comparison.summaries) > MOST else ""
    return Panel(
        "probability",
        "The probability, in percent, that the arm of the row is better than the arm of the column"
        f" on a seed; 50 means that neither is.{some}",
        max(cell * len(arms), look.width_of([_TITLE]) * _BOLD) + labels + 0.6,
        cell * len(arms) + labels * 0.8 + 0.9,
        lambda axes: _draw(axes, comparison),
    )


def values(comparison: Comparison) -> list[list[float]]:
    """Row better than column, by arm, best mean first; NaN where it is not known."""
    arms = [*comparison.summaries][:MOST]
    found = {}
    for pair in comparison.pairs:
        if pair.improvement is not None:
            found[pair.better, pair.worse] = pair.improvement
            found[pair.worse, pair.better] = 1 - pair.improvement
    return [[found.get((row, column), math.nan) for column in arms] for row in arms]


def _draw(axes: Axes, comparison: Comparison) -> None:
    shown = values(comparison)
    names = [*look.names(comparison).values()][:MOST]
    axes.imshow(shown, cmap="Blues", vmin=0, vmax=1, aspect="equal")
    for row, line in enumerate(shown):
        for column, value in enumerate(line):
            axes.text(
                *(column, row, "" if row == column else _number(value)),
                ha="center",
                va="center",
                fontsize=8 if len(names) <= _ROOMY else 6,
                color="white" if value > _DARK else look.INK,
            )
    axes.set_yticks(range(len(names)), names)
    axes.set_xticks(range(len(names)), names, rotation=50, ha="right", rotation_mode="anchor")
    axes.tick_params(length=0)
    axes.set_title(_TITLE, loc="left")
    for spine in axes.spines.values():
        spine.set_visible(False)


def _number(value: float) -> str:
    """To a whole percent; 0 and 100 only where it is none or all."""
    if math.isnan(value):
        return "?"
    return f"{100 * value:.0f}" if value in {0.0, 1.0} else f"{min(max(100 * value, 1), 99):.0f}"
