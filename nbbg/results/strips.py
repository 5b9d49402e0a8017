"""Pictures in plain text, for a terminal: the seeds of each arm on one axis, and sparklines.

Unicode where the terminal's encoding has it, else ASCII; no colours, and no library.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

_BARS = "▁▂▃▄▅▆▇█"
_PLAIN_BARS = "_.-=+*#@"
_NARROWEST = 20  # characters of an axis
_LONGEST = 30  # of a name
_MOST = 9  # seeds in one place that a digit can tell


def strip_plot(
    samples: Mapping[str, Collection[float]], width: int, *, unicode: bool = True
) -> list[str]:
    """One line an arm: each seed a mark on an axis that all share, seeds in one place counted.

    Args:
        samples: of each arm, in the order of the lines, its values; the finite ones are shown.
        width: of the terminal, in characters.
        unicode: whether it can show more than ASCII.

    Returns:
        The lines, the axis first; none where nothing is to be shown.
    """
    shown = {arm: [v for v in values if math.isfinite(v)] for arm, values in samples.items()}
    every = [value for values in shown.values() for value in values]
    if not every:
        return []
    low, high = min(every), max(every)
    names = {arm: _short(arm, unicode=unicode) for arm in shown}
    margin = max(map(len, names.values()))
    size = max(width - margin - 3, _NARROWEST)
    rows = [
        f"{names[arm]:<{margin}} {_edge(unicode=unicode)}"
        f"{_strip(values, low, high, size, unicode=unicode)}".rstrip()
        for arm, values in shown.items()
    ]
    return [f"{'':{margin}}  {_axis(low, high, size)}".rstrip(), *rows]


def sparkline(values: Sequence[float], width: int = 40, *, unicode: bool = True) -> str:
    """A curve as a row of bars, from its smallest to its largest value; a blank where it is NaN.

    Of more values than `width`, each bar is the mean of its share.
    """
    columns = [_mean(share) for share in _shares(values, width)]
    finite = [value for value in columns if math.isfinite(value)]
    if not finite:
        return ""
    bars = _BARS if unicode else _PLAIN_BARS
    low, high = min(finite), max(finite)
    return "".join(
        bars[_place(value, low, high, len(bars))] if math.isfinite(value) else " "
        for value in columns
    )


def is_unicode(encoding: str | None) -> bool:
    """Whether an encoding has these characters."""
    try:
        _BARS.encode(encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return False
    return True


def _strip(values: Collection[float], low: float, high: float, size: int, *, unicode: bool) -> str:
    counts = [0] * size
    for value in values:
        counts[_place(value, low, high, size)] += 1
    one = "•" if unicode else "o"
    marks = [" ", one, *map(str, range(2, _MOST + 1))]
    return "".join(marks[count] if count <= _MOST else "#" for count in counts)


def _axis(low: float, high: float, size: int) -> str:
    """The smallest value at the left, the largest at the right; one alone in the middle."""
    left, right = f"{low:.6g}", f"{high:.6g}"
    if low == high:
        return left.center(size)
    return left + right.rjust(size - len(left)) if len(left + right) < size else f"{left} {right}"


def _place(value: float, low: float, high: float, size: int) -> int:
    """Where a value stands among so many places, from 0; in the middle where all are one."""
    if low == high:
        return size // 2
    span = high / 2 - low / 2  # halves, for the difference of two may be larger than any float
    return min(int((value / 2 - low / 2) / span * size), size - 1)


def _shares(values: Sequence[float], width: int) -> list[Sequence[float]]:
    count = min(len(values), max(width, 1))
    edges = [len(values) * place // count for place in range(count + 1)] if count else []
    return [values[a:b] for a, b in pairwise(edges)]


def _mean(values: Sequence[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return math.fsum(value / len(finite) for value in finite) if finite else math.nan


def _short(name: str, *, unicode: bool) -> str:
    shown = "".join(
        char if char.isprintable() and (unicode or char.isascii()) else "?" for char in name
    )
    half = (_LONGEST - 2) // 2  # the beginning says what it is, the end what sets it apart
    return f"{shown[:half]}..{shown[-half:]}" if len(shown) > _LONGEST else shown


def _edge(*, unicode: bool) -> str:
    return "│" if unicode else "|"
