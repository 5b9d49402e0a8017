"""How many runs, and values, as they are typed."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbbg.errors import UsageError
from nbbg.ops.asked import Target, target, typed


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (None, Target(1, more=True)),
        ("20", Target(20, more=False)),
        (20, Target(20, more=False)),
        (" 20 ", Target(20, more=False)),
        ("+20", Target(20, more=True)),
        ("007", Target(7, more=False)),
    ],
)
def test_how_many_runs(text: str | int | None, found: Target) -> None:
    """`20` is a target, `+20` so many more, and nothing is one more."""
    assert target(text) == found


@pytest.mark.parametrize(
    "text", ["0", "-1", "+0", "++1", "1.5", "1e3", "ten", "", "٣", 0, -3, True, 10**12]
)
def test_no_number_of_runs(text: Any) -> None:
    """What is no number of one or more is refused with what to type."""
    with pytest.raises(UsageError, match=r"a number of 1 or more, or \+K"):
        target(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-1.5", -1.5),
        ("1e-3", 0.001),
        ("true", True),
        ("True", True),
        ("False", False),
        ("None", None),
        ("null", None),
        ("inf", math.inf),
        ("-inf", -math.inf),
        ("[1, 2]", [1, 2]),
        ('{"a": [1]}', {"a": [1]}),
        ('"1"', "1"),
        ("007", "007"),
        ("no", "no"),
        ("NaN", "NaN"),
        ("[NaN]", "[NaN]"),
        ("Infinity", "Infinity"),
        ("1_000", "1_000"),
        ("", ""),
        (" 1", 1),
        ("[1,", "[1,"),
        ("a=b", "a=b"),
    ],
)
def test_values(text: str, value: object) -> None:
    """A value is JSON, or one of Python's words; all else is text."""
    assert typed(text) == value
    assert type(typed(text)) is type(value)


def test_nan() -> None:
    """`nan` is the number."""
    assert math.isnan(typed("nan"))


@given(st.text())
def test_any_text_is_a_value(text: str) -> None:
    """Nothing that can be typed is an error."""
    typed(text)
