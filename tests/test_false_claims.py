"""Where nothing is there, a verdict claims something in at most 5 of 100 experiments."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from bench import statistics as bench
from nbbg.results.comparing import compare
from nbbg.results.samples import Sample
from nbbg.results.statistics import ALPHA

if TYPE_CHECKING:
    from collections.abc import Sequence

EXPERIMENTS = 1_000


def most(count: int) -> float:
    """A share that is exceeded once in ten thousand times where the truth is 5 %."""
    return ALPHA + 3.72 * math.sqrt(ALPHA * (1 - ALPHA) / count)


def samples(arms: Sequence[Any]) -> list[Sample]:
    """Arms as a comparison takes them."""
    return [
        Sample(f"m{at}", dict(enumerate(map(float, values), 1))) for at, values in enumerate(arms)
    ]


@pytest.mark.parametrize("shape", bench.SHAPES)
@pytest.mark.parametrize("correlation", bench.CORRELATIONS)
def test_false_claims(shape: str, correlation: float) -> None:
    """Of a winner among two and three arms, and of the steadier one, with 3 to 30 seeds."""
    dice = bench.Dice(11)
    for n in (3, 6, 8, 12, 30):
        one, other, third = dice.arms(shape, correlation, EXPERIMENTS, n, 3)
        assert bench.claimed(one - other).mean() <= most(EXPERIMENTS)
        assert bench.claimed_steadier(one, other).mean() <= most(EXPERIMENTS)
        if n == 8:
            assert bench.claimed_of_three([one, other, third]).mean() <= most(EXPERIMENTS)


@pytest.mark.parametrize("correlation", bench.CORRELATIONS)
def test_false_claims_of_looks(correlation: float) -> None:
    """Of `--until decided`, over all its looks."""
    one, other = bench.Dice(12).arms("normal", correlation, 300, 30)
    assert (bench.crossings(one - other) > 0).mean() <= most(300)


@pytest.mark.parametrize("n", [4, 8, 12])
def test_the_simulation_is_of_the_verdict(n: int) -> None:
    """What is counted in bulk is what `compare` says of each experiment alone."""
    one, other = bench.Dice(13).arms("skewed", 0.5, 80, n)
    one = one + np.linspace(0, 3, 80)[:, None]
    found = [compare(samples(pair), "acc") for pair in zip(one, other, strict=True)]
    assert [bool(each.winner) for each in found] == list(bench.claimed(one - other))
    said = [bool(each.pairs[0].steadier) for each in found]
    for mine, counted in zip(said, bench.claimed_steadier(one, other), strict=True):
        assert mine <= counted  # one more condition: the standard deviations agree


def test_what_is_there_is_found() -> None:
    """A difference of one standard deviation with 15 seeds, in nine of ten experiments."""
    one, other = bench.Dice(14).arms("normal", 0.5, EXPERIMENTS, 15)
    assert bench.claimed(one + 1 - other).mean() > 0.9
