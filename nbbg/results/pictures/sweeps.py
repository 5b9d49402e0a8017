"""The metric against a parameter that was swept: every seed, and the IQM of each arm.

Arms that agree in all other parameters are joined, so that the effect of this one is what a line
shows.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from nbbg.classes import dataclass
from nbbg.results.pictures import look
from nbbg.results.pictures.look import Panel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes

    from nbbg.results.comparison import Comparison

    Params = Mapping[str, Mapping[str, Any]]  # by arm

MOST = 6  # parameters
NOTEBOOK = "notebook"  # what tells arms apart beside their parameters; it has no panel
_DECADES = 100.0  # largest through smallest, from which on the axis is logarithmic
_JOINED = 7  # groups of arms up to which each has a line
_ASIDE = 0.06  # of the room between categories, by which the groups stand apart


@dataclass(frozen=True)
class Point:
    """One arm in the picture of one parameter."""

    arm: str
    value: Any
    group: str  # the other parameters


def panels(comparison: Comparison, params: Params) -> list[Panel]:
    """A panel for each parameter that has several values among the arms."""
    names = [name for name in _names(comparison, params) if name != NOTEBOOK]
    varied = [name for name in names if _varies(comparison, params, name)]
    return [_panel(comparison, params, name) for name in varied[:MOST]]


def points(comparison: Comparison, params: Params, name: str) -> list[Point]:
    """The arms that were given the parameter, in the order of its values."""
    given = [arm for arm in comparison.summaries if name in params.get(arm, {})]
    others = [key for key in _names(comparison, params) if key != name]
    others = [key for key in others if len({_word(params[arm].get(key)) for arm in given}) > 1]
    found = [Point(arm, params[arm][name], _group(params[arm], others)) for arm in given]
    if _is_numeric(found):
        return sorted(found, key=lambda point: float(point.value))
    return sorted(found, key=lambda point: _word(point.value))


def _varies(comparison: Comparison, params: Params, name: str) -> bool:
    found = points(comparison, params, name)
    return len({_word(point.value) for point in found}) > 1


def _panel(comparison: Comparison, params: Params, name: str) -> Panel:
    found = points(comparison, params, name)
    without = len(comparison.summaries) - len(found)
    left = f" {without} arms were not given it and are not shown." if without else ""
    words = {_word(point.value) for point in found}
    wide = 4.2 if _is_numeric(found) else max(3.6, 0.45 * len(words) + 1.2)
    groups = _groups(found)
    joined = f" Lines join the IQMs of arms that differ in {name} alone." if _joins(groups) else ""
    return Panel(
        f"parameter {name}",
        f"Each small point is a seed, each large one the IQM of an arm.{joined}{left}",
        wide,
        3.0 + (0.17 * len(groups) if 1 < len(groups) <= _JOINED else 0),
        lambda axes: _draw(axes, comparison, found, name),
    )


def _draw(axes: Axes, comparison: Comparison, found: Sequence[Point], name: str) -> None:
    values = {sample.arm: [*sample.values.values()] for sample in comparison.samples}
    shown = [value for point in found for value in values[point.arm]]
    look.set_axis(axes, "y", shown, look.metric(comparison))
    places = _places(axes, found)
    groups = _groups(found)
    for place, (group, members) in enumerate(groups.items()):
        style = look.of(place if _joins(groups) else 0)
        aside = 0.0 if _is_numeric(found) or not _joins(groups) else _ASIDE * place
        for point in members:
            axes.plot(
                [places[_word(point.value)] + aside] * len(values[point.arm]),
                values[point.arm],
                linestyle="",
                marker=style.marker,
                markersize=3,
                color=style.colour,
                alpha=0.5,
                gid="seeds",
            )
        with_iqm = [point for point in members if comparison.summaries[point.arm].iqm is not None]
        axes.plot(
            [places[_word(point.value)] + aside for point in with_iqm],
            [comparison.summaries[point.arm].iqm or 0.0 for point in with_iqm],
            linestyle=style.line if _joins(groups) else "",
            marker=style.marker,
            markersize=7,
            color=style.colour,
            markeredgecolor=look.INK,
            label=look.text(group or "IQM", look.LONGEST),
            gid="iqm",
        )
    on_x = look.text(name, look.LONGEST)
    axes.set_xlabel(f"{on_x}, log scale" if axes.get_xscale() == "log" else on_x)
    axes.set_title(f"{look.text(comparison.metric, 20)} by {on_x}", loc="left")
    axes.grid(color="#E2E2E2", linewidth=0.6)
    if _joins(groups) and len(groups) > 1:
        axes.legend(
            loc="upper left", bbox_to_anchor=(0, -0.2), frameon=False, fontsize=8, handlelength=3
        )
    look.tidy(axes)


def _places(axes: Axes, found: Sequence[Point]) -> dict[str, float]:
    """Where on the x axis each value stands; sets up that axis."""
    words = dict.fromkeys(_word(point.value) for point in found)
    if not _is_numeric(found):
        turned = 40 if len(words) > 1 and sum(map(len, words)) > 30 else 0  # noqa: PLR2004
        labels = [look.text(word, 18) for word in words]
        side = "right" if turned else "center"
        axes.set_xticks(range(len(words)), labels, rotation=turned, ha=side, rotation_mode="anchor")
        axes.margins(x=0.15)
        return {word: float(place) for place, word in enumerate(words)}
    numbers = [float(point.value) for point in found]
    if min(numbers) > 0 and max(numbers) / min(numbers) >= _DECADES:
        axes.set_xscale("log")
    else:
        look.mark_whole(axes, numbers)
    return {_word(point.value): float(point.value) for point in found}


def _groups(found: Sequence[Point]) -> dict[str, list[Point]]:
    groups: dict[str, list[Point]] = {}
    for point in found:
        groups.setdefault(point.group, []).append(point)
    return groups


def _joins(groups: Mapping[str, Sequence[Point]]) -> bool:
    """Whether each group is a line: few of them, and with one arm a value."""
    distinct = all(
        len({_word(point.value) for point in members}) == len(members)
        for members in groups.values()
    )
    return distinct and len(groups) <= _JOINED and max(map(len, groups.values())) > 1


def _names(comparison: Comparison, params: Params) -> list[str]:
    return [*dict.fromkeys(name for arm in comparison.summaries for name in params.get(arm, {}))]


def _group(given: Mapping[str, Any], names: Sequence[str]) -> str:
    """What an arm was given beside the parameter that is shown, where that varies."""
    return ", ".join(f"{name}={_word(given[name])}" for name in names if name in given)


def _is_numeric(found: Sequence[Point]) -> bool:
    return all(
        isinstance(point.value, int | float)
        and not isinstance(point.value, bool)
        and math.isfinite(point.value)
        and abs(point.value) < look.LARGEST
        for point in found
    )


def _word(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str, sort_keys=True)
