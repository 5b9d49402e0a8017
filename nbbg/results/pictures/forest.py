"""The differences between arms with their intervals, a row a pair, beside a line at zero."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbbg.results import wording
from nbbg.results.pictures import look
from nbbg.results.pictures.look import Panel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from nbbg.results.comparison import Comparison, Pair

MOST = 15  # pairs, of which all are shown; of more those with the best arm
SHOWN = 30  # of them


def panel(comparison: Comparison) -> Panel:
    """The panel of a comparison that has pairs."""
    pairs = chosen(comparison)
    some = "" if len(pairs) == len(comparison.pairs) else _some(comparison, pairs)
    return Panel(
        "differences",
        "The difference of the means in favour of the arm that is named first, with its 95 %"
        f" interval. A filled square is a claim; a hollow one is undecided.{some}",
        2.8
        + look.width_of(_labels(comparison, pairs))
        + look.width_of(_says(comparison, pair) for pair in pairs),
        1.0 + 0.3 * max(len(pairs), 2),
        lambda axes: _draw(axes, comparison),
    )


def chosen(comparison: Comparison) -> Sequence[Pair]:
    """The pairs that are shown, as they are ordered: of many those with the best arm."""
    if len(comparison.pairs) <= MOST or comparison.baseline:
        return comparison.pairs[:SHOWN]
    best = next(iter(comparison.summaries))
    return [pair for pair in comparison.pairs if best in (pair.better, pair.worse)][:SHOWN]


def _some(comparison: Comparison, pairs: Sequence[Pair]) -> str:
    return f" Shown are {len(pairs)} of {len(comparison.pairs)} pairs."


def _labels(comparison: Comparison, pairs: Sequence[Pair]) -> list[str]:
    """What the rows are called; what all have in common stands in the title."""
    names = look.names(comparison)
    if _common(pairs):
        return [f"over {names[pair.worse]}" for pair in pairs]
    return [f"{names[pair.better]} over {names[pair.worse]}" for pair in pairs]


def _common(pairs: Sequence[Pair]) -> str:
    """The arm that is the better one of every pair, where there are several."""
    better = {pair.better for pair in pairs}
    return better.pop() if len(better) == 1 < len(pairs) else ""


def _says(comparison: Comparison, pair: Pair) -> str:
    """What stands beside a row, in the words of the verdict."""
    ends = (pair.interval.low, pair.interval.high) if look.is_shown(pair.interval) else None
    p = pair.p_holm if len(comparison.pairs) > 1 else pair.p
    often, n = ("on", f"{pair.n}") if pair.paired else ("in", _counts(comparison, pair))
    said = [
        wording.difference(pair.difference, ends),
        "" if p is None else wording.p_value(p),
        "" if pair.improvement is None else f"better {often} {wording.percent(pair.improvement)}",
        f"n = {n}",
    ]
    return "   ".join(part for part in said if part).replace("-", "\N{MINUS SIGN}")


def _counts(comparison: Comparison, pair: Pair) -> str:
    one, other = (comparison.summaries[arm].n for arm in (pair.better, pair.worse))
    return f"{one} and {other}, not paired"


def _draw(axes: Axes, comparison: Comparison) -> None:
    pairs = chosen(comparison)
    ends_of = (
        e for pair in pairs if pair.interval for e in (pair.interval.low, pair.interval.high)
    )
    way = "lower" if comparison.lower_is_better else "higher"
    words = f"{look.text(comparison.metric, look.LONGEST)} {way} by, 95 %"
    holm = ", p after Holm" if len(comparison.pairs) > 1 else ""
    drawn = [0.0, *ends_of, *(pair.difference for pair in pairs)]
    look.set_axis(axes, "x", drawn, f"{words}{holm}")
    axes.axvline(0, color=look.INK, linewidth=1, linestyle="--", gid="zero")
    for row, pair in enumerate(pairs):
        if look.is_shown(pair.interval):
            ends = [pair.interval.low, pair.interval.high]
            axes.plot(ends, [row, row], color=look.INK, linewidth=1.4, gid="interval")
            axes.plot(ends, [row, row], color=look.INK, marker="|", linestyle="", markersize=6)
        axes.plot(
            *(pair.difference, row),
            marker="s",
            markersize=6,
            color="#0072B2" if pair.decided else "white",
            markeredgecolor=look.INK,
            gid="difference",
        )
        axes.annotate(
            _says(comparison, pair),
            (1.0, row),
            xycoords=("axes fraction", "data"),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    axes.set_yticks(range(len(pairs)), _labels(comparison, pairs))
    axes.set_ylim(len(pairs) - 0.4, -0.6)
    of = _common(pairs)
    axes.set_title(f"{look.names(comparison)[of]} over others" if of else "differences", loc="left")
    axes.grid(axis="x", color="#E2E2E2", linewidth=0.6)
    look.tidy(axes)
