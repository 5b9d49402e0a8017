"""Pictures for a stranger, readable in the light and in the dark.

matplotlib draws in two colours of ink and three of data that colour-blind people tell apart (Okabe
and Ito); the SVG is then given a style sheet that changes them where the reader's page is dark.
Whatever a colour says is also said by a label beside it.
"""

from __future__ import annotations

import io
import math
import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench import tables
from bench.measure import SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from bench.kept import Table
    from bench.measure import Middle

PAPER, INK, PALE = "#fffffe", "#1f2328", "#6e7781"
OURS, THEIRS, OTHER = "#0072b2", "#d55e00", "#009e73"
_PALETTE = (OURS, THEIRS, OTHER, "#aa3377", "#8a6d00", PALE)
_DARK = {
    PAPER: "#0d1117",
    INK: "#e6edf3",
    PALE: "#9198a1",
    OURS: "#56b4e9",
    THEIRS: "#f0883e",
    OTHER: "#3fb98f",
    "#aa3377": "#e58bb8",
    "#8a6d00": "#e0c050",
}
_LOOK: dict[Any, Any] = {  # the names are a closed list of 300
    "svg.fonttype": "path",
    "svg.hashsalt": "nbbg",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    **dict.fromkeys(
        ("text.color", "axes.labelcolor", "xtick.color", "ytick.color", "axes.edgecolor"), INK
    ),
}
_WIDE, _ROW, _FRAME = 8.2, 0.3, 1.0  # inches
_APART = 0.075  # two names, in shares of the height


@dataclass(frozen=True)
class Drawing:
    """A picture: its file's name without an end, and what draws it; None where nothing is there."""

    name: str
    draw: Callable[[], Figure | None]


@dataclass(frozen=True)
class Line:
    """A line of a picture: its name, its points, and how important it is."""

    name: str
    points: Sequence[tuple[float, Middle]]
    base: bool = False


def save(drawing: Drawing, folder: Path) -> bool:
    """Write a picture; whether there was anything to draw."""
    import matplotlib as mpl

    mpl.use("svg")
    with mpl.rc_context(_LOOK):
        figure = drawing.draw()
        if figure is None:
            return False
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{drawing.name}.svg").write_text(both_lights(text.getvalue()))
    return True


def both_lights(svg: str) -> str:
    """The picture with a style sheet for pages that are dark."""
    rules = "".join(
        f'[style*="{what}: {light}"]{{{what}:{dark} !important}}'
        for light, dark in _DARK.items()
        for what in ("fill", "stroke")
    )
    style = f"<style>@media (prefers-color-scheme: dark){{{rules}}}</style>"
    return re.sub(r"(<svg[^>]*>)", rf"\1{style}", svg, count=1)


def bars(
    name: str,
    title: str,
    panels: Mapping[str, Table],
    base: str,
    *,
    what: str = SECONDS,
    unit: str = "ms a run",
) -> Drawing:
    """Each case as a dot with its interval, on a logarithmic scale, its times written beside."""

    def draw() -> Figure | None:
        shown = {each: table for each, table in panels.items() if _seen(table, what)}
        if not shown:
            return None
        heights = [len(_seen(table, what)) + 1.6 for table in shown.values()]
        figure, axes = figure_of(title, sum(heights) * _ROW + _FRAME, heights)
        for one, (each, table) in zip(axes, shown.items(), strict=True):
            _dots(one, each if len(panels) > 1 else "", table, base, what)
        ends = [
            end for table in shown.values() for each in _seen(table, what).values() for end in each
        ]
        _logarithmic(axes, ends, 1000 if what == SECONDS else 1)
        axes[-1].set_xlabel(f"{unit} (logarithmic, left is better), and times the reference")
        return figure

    return Drawing(name, draw)


def _seen(table: Table, what: str) -> dict[str, Middle]:
    """The cases that have the figure, the cheapest last, in the unit of the axis."""
    found = {name: row.middle(what) for name, row in table.rows.items() if not row.error}
    seen = {name: each for name, each in found.items() if each}
    return dict(sorted(seen.items(), key=lambda item: -item[1].value))


