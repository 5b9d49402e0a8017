"""Conditions of `--where`: what they mean, what they refuse, and that they call nothing."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbbg import model
from nbbg.errors import UsageError
from nbbg.results import rows
from nbbg.results.expressions import Expression, matching
from tests import records


def a_run(number: int, params: dict[str, Any], **metrics: Any) -> model.Run:
    """A run that has succeeded."""
    arm = records.an_arm(f"arm-{number}", params=params)
    return model.Run(
        *(number, 1, arm, number, number, 1, model.Succeeded(), "local", 0.0, "/nowhere"),
        metrics=metrics,
        scalars={},
    )


RUNS = [
    a_run(1, {"lr": 0.1, "opt": "adam"}, loss=1.5, **{"val/acc": 0.5}),
    a_run(2, {"lr": 0.01, "opt": "sgd", "on": True}, loss=0.5, lr=7, **{"val/acc": 0.75}),
    a_run(3, {"opt": "it's"}, loss=math.nan),
]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lr < 0.1", [2]),
        ("0.001 < lr <= 0.1", [1, 2]),
        ("not (lr < 0.1)", [1]),  # of the third nothing is known
        ("lr == None", [3]),
        ("lr is not None", [1, 2]),
        ("params.lr == 0.01 and metrics.lr > 5", [2]),
        ("lr < 0.1 or loss != loss", [2, 3]),
        ("opt in ('adam', \"it's\")", [1, 3]),
        ("opt not in ['adam']", [2, 3]),
        ('"ada" in opt', [1]),
        ("`val/acc` >= 0.75", [2]),
        ("opt == '`val/acc`'", []),
        ("params.`lr` < 0.1", [2]),
        ("arm == 'arm-3'", [3]),
        ('state == "succeeded" and run >= 2', [2, 3]),
        ("on", [2]),
        ("not on", []),
        ("on == true", [2]),
        ("opt < 1", []),  # a text and a number have no order
        ("loss < inf", [1, 2]),
        ("lr > -1", [1, 2]),
        ("seconds is None", [1, 2, 3]),
        ("batch == 'b1'", [1, 2, 3]),
    ],
)
def test_what_matches(text: str, expected: list[int]) -> None:
    """A run matches where the condition is true of it, and not where a value is missing."""
    assert [run.id for run in matching(RUNS, [text])] == expected


def test_several_conditions() -> None:
    """All of them must be true; runs that lack a value are counted in a sentence."""
    said: list[str] = []
    found = matching(RUNS, ["loss > 0 or loss != loss", "lr < 1"], said.append)
    assert [run.id for run in found] == [1, 2]
    assert said == ["1 run has no lr: not among those with lr < 1"]
    assert matching([], ["whatever < 1"]) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lr <", "at: "),
        ("lr = 0.1", "for equality type ==, at: = 0.1"),
        ("0 < lr and open('x') == 1", "at: open('x') == 1"),
        ("val/acc > 1", "backticks`, at: val/acc > 1"),
        ("lr + 1 > 2", "backticks"),
        ("lr and 3", "this is no condition, at: 3"),
        ("0.5", "this is no condition"),
        ("-lr < 1", "only comparisons"),
        ("lr[0] < 1", "only comparisons"),
        ("().__class__ == 1", "only names have parts"),
        ("[x for x in lr] == 1", "only comparisons"),
        ("(lambda: 1) == 1", "only comparisons"),
        ("f'{lr}' == '1'", "only comparisons"),
        ("b'x' == lr", "only comparisons"),
        ("lr < 0.1\0", "--where"),
        ("", "at: its end"),
        ("(" * 5000, "--where"),
        ("lr < 1 or " * 5000 + "lr < 1", "longer than"),
        ("lrr < 1", "did you mean lr"),
        ("metrics.opt == 'adam'", "no run has a column metrics.opt"),
        ("opt == adam", 'no run has a column adam; if it is a text: "adam"'),
        ("opt in [adam, 'sgd']", 'if it is a text: "adam"'),
        ("nothing == 'adam'", "\nthere are lr, opt, on, loss, val/acc, arm, "),
    ],
)
def test_what_is_refused(text: str, said: str) -> None:
    """What makes no sense, or asks for an unknown column, is an error that points at the place."""
    with pytest.raises(UsageError) as error:
        matching(RUNS, [text])
    assert said in str(error.value)
    assert str(error.value).startswith("--where")
    assert len(str(error.value).splitlines()) == 2 or "longer" in said


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(
        st.text(max_size=30),
        st.lists(
            st.sampled_from(
                [
                    *"()[]<>=!-+.,'\"` ",
                    "lr",
                    "opt",
                    "and",
                    "or",
                    "not",
                    "in",
                    "is",
                    "1",
                    "None",
                    "x",
                ]
            ),
            max_size=12,
        ).map(" ".join),
    )
)
def test_any_text(text: str) -> None:
    """Whatever is typed, it is a condition or a usage error."""
    try:
        found = Expression(text).holds(lambda _: 1)
    except UsageError:
        return
    assert found in (True, False, None)


def test_the_order_of_a_column() -> None:
    """Numbers, then texts; runs without a value last, also when the order is reversed."""
    get = rows.getter("lr", RUNS)
    assert get is not None
    assert [run.id for run in rows.ordered(RUNS, get)] == [2, 1, 3]
    assert [run.id for run in rows.ordered(RUNS, get, reverse=True)] == [1, 2, 3]
    loss = rows.getter("loss", RUNS)
    assert loss is not None
    assert [run.id for run in rows.ordered(RUNS, loss)] == [2, 1, 3]
    assert rows.differing(RUNS) == ["lr", "opt", "on"]
    assert rows.getter("none", RUNS) is None
