"""Rounds, medians and tables.

The cases of a section take turns, one go of each in every round, so that whatever else the
machine does meets all of them. A ratio is the median of the ratios of the rounds.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence

ROUNDS = 9
Seconds = tuple[float, ...]
Case = Callable[[], Seconds]  # one go, and how long its parts took


def interleaved(cases: Mapping[str, Case], rounds: int = ROUNDS) -> dict[str, list[Seconds]]:
    """One go of each case a round, after a round that does not count."""
    taken: dict[str, list[Seconds]] = {name: [] for name in cases}
    for number in range(rounds + 1):
        for name in cases if number % 2 else reversed(taken):
            seconds = cases[name]()
            if number:
                taken[name].append(seconds)
    return taken


def spread(goes: Sequence[Seconds], part: int = 0) -> str:
    """The median, the smallest and the largest, in ms."""
    values = [1000 * go[part] for go in goes]
    return f"{statistics.median(values):.0f} ({min(values):.0f} to {max(values):.0f})"


def ratio(goes: Sequence[Seconds], base: Sequence[Seconds], part: int = 0, digits: int = 1) -> str:
    """How many times the base."""
    pairs = zip(goes, base, strict=True)
    return f"{statistics.median(mine[part] / other[part] for mine, other in pairs):.{digits}f}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are numbers."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows))