def _dots(axes: Axes, heading: str, table: Table, base: str, what: str) -> None:
    seen = _seen(table, what)
    scale = 1000 if what == SECONDS else 1
    for at, (name, found) in enumerate(seen.items()):
        colour = _colour(name, base)
        axes.plot([found.low * scale, found.high * scale], [at, at], color=colour, linewidth=2)
        axes.plot([found.value * scale], [at], "o", color=colour, markersize=6)
        times = table.ratio(name, base, what)
        said = f"{tables.digits(found.value * scale)}"
        if times:
            said += "   reference" if name == base else f"   {tables.digits(times.value)}x"
        right = max(found.high, found.value) * scale * 1.12
        axes.text(right, at, said, va="center", color=colour, fontsize=9)
    axes.set_yticks(range(len(seen)), [_bare(name) for name in seen])
    for label, name in zip(axes.get_yticklabels(), seen, strict=True):
        label.set_color(_colour(name, base))
    axes.set_ylim(-0.6, len(seen) - 0.4)
    axes.set_title(heading, loc="left", fontsize=10, color=INK)
    axes.grid(axis="x", color=PALE, linewidth=0.3, alpha=0.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def _colour(name: str, base: str) -> str:
    if name == base:
        return INK
    return OURS if "nbbg" in name else THEIRS


def _logarithmic(panels: Sequence[Axes], values: Sequence[float], scale: float) -> None:
    """One scale for all panels, with room for what is written at the right."""
    low, high = min(values) * scale / 1.5, max(values) * scale * 6
    steps = _steps(low, high)
    for axes in panels:
        axes.set_xscale("log")
        axes.set_xlim(low, high)
        axes.set_xticks(steps, [_size(step) for step in steps])
        axes.minorticks_off()


def _steps(low: float, high: float) -> list[float]:
    """Round numbers between two, for a logarithmic axis."""
    many = (1,) if high / low > 400 else (1, 2, 5)  # noqa: PLR2004 - as many as there is room for
    steps = [each * 10.0**power for power in range(-5, 8) for each in many]
    return [step for step in steps if low <= step <= high]


def shares(name: str, title: str, rows: Mapping[str, Mapping[str, float]], unit: str) -> Drawing:
    """What something is made of: one bar a row, its parts side by side, named where they begin."""

    def draw() -> Figure | None:
        if not any(rows.values()):
            return None
        figure, (axes,) = figure_of(title, 0.62 * len(rows) + _FRAME, [1.0])
        for at, parts in enumerate(reversed(list(rows.values()))):
            begin, said = 0.0, []
            for (part, value), colour in zip(parts.items(), _PALETTE, strict=False):
                axes.barh(at, value, left=begin, height=0.4, color=colour)
                said.append(f"{part} {tables.digits(value)}")
                begin += value
            axes.text(0, at + 0.3, ", ".join(said), fontsize=9, color=INK)
        axes.set_yticks(range(len(rows)), list(rows)[::-1])
        axes.set_ylim(-0.4, len(rows) - 0.3)
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(f"{unit}; from the left: {', '.join(next(iter(rows.values())))}")
        return figure

    return Drawing(name, draw)


def lines(
    name: str, title: str, panels: Mapping[str, Sequence[Line]], across: str, **more: Any
) -> Drawing:
    """How something grows: one line a case, with its name at its end."""

    def draw() -> Figure | None:
        shown = {each: [one for one in found if one.points] for each, found in panels.items()}
        shown = {each: found for each, found in shown.items() if found}
        if not shown:
            return None
        figure, axes = figure_of(title, 2.9 * len(shown) + 0.9, [1.0] * len(shown))
        named = dict.fromkeys(x.name for found in shown.values() for x in found if not x.base)
        colours = dict(zip(named, _PALETTE, strict=False))
        for one, (each, found) in zip(axes, shown.items(), strict=True):
            _curves(one, found, colours, **more)
            scale = " (logarithmic)" if more.get("log") else ""
            one.set_title(each + scale, loc="left", fontsize=10, color=INK)
        axes[-1].set_xlabel(across)
        return figure

    return Drawing(name, draw)


def _curves(
    axes: Axes, shown: Sequence[Line], colours: Mapping[str, str], *, log: bool = False
) -> None:
    ticks = sorted({at for line in shown for at, _ in line.points})
    places = {at: number for number, at in enumerate(ticks)}
    ends = []
    for line in shown:
        colour = colours.get(line.name, INK)
        points = [(places[at], found) for at, found in line.points]
        across = [at for at, _ in points]
        axes.plot(across, [f.value for _, f in points], "o-", color=colour, markersize=4)
        axes.fill_between(
            across,
            [f.low for _, f in points],
            [f.high for _, f in points],
            color=colour,
            alpha=0.15,
        )
        last = points[-1]
        ends.append((last[0], last[1].value, line.name, colour))
    if log:
        axes.set_yscale("log")
        low, high = axes.get_ylim()
        steps = _steps(low, high)
        axes.set_yticks(steps, [_size(step) for step in steps])
        axes.minorticks_off()
    else:
        axes.set_ylim(bottom=0)
    axes.set_xticks(range(len(ticks)), [_size(at) for at in ticks])
    axes.set_xlim(-0.2, len(ticks) - 1 + 0.45 * len(ticks))
    axes.grid(axis="y", color=PALE, linewidth=0.3, alpha=0.5)
    _name_ends(axes, ends)


def _name_ends(axes: Axes, ends: list[tuple[int, float, str, str]]) -> None:
    """The names, moved apart where the lines end close together; places are shares of the axes."""
    place = axes.transData + axes.transAxes.inverted()
    at = -math.inf
    found = [(*place.transform((x, y)), y, name, colour) for x, y, name, colour in ends]
    for across, up, value, name, colour in sorted(found, key=operator.itemgetter(1)):
        at = max(float(up), at + _APART)
        axes.text(
            float(across) + 0.015,
            at,
            f"{name}: {tables.digits(value)}",
            transform=axes.transAxes,
            va="center",
            fontsize=9,
            color=colour,
        )


def _size(value: float) -> str:
    return f"{value:,.0f}" if value >= 1 or value == 0 else f"{value:g}"


def _bare(name: str) -> str:
    return name.replace("`", "").replace("\\*", "*")


def figure_of(title: str, height: float, heights: Sequence[float]) -> tuple[Figure, list[Axes]]:
    """An empty figure of panels below each other, with its title."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDE, height), layout="constrained")
    ratios = {"height_ratios": list(heights)}
    made = figure.subplots(len(heights), 1, squeeze=False, gridspec_kw=ratios)
    figure.suptitle(title, x=0.01, ha="left", fontsize=12.5, fontweight="bold")
    return figure, [row[0] for row in made]
