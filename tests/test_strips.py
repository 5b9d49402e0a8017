"""Pictures in plain text: seeds on one axis, curves as rows of bars."""

from __future__ import annotations

import math

import pytest

from nbbg.results import strips


def test_seeds_on_one_axis() -> None:
    """Ends of the axis are the extremes of all arms; seeds in one place are counted."""
    found = strips.strip_plot({"a": [0.0, 1.0, 0.5], "bb": [0.0, 0.0, 0.0]}, 30)
    assert found == [
        f"    {'0'}{'1'.rjust(24)}",
        f"a  │•{'•'.rjust(12)}{'•'.rjust(12)}",
        "bb │3",
    ]
    assert {len(line) for line in found[:2]} == {29}
    crowd = strips.strip_plot({"a": [1.0] * 12 + [2.0]}, 30)
    assert crowd[1].startswith("a │#")


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([], []),
        ([math.nan, math.inf], []),
        ([3.0], ["3", "•"]),
        ([1e308, -1e308], ["-1e+308", "••"]),
    ],
)
def test_odd_seeds(values: list[float], shown: list[str]) -> None:
    """None, one, infinite and the largest there are: a line each, or nothing."""
    found = strips.strip_plot({"a": values}, 0)
    assert ["".join(line.split()).strip("a│") for line in found][: len(shown)] == [
        *({"-1e+308": "-1e+3081e+308"}.get(line, line) for line in shown)
    ]


def test_ascii() -> None:
    """A terminal without Unicode is shown ASCII alone, names too; long ones are cut."""
    found = strips.strip_plot({"naïve" + "x" * 50: [1.0, 2.0]}, 80, unicode=False)
    assert all(line.isascii() for line in found)
    assert found[1].startswith("na?vex")
    assert found[1].index("|") < 32
    assert max(map(len, found)) <= 80
    assert strips.sparkline([1, 2, 3], unicode=False) == "_+@"
    known = [strips.is_unicode(name) for name in ("utf-8", "ascii", "latin-1", "no such", None)]
    assert known == [True, False, False, False, False]


def test_a_sparkline() -> None:
    """The smallest value is the lowest bar; long curves are averaged, NaN is a blank."""
    assert strips.sparkline([0.0, 1.0, 2.0, 7.0]) == "▁▂▃█"
    assert strips.sparkline([0.0, math.nan, 7.0]) == "▁ █"
    assert strips.sparkline([*range(1000)], 8) == "▁▂▃▄▅▆▇█"
    assert strips.sparkline([1e308, -1e308, 1e308], 3) == "█▁█"
    assert strips.sparkline([5.0, 5.0]) == "▅▅"
    assert not strips.sparkline([math.nan, math.inf])
