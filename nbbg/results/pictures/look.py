"""How arms look, and what axes are called: the same in every picture."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Literal, TypeGuard

from nbbg import secrets
from nbbg.classes import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from matplotlib.axes import Axes

    from nbbg.results.comparison import Comparison, Interval

# Okabe and Ito's, without yellow, which white paper swallows; neighbours differ in grey too.
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#000000")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p")
_LINES = ("-", "--", "-.", ":")
INK = "#222222"
PALE = "#8A8A8A"
LONGEST = 34  # characters of a name
CHARACTER = 0.066  # inches that one takes in a label
DECADES = 1000.0  # largest through smallest, from which on an axis is logarithmic
LARGEST = 1e290  # beyond it an axis has no room for its margins
_BEYOND = "some lie beyond the axis"


@dataclass(frozen=True)
class Panel:
    """One picture with what it needs: inches on paper, and a sentence on how it is read."""

    name: str
    caption: str
    width: float
    height: float
    draw: Callable[[Axes], None]


@dataclass(frozen=True)
class Look:
    """Of one arm."""

    colour: str
    marker: str
    line: str


def of_arms(comparison: Comparison) -> dict[str, Look]:
    """The look of each arm, best mean first."""
    return {arm: of(place) for place, arm in enumerate(comparison.summaries)}


def of(place: int) -> Look:
    """The look of what stands at that place in an order."""
    return Look(
        _COLOURS[place % len(_COLOURS)],
        _MARKERS[place % len(_MARKERS)],
        _LINES[place % len(_LINES)],
    )


def text(words: str, longest: int = 0) -> str:
    """Words as matplotlib shows them as they are, a `$` too; cut in the middle where too long.

    Secrets of the environment are masked.
    """
    shown = "".join(char if char.isprintable() else "?" for char in masked(words))
    if 0 < longest < len(shown):
        head = longest // 2
        shown = f"{shown[:head]}…{shown[len(shown) - (longest - head - 1) :]}"
    return shown.replace("$", r"\$")


def masked(words: str) -> str:
    """Words with asterisks in place of secrets."""
    return secrets.mask(words, secrets.values())


def names(comparison: Comparison) -> dict[str, str]:
    """What arms are called: without the folder that all share, cut where too long, and apart."""
    arms = [*comparison.summaries]
    shared = os.path.commonprefix(arms)  # noqa: RUF071 - names are no paths; cut at a `/` here
    folder = shared.rpartition("/")[0] if len(arms) > 1 else ""
    found: dict[str, str] = {}
    for arm in arms:
        own = arm.removeprefix(f"{folder}/") if folder else arm
        short = text(own, LONGEST)
        if short in found.values():
            short = f"{text(own, LONGEST - 5)} ({len(found) + 1})"
        found[arm] = short
    return found


def width_of(labels: Iterable[str]) -> float:
    """The inches that the longest label takes."""
    return CHARACTER * max((len(label) for label in labels), default=0)


def metric(comparison: Comparison) -> str:
    """The metric's name, and which end of it is the better one."""
    end = "lower" if comparison.lower_is_better else "higher"
    return f"{text(comparison.metric, LONGEST)} ({end} is better)"


def scale(values: Iterable[float]) -> str:
    """The kind of axis for these values: logarithmic where they span decades."""
    finite = [value for value in values if math.isfinite(value)]
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    return "log" if low > 0 and high / low >= DECADES else "linear"


def set_axis(axes: Axes, which: Literal["x", "y"], values: Iterable[float], words: str) -> str:
    """Scale and label an axis for what is drawn along it; the kind of scale.

    What is too large for a linear axis to have room left in a float lies beyond it, which its label
    says.
    """
    found = [value for value in values if math.isfinite(value)]
    kind = scale(found)
    beyond = any(abs(value) > LARGEST for value in found)
    if beyond:
        inside = [value for value in found if abs(value) <= LARGEST]
        low, high = min(inside, default=1.0), max(inside, default=1.0)
        room = (high - low) / 10 if high > low else abs(high) / 10 or 1.0
        ends = (low / 2, high * 2) if kind == "log" else (low - room, high + room)
        axes.set(**{f"{which}lim": ends})
    said = [words, *(["log scale"] if kind == "log" else []), *([_BEYOND] if beyond else [])]
    axes.set(**{f"{which}scale": kind, f"{which}label": ", ".join(said)})
    if which == "x" and kind == "linear":
        axes.locator_params(axis="x", nbins=5)  # five numbers have room side by side
    return kind


def mark_whole(axes: Axes, numbers: Iterable[float]) -> None:
    """Whole numbers alone along an x axis on which all numbers are whole: no step 2.5."""
    if all(float(number).is_integer() for number in numbers):
        axes.locator_params(axis="x", integer=True)


def is_shown(interval: Interval | None) -> TypeGuard[Interval]:
    """Whether an interval is there, and can be drawn."""
    ends = (interval.low, interval.high) if interval else (math.inf,)
    return all(math.isfinite(end) for end in ends)


def tidy(axes: Axes) -> None:
    """Without a frame, and with a grid that stays behind."""
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def spread(count: int, room: float) -> Iterator[float]:
    """Offsets that keep points of one value apart: evenly over `room`, in an order that mixes."""
    for place in range(count):
        yield room * ((place * 0.618034) % 1 - 0.5)
