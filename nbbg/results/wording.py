"""Numbers as a verdict spells them: never rounded to where they would say something else."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from nbbg.results.statistics import ALPHA

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_MOST_DECIMALS = 6
_LARGE = 1e6  # from which numbers are spelled with an exponent
_SOME = 8


def short(value: float) -> str:
    """Three digits: `0.912`, `1.2e+09`."""
    return f"{value + 0.0:.3g}"


def difference(value: float, ends: Sequence[float] | None) -> str:
    """`+0.8 [0.2, 1.4]`: as many decimals as the interval is wide; an end that is not 0 is none."""
    if not ends:
        return f"{value:+.3g}"
    decimals = _decimals(ends)
    if decimals > _MOST_DECIMALS or max(map(abs, ends)) >= _LARGE:
        return f"{value:+.3g} [{ends[0]:.3g}, {ends[1]:.3g}]"
    value, low, high = (round(each, decimals) + 0.0 for each in (value, *ends))
    return f"{value:+.{decimals}f} [{low:.{decimals}f}, {high:.{decimals}f}]"


def _decimals(ends: Sequence[float]) -> int:
    """Two digits of the width, and enough that no end becomes 0 by rounding."""
    width = ends[1] - ends[0] or max(map(abs, ends)) or 1.0
    found = max(0, 1 - math.floor(math.log10(width)))
    while found <= _MOST_DECIMALS and any(end and not round(end, found) for end in ends):
        found += 1
    return found


def p_value(p: float) -> str:
    """`p = .016`, `p < .001`; never rounded to the level that it is compared with."""
    if p < 0.001:  # noqa: PLR2004 - as it is printed
        return "p < .001"
    digits = 3
    while p != ALPHA and round(p, digits) == ALPHA and digits < _MOST_DECIMALS:
        digits += 1
    text = f"{p:.{digits}f}".rstrip("0").rstrip(".")
    return f"p = {text.removeprefix('0')}"


def percent(share: float) -> str:
    """`83 %`; 100 and 0 only where it is all or none."""
    whole = round(100 * share)
    if whole in {0, 100} and share not in {0.0, 1.0}:
        return f"{100 * share:.1f} %"
    return f"{whole} %"


def some(items: Iterable[object], separator: str = ", ") -> str:
    """The first few of them."""
    texts = [str(each) for each in items]
    more = f"{separator}and {len(texts) - _SOME} more" if len(texts) > _SOME else ""
    return separator.join(texts[:_SOME]) + more
