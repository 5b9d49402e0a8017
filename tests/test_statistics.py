"""Every statistic equals published figures, or SciPy's, to nine decimals."""

from __future__ import annotations

import math
import tracemalloc
from typing import Any

import numpy as np
import pytest
from scipy import stats

from nbbg.results.statistics import (
    describing,
    effects,
    improvement,
    location,
    spread,
    unpaired,
)

# Darwin's maize, differences in eighths of an inch: Fisher, The design of experiments, section 17.
DARWIN = np.array([49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48.0])
# Hours of sleep gained with two drugs, ten patients: Student 1908.
SLEEP_1 = np.array([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])
SLEEP_2 = np.array([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])
NINE = 1e-9


def near(value: Any) -> Any:
    """To nine decimals."""
    return pytest.approx(value, rel=NINE, abs=NINE)


def some(*shape: int, seed: int = 1) -> Any:
    """Numbers with a tail, the same every time."""
    return np.exp(np.random.default_rng(seed).standard_normal(shape))


def test_fishers_randomisation_test_of_darwins_maize() -> None:
    """Of 2^15 signs 1726 have a sum at least as far from 0 as the observed 314: p = .0527."""
    p = float(location.sign_flip(DARWIN))
    assert p == 1726 / 2**15
    assert round(p, 4) == 0.0527


def test_students_sleep_data() -> None:
    """The paired t of 1908: mean 1.58, p = .00283, interval 0.70 to 2.46."""
    found = location.paired_t(SLEEP_2 - SLEEP_1)
    assert float(found.difference) == near(1.58)
    assert round(float(found.p), 6) == 0.002833
    assert (round(float(found.low), 4), round(float(found.high), 4)) == (0.7001, 2.4599)


@pytest.mark.parametrize("n", [2, 3, 10, 30])
def test_intervals_are_scipys(n: int) -> None:
    """The paired interval and Welch's, with their p-values."""
    one, other = some(n), some(n + 2, seed=2)
    paired = stats.ttest_1samp(one, 0)
    low, high = paired.confidence_interval()
    found = location.paired_t(one)
    assert [float(x) for x in found] == near([one.mean(), low, high, paired.pvalue])
    theirs = stats.ttest_ind(one, other, equal_var=False)
    low, high = theirs.confidence_interval()
    found = location.welch(one, other)
    assert [float(x) for x in found] == near([one.mean() - other.mean(), low, high, theirs.pvalue])


@pytest.mark.parametrize("n", [1, 2, 5, 9, 12])
def test_sign_flip_is_scipys_permutation_test(n: int) -> None:
    """All signs are gone through; many samples at once give what each gives alone."""
    differences = some(4, n) - some(4, n, seed=2)
    expected = [
        stats.permutation_test(
            (row, np.zeros(n)),
            lambda a, b, axis: np.sum(a - b, axis=axis),
            permutation_type="samples",
            n_resamples=np.inf,
        ).pvalue
        for row in differences
        if n > 1
    ]
    assert list(location.sign_flip(differences))[: len(expected)] == near(expected)
    assert [float(location.sign_flip(row)) for row in differences] == near(
        list(location.sign_flip(differences))
    )


def test_sampled_signs_come_near_to_all_signs() -> None:
    """Above 16 seeds signs are drawn, never p = 0, the same each time, and near to the truth."""
    differences = np.concatenate([DARWIN, [1.0, -1.0, 30.0]])
    drawn = float(location.sign_flip(differences))
    n = differences.size
    halves = np.array(np.meshgrid(*[[1, -1]] * 9)).reshape(9, -1).T
    first, second = halves @ differences[:9], halves @ differences[9:]
    exact = (np.abs(first[:, None] + second[None]) >= abs(differences.sum()) - 1e-9).mean()
    assert drawn == pytest.approx(exact, abs=4 * math.sqrt(exact / location.DRAWS))
    assert drawn == float(location.sign_flip(differences))
    assert float(location.sign_flip(np.ones(n))) == 1 / (location.DRAWS + 1)


def test_equal_sums_count_however_they_were_rounded() -> None:
    """0.1 + 0.2 and 0.3 are one sum; differences of 0 can't decide anything."""
    assert float(location.sign_flip(np.array([0.1, 0.2, -0.3]))) == 1.0
    assert float(location.sign_flip(np.array([0.1, 0.2, 0.3]))) == 0.25
    assert float(location.sign_flip(np.zeros(6))) == 1.0


