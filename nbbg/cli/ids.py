"""Ids as a person reads them: `1-5, 8`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def runs(numbers: Iterable[int]) -> str:
    """`run 7`, `runs 1-5, 8`."""
    text = ranges(numbers)
    return f"runs {text}" if set(text) & set("-,") else f"run {text}"


def ranges(numbers: Iterable[int]) -> str:
    """`1-5, 8` for 1, 2, 3, 4, 5, 8."""
    spans: list[list[int]] = []
    for number in sorted(numbers):
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in spans)
