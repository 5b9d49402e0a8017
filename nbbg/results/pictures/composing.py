"""The panels that apply to a comparison, put into one figure of the size that they need."""

from __future__ import annotations

import itertools
import textwrap
from typing import TYPE_CHECKING, Any

from matplotlib import rc_context, rcParamsDefault
from matplotlib.figure import Figure

from nbbg.results.pictures import forest, learning, look, matrix, seeds, sweeps

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from matplotlib.figure import SubFigure

    from nbbg.results.comparison import Comparison
    from nbbg.results.pictures.look import Panel
    from nbbg.results.pictures.sweeps import Params

_OF_PROGRAM = ("backend", "interactive", "toolbar", "timezone", "webagg", "tk.", "figure.max_open")
_LOOK: dict[str, Any] = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.edgecolor": "#666666",
    "axes.formatter.useoffset": False,
    "figure.constrained_layout.h_pad": 0.08,
    "figure.constrained_layout.w_pad": 0.08,
}
_MATRIX = 3  # arms from which on a matrix says more than a row
_LINE = 0.19  # inches of a line of the title
_NOTE = 0.15  # of a line of the notes


def panels(comparison: Comparison, params: Params | None = None) -> list[Panel]:
    """The panels that apply.

    Args:
        comparison: with curves in its samples where they are to be shown.
        params: of each arm, where a sweep is to be shown; `notebook` may stand among them.
    """
    found = [seeds.panel(comparison)]
    if comparison.pairs:
        found.append(forest.panel(comparison))
    if learning.chosen(comparison):
        found.append(learning.panel(comparison))
    known = any(pair.improvement is not None for pair in comparison.pairs)
    if known and len(comparison.summaries) >= _MATRIX and not comparison.baseline:
        found.append(matrix.panel(comparison))
    return found + sweeps.panels(comparison, params or {})


def compose(comparison: Comparison, params: Params | None = None) -> Figure:
    """All panels that apply as one figure, under the verdict and above the notes."""
    columns = _columns(panels(comparison, params))
    widths = [max(panel.width for panel in column) for column in columns]
    width = max(sum(widths), 5.0)
    title = _wrapped(comparison.verdict, int(width / 0.082))
    notes = _wrapped(comparison.notes, int(width / 0.062))
    tallest = max(map(_height, columns))
    height = tallest + _LINE * (len(title) + 1) + _NOTE * len(notes)
    with _own_look():
        figure = Figure(figsize=(width, height), layout="constrained")
        if title:
            figure.suptitle("\n".join(title), x=0.01, ha="left", fontsize=10)
        if notes:
            figure.supxlabel("\n".join(notes), x=0.01, ha="left", fontsize=7.5, color="#444444")
        grid = figure.add_gridspec(1, len(columns), width_ratios=widths)
        for place, column in enumerate(columns):
            _fill(figure.add_subfigure(grid[place]), column, tallest)
    return figure


def alone(panel: Panel) -> Figure:
    """One panel as a figure of its own."""
    with _own_look():
        figure = Figure(figsize=(panel.width, panel.height), layout="constrained")
        panel.draw(figure.add_subplot())
    return figure


def _fill(part: SubFigure, column: Sequence[Panel], height: float) -> None:
    """The panels of a column one below the other, each as high as it must be."""
    heights = [panel.height for panel in column]
    left = max(height - _height(column), 0.01)
    grid = part.add_gridspec(len(column) + 1, 1, height_ratios=[*heights, left])
    for row, panel in enumerate(column):
        panel.draw(part.add_subfigure(grid[row]).add_subplot())


def _columns(found: Sequence[Panel]) -> list[list[Panel]]:
    """The panels in one or two columns, the first panel first, as low as they can be together."""
    ways = itertools.product((0, 1), repeat=len(found) - 1)
    divided = ([_in(0, (0, *way), found), _in(1, (0, *way), found)] for way in ways)
    best = min(divided, key=lambda columns: max(map(_height, columns)))
    return [column for column in best if column]


def _in(column: int, places: Sequence[int], found: Sequence[Panel]) -> list[Panel]:
    return [panel for panel, place in zip(found, places, strict=True) if place == column]


def _height(column: Sequence[Panel]) -> float:
    return sum(panel.height for panel in column)


def _wrapped(sentences: Iterable[str], width: int) -> list[str]:
    return [
        look.text(line)
        for sentence in sentences
        for line in textwrap.wrap(look.masked(sentence), width, break_long_words=True)
    ]


def _own_look() -> Any:
    """What a person has set for figures of their own (TeX, dark, tiny) holds for those alone."""
    given: Any = {
        name: value for name, value in rcParamsDefault.items() if not name.startswith(_OF_PROGRAM)
    }
    return rc_context(given | _LOOK)