@pytest.mark.parametrize(("pairs", "seeds"), [(1, 6), (3, 7), (10, 9)])
def test_fewest_seeds(pairs: int, seeds: int) -> None:
    """A sign-flip test of fewer can't get under 5 %, corrected for the pairs."""
    assert location.fewest(pairs) == seeds
    assert pairs * float(location.sign_flip(np.ones(seeds))) <= 0.05
    assert pairs * float(location.sign_flip(np.ones(seeds - 1))) > 0.05


def test_holms_correction() -> None:
    """The example of R's p.adjust: never smaller than one before, at most 1."""
    found = location.holm(np.array([[0.01, 0.04, 0.03, 0.005], [0.5, 0.9, 0.8, 0.4]]))
    assert found[0] == near([0.03, 0.06, 0.06, 0.02])
    assert found[1] == near([1.0, 1.0, 1.0, 1.0])


@pytest.mark.parametrize(("n", "m"), [(2, 3), (4, 4), (5, 3)])
def test_permuted_welch_is_scipys(n: int, m: int) -> None:
    """The p-value of Welch's t among all ways to deal the values to two arms."""
    one, other = some(n), some(m, seed=2) + 1

    def statistic(a: Any, b: Any, axis: int) -> Any:
        return np.abs(stats.ttest_ind(a, b, equal_var=False, axis=axis).statistic)

    theirs = stats.permutation_test(
        (one, other), statistic, alternative="greater", n_resamples=np.inf
    )
    assert float(unpaired.permuted_welch(one, other)) == near(theirs.pvalue)
    assert unpaired.smallest_p(n, m) <= theirs.pvalue


def test_permuted_welch_of_many_seeds() -> None:
    """Deals are drawn, the same each time, and p is never 0."""
    one, other = some(20), some(30, seed=2) + 9
    assert float(unpaired.permuted_welch(one, other)) == 1 / (unpaired.DRAWS + 1)


@pytest.mark.parametrize(("n", "m"), [(3, 3), (7, 12), (30, 8)])
def test_brown_forsythe_is_scipys(n: int, m: int) -> None:
    """Levene's test with the median."""
    one, other = some(5, n), 2 * some(5, m, seed=2)
    theirs = stats.levene(one, other, center="median", axis=-1)
    assert spread.brown_forsythe(one, other) == near(theirs.pvalue)


@pytest.mark.parametrize(("n", "iqm"), [(1, 1.0), (3, 3.0), (4, 3.5), (9, 9.0)])
def test_iqm(n: int, iqm: float) -> None:
    """A quarter, rounded down, is cut from each side: of 1 to 3 seeds it is the mean."""
    values = np.array([[1.0], [1.0, 3, 5], [1.0, 1000, 3, 4], [9.0] * 9][[1, 3, 4, 9].index(n)])
    assert describing.iqm(values) == near(float(stats.trim_mean(values, 0.25)))
    assert describing.iqm(values) == near(iqm)


def test_middle_ninety() -> None:
    """The 5th and the 95th percentile of 0 to 100."""
    assert describing.middle_ninety(np.arange(101.0)) == near((5.0, 95.0))


@pytest.mark.parametrize("n", [15, 25])
def test_bca_is_scipys(n: int) -> None:
    """The same draws give the same interval, of one sample and of many."""
    values = some(3, n)
    found = np.array(describing.bca(values)).T
    for row, ends in zip(values, found, strict=True):
        theirs = stats.bootstrap(
            (row,),
            np.mean,
            method="BCa",
            n_resamples=describing.RESAMPLES,
            rng=np.random.default_rng(20_240_517),
        ).confidence_interval
        assert list(ends) == near([theirs.low, theirs.high])


@pytest.mark.parametrize(("better", "n"), [(0, 5), (5, 6), (8, 8), (17, 30)])
def test_improvement_on_a_seed_is_wilsons(better: int, n: int) -> None:
    """The share of seeds and SciPy's Wilson interval; ties count half."""
    found = improvement.on_a_seed(np.where(np.arange(n) < better, 1.0, -1.0))
    theirs = stats.binomtest(better, n).proportion_ci(method="wilson")
    assert found == near((better / n, theirs.low, theirs.high))
    assert improvement.on_a_seed(np.array([1.0, 0.0]))[0] == 0.75


