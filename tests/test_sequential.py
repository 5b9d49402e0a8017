"""Looking several times while runs come in: looks fixed in advance, the error shared among them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from nbbg.errors import UsageError
from nbbg.results.samples import LeftOut, Sample
from nbbg.results.sequential import design, look
from nbbg.results.statistics import location, sequential

if TYPE_CHECKING:
    from collections.abc import Iterable

BASE = np.random.default_rng(3).normal(0, 1, 30)


def a_sample(arm: str, values: Iterable[float], without: frozenset[int] = frozenset()) -> Sample:
    """An arm with these values for seeds 1, 2..., some of which failed."""
    found = {s: float(v) for s, v in enumerate(values, 1) if s not in without}
    return Sample(arm, found, [LeftOut(seed, seed, "failed") for seed in without])


@pytest.mark.parametrize("max_runs", [6, 9, 20, 30, 100])
@pytest.mark.parametrize("pairs", [1, 3, 10])
def test_looks_are_fixed_in_advance(max_runs: int, pairs: int) -> None:
    """At most five, rising to the most runs; none before a test can decide there."""
    looks = sequential.looks(max_runs, pairs)
    if max_runs < location.fewest(pairs):
        assert looks == ()
        return
    assert looks[-1] == max_runs
    assert len(looks) <= sequential.LOOKS
    assert list(looks) == sorted(set(looks))
    first = looks[0]
    assert sequential.crossed(np.ones(first), looks, 0.05 / pairs) == 1


def test_all_the_error_is_spent_at_the_end() -> None:
    """The spending function rises from 0 to the level, as Lan and DeMets give it."""
    assert sequential.spent(0.0) == 0.0
    assert sequential.spent(1.0) == pytest.approx(0.05, abs=1e-12)
    assert sequential.spent(1 / 3) == pytest.approx(0.05 * math.log(1 + (math.e - 1) / 3))


def test_one_look_is_the_sign_flip_test() -> None:
    """With a single look the border is crossed exactly where p is at most the level."""
    dice = np.random.default_rng(8)
    for n in (6, 9, 12):
        for _ in range(40):
            d = dice.normal(0.5, 1, n)
            p = float(location.sign_flip(d))
            assert bool(sequential.crossed(d, (n,))) == (p <= 0.05)


def crossings(looks: tuple[int, ...], rows: Any) -> list[int]:
    """Of each row of differences the look at which it crosses."""
    return [sequential.crossed(row, looks) for row in rows]


@pytest.mark.parametrize("max_runs", [8, 13])
def test_the_error_over_all_looks_is_exact(max_runs: int) -> None:
    """Of all ways to sign one set of differences, at most 5 % cross at any look."""
    looks = sequential.looks(max_runs)
    size = np.abs(BASE[:max_runs])
    signs = 1 - 2 * (np.arange(2**max_runs)[:, None] >> np.arange(max_runs) & 1)
    some = signs if max_runs < 10 else np.random.default_rng(1).permutation(signs)[:1500]
    share = np.count_nonzero(crossings(looks, some * size)) / len(some)
    assert share <= 0.05 + (0 if max_runs < 10 else 3 * math.sqrt(0.05 * 0.95 / 1500))
    assert share >= 0.025


def test_a_peek_at_p_values_would_err_more() -> None:
    """The same data with no difference: a p-value at each look claims more often than the rule."""
    looks = sequential.looks(30)
    rows = np.random.default_rng(2).normal(0, 1, (600, 30))
    peeks = np.stack([location.sign_flip(rows[:, :n], 999) for n in looks])
    rule = np.count_nonzero(crossings(looks, rows)) / len(rows)
    assert (peeks <= 0.05).any(axis=0).mean() > 0.1
    assert rule <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / len(rows))


def test_earlier_borders_stay_as_they_were() -> None:
    """What crosses at a look still crosses there when more is known, and what did not, does not."""
    looks = sequential.looks(30)
    for row in np.random.default_rng(4).normal(0.4, 1, (60, 30)):
        at = [sequential.crossed(row[:n], looks) for n in looks]
        first = at[-1]
        assert at == [first if first and k >= first else 0 for k in range(1, len(looks) + 1)]


def test_a_clear_winner_ends_it_early() -> None:
    """One arm far above: decided at the first look, the same each time, whatever comes later."""
    made = design(["a", "b"], 30)
    samples = [a_sample("a", BASE), a_sample("b", BASE + 3)]
    found = look(samples, made, 1)
    assert (found.decided, found.winner) == (True, "b")
    assert found.why == f"decided: b is better than a (look 1 of 5, {made.looks[0]} seeds)"
    assert found == look(samples, made, 1)
    turned = design(["a", "b"], 30, lower_is_better=True)
    assert look(samples, turned, 1).winner == "a"


def test_no_difference_runs_to_the_end() -> None:
    """Undecided at every look, and at the last one it is said that all was run."""
    made = design(["a", "b"], 30)
    samples = [a_sample("a", BASE), a_sample("b", BASE[::-1])]
    found = [look(samples, made, k) for k in range(1, 6)]
    assert not any(each.decided for each in found)
    assert found[0].why.startswith("undecided (look 1 of 5, ")
    assert found[-1].why == "undecided after 30 seeds, all that were planned"


def test_only_the_seeds_of_a_look_count() -> None:
    """Runs beyond the look, finished early, change nothing."""
    made = design(["a", "b"], 30)
    first = made.looks[0]
    far = np.where(np.arange(30) < first, BASE[::-1], BASE + 99)
    samples = [a_sample("a", BASE), a_sample("b", far)]
    assert look(samples, made, 1).winner == ""
    assert look(samples, made, 5).winner == "b"


def test_failed_runs_are_missing_from_their_pairs() -> None:
    """Pairs without one side are left out; a look that has none of its seeds decides nothing."""
    made = design(["a", "b"], 30)
    lost = frozenset(range(1, made.looks[0] + 1))
    samples = [a_sample("a", BASE), a_sample("b", BASE + 3, lost)]
    assert not look(samples, made, 1).decided
    assert look(samples, made, 5).winner == "b"
    assert not look([a_sample("a", BASE)], made, 5).decided


def test_many_arms() -> None:
    """Of thirty arms each pair can be told at the first look; of too many none can: refused."""
    made = design([f"m{k}" for k in range(30)], 30)
    samples = [a_sample(f"m{k}", BASE + 9 * k) for k in range(30)]
    few = replace(made, arms=made.arms[:3])
    assert look(samples, few, 1).winner == "m2"
    alpha = made.alpha / len(made.pairs)
    assert sequential.crossed(np.ones(made.looks[0]), made.looks, alpha) == 1
    assert sequential.crossed(BASE + 9, made.looks, alpha) == 1
    names = [f"m{k}" for k in range(200)]
    with pytest.raises(UsageError, match="19900 pairs of arms are too many to decide"):
        design(names, 30)
    assert design(names, 30, baseline="m0").looks


def test_three_arms() -> None:
    """A winner beats both others; who is beaten so far is said; pairs share the error."""
    made = design(["a", "b", "c"], 30)
    assert made.looks[0] > design(["a", "b"], 30).looks[0]
    samples = [a_sample("a", BASE), a_sample("b", BASE + 2), a_sample("c", BASE + 4)]
    found = look(samples, made, 1)
    assert found.winner == "c"
    assert found.beaten == (("b", "a"), ("c", "a"), ("c", "b"))
    same = [*samples[:2], a_sample("c", BASE + 2 + np.resize([0.1, -0.1], 30))]
    found = look(same, made, 5)
    assert (found.decided, found.winner) == (False, "")
    assert found.beaten == (("b", "a"), ("c", "a"))
    assert "so far b is better than a; c is better than a" in found.why


def test_pairs_share_the_error() -> None:
    """A pair that two arms alone would decide is not decided beside a third arm."""
    gaps = np.array([1, 2, 3, 4, 5, 6, -0.5])  # p = 4 / 2^7
    far = np.array([10, -11, 12, -13, 14, -15, 16])
    samples = [a_sample("a", 0 * gaps), a_sample("b", gaps), a_sample("c", far)]
    assert look(samples, design(["a", "b"], 7), len(design(["a", "b"], 7).looks)).winner == "b"
    assert look(samples, design(["a", "b", "c"], 7), 1).beaten == ()


def test_a_baseline_ends_when_each_is_told_from_it() -> None:
    """Pairs without the baseline are not looked at, and no winner is claimed among the others."""
    made = design(["a", "b", "c"], 30, baseline="a")
    samples = [a_sample("a", BASE), a_sample("b", BASE + 2), a_sample("c", BASE - 2)]
    found = look(samples, made, 1)
    assert (found.decided, found.winner) == (True, "")
    assert found.why.startswith("decided: a is better than c; b is better than a")


@pytest.mark.parametrize(
    ("arms", "runs", "baseline", "message"),
    [
        (["a"], 30, "", "one arm can't be compared"),
        (["a", "b"], 5, "", "with 5 runs of each arm no test can decide\nat least --max-runs 6"),
        (["a", "b", "c"], 6, "", "at least --max-runs 7"),
        (["a", "b"], 30, "c", "the baseline 'c' is none of the arms a, b"),
    ],
)
def test_designs_that_can_not_decide(
    arms: list[str], runs: int, baseline: str, message: str
) -> None:
    """Are refused before anything runs, with what to type."""
    with pytest.raises(UsageError, match=message):
        design(arms, runs, baseline=baseline)