def test_improvement_of_two_runs() -> None:
    """Mann and Whitney's U over n m, ties half; each end of Newcombe's interval solves his rule."""
    one, other = np.round(some(12), 1), np.round(some(9, seed=2), 1)
    chance, low, high = improvement.of_two_runs(one, other)
    assert chance == near(stats.mannwhitneyu(one, other).statistic / 108)
    half, z = 21 / 2 - 1, stats.norm.ppf(0.975)
    for end in (low, high):
        middle = 1 + half * (1 - end) / (2 - end) + half * end / (1 + end)
        assert (chance - end) ** 2 == near(z**2 * end * (1 - end) * middle / 108)
    assert low < chance < high
    assert improvement.of_two_runs(one + 99, other)[::2] == (1.0, 1.0)


def test_effect_sizes() -> None:
    """Student's sleep data: d_z = 1.2846 (Lakens's tables), both times J of their freedom."""
    differences = SLEEP_2 - SLEEP_1
    d_z = differences.mean() / differences.std(ddof=1)
    assert round(d_z, 4) == 1.2846
    assert effects.correction(10) == near(math.gamma(5) / (math.sqrt(5) * math.gamma(4.5)))
    assert effects.paired_effect(differences) == near(d_z * effects.correction(9))
    pooled = math.sqrt((SLEEP_1.var(ddof=1) + SLEEP_2.var(ddof=1)) / 2)
    g = effects.hedges_g(SLEEP_2, SLEEP_1)
    assert g == near(1.58 / pooled * effects.correction(18))
    assert effects.paired_effect(np.array([0.1 + 0.2, 0.3, 0.3])) is None
    assert effects.paired_effect(np.array([1.0, 2.0])) is None  # J(1) is 0, which is no effect
    assert effects.hedges_g(np.ones(3), np.zeros(3)) is None


@pytest.mark.parametrize(
    ("effect", "paired", "each"), [(0.5, 34, 64), (0.8, 15, 26), (0.2, 199, 394)]
)
def test_needed_seeds_are_cohens(effect: float, paired: int, each: int) -> None:
    """The sample sizes for 80 % power, two-sided at 5 %, of Cohen's tables and G*Power."""
    assert effects.needed_paired(effect, 1.0) == paired
    assert effects.needed_welch(effect, 1.0, 1.0) == each


def test_needed_seeds_at_the_borders() -> None:
    """Nothing to find, more than can be counted, and what any two seeds show."""
    assert effects.needed_paired(0.0, 1.0) is None
    assert effects.needed_paired(1e-6, 1.0) is None
    assert effects.needed_paired(1.0, 0.0) == 2
    assert effects.needed_welch(1.0, 0.0, 0.0) == 2
    assert effects.needed_paired(1e9, 1.0) == 2


@pytest.mark.parametrize("apart", [1.0, 1e4, 1e8, 1e12])
@pytest.mark.parametrize("n", [3, 4, 6])
def test_far_apart_is_no_smaller_p_value_than_there_are_deals(n: int, apart: float) -> None:
    """However far two arms are apart, no rounding makes p less than the smallest there is."""
    one, other = some(40, n), some(40, n, seed=2) + 1000 * apart
    assert unpaired.permuted_welch(one, other) == near(unpaired.smallest_p(n, n))
    for value in np.linspace(0.01, 0.99, 30):
        p = unpaired.permuted_welch(np.full(n, value), np.full(n, 0.37 * value))
        assert float(p) == near(unpaired.smallest_p(n, n))


def test_thousands_of_seeds_take_little_memory() -> None:
    """Signs, deals and resamples of many values are held a part at a time."""
    one, other = some(3000), some(3000, seed=2)
    tracemalloc.start()
    try:
        location.sign_flip(one - other)
        unpaired.permuted_welch(one, other)
        describing.bca(one)
        assert tracemalloc.get_traced_memory()[1] < 200e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("scale", [1e-140, 1e-90, 1e90, 1e140])
def test_figures_keep_to_the_unit(scale: float) -> None:
    """Values that are very large or very small have the figures of others, without a warning."""
    one, other = some(12), some(14, seed=2) + 1
    with np.errstate(over="raise", under="ignore"):
        found, plain = location.welch(one * scale, other * scale), location.welch(one, other)
        assert float(found.p) == near(float(plain.p))
        assert float(found.low) / scale == near(float(plain.low))
        low, high = describing.bca(one * scale, 500)
        assert [low / scale, high / scale] == near([*map(float, describing.bca(one, 500))])
        spreads = scale, 2 * scale
        assert effects.needed_welch(scale, *spreads) == effects.needed_welch(1.0, 1.0, 2.0)
