"""How often a verdict is wrong, and how often it finds what is there: simulated experiments.

`python -m bench.statistics` writes `docs/bench-statistics.md`; with a number, such as 0.1, from so
many times the experiments. The functions are those that a
verdict is made of, called for thousands of experiments at once. A seed adds the same to every arm,
so that two runs of it correlate; then each run is bent to the shape of its distribution.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from bench.tables import markdown as table
from nbbg.results.statistics import ALPHA, describing, location, sequential, spread, unpaired

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

PAGE = Path(__file__).parents[1] / "docs" / "bench-statistics.md"
SEEDS = (3, 4, 5, 6, 7, 8, 10, 12, 20, 30)
CORRELATIONS = (0.0, 0.5, 0.9)
SIMULATED, SEQUENTIAL, SLOW = 20_000, 2_000, 5_000  # experiments a figure, for scale 1
DRAWS = 1_999  # of signs and deals; a verdict takes more
BLOCK = 5_000  # experiments that are held at once
EFFECT = 1.0  # of the power, in standard deviations of a run
SHAPES: dict[str, Callable[[Floats], Floats]] = {
    "normal": lambda z: z,
    "skewed": np.exp,  # log-normal, skewness 6.2
    "heavy tails": lambda z: special.stdtrit(3, special.ndtr(z)),  # Student's t, 3 degrees
}
_TEXT = """# How often a verdict is wrong, and how often it finds what is there

Written by `python -m bench.statistics` on {date}, in {minutes:.1f} minutes ({cpus} CPUs, Python
{python}, NumPy {numpy}). Shares in per cent of {simulated:,} simulated experiments each
({sequential:,} with looks, {slow:,} for bootstrap intervals and for seeds that do not pair). Where
the truth is 5.0 %, chance alone moves nineteen of twenty figures by up to {noise[0]:.1f},
{noise[2]:.1f} and {noise[1]:.1f}, and the largest of hundreds by about twice as much. *Correlation*
is that of two runs with one seed before they are bent to their shape: skewed is log-normal, heavy
tails are Student's t with 3 degrees of freedom.

The largest share of false claims in the tables of nbbg's rules: {worst}.

## False claims that an arm is better: two arms, no difference

{verdict}

*One arm wider*: normal, with three times the standard deviation of the other arm.

## The same for other rules, normal, correlation 0.5

{others}

## False claims in any pair: three arms, corrected by Holm

{three}

## False claims that an arm is steadier (Brown-Forsythe, from {steady} seeds on)

{steadier}

## Seeds that do not pair: false claims

Welch's p-value alone, and as nbbg claims: where the p-value among all deals of the values to the
arms is small too.

{apart}

## `--until decided`: false claims over all looks

{looking}

## Power: one arm is better by {effect:g} standard deviation of a run, normal

Shares of experiments in which the right arm is claimed. BCa, which claims too often where nothing
is there, is no fair match with few seeds.

{power}

## Power of `--until decided`, at most 30 seeds, the same difference

{early}
"""


class Dice:
    """Experiments without end, the same every time."""

    def __init__(self, seed: int = 7) -> None:
        self._dice = np.random.default_rng(seed)

    def arms(
        self, shape: str, correlation: float, count: int, n: int, arms: int = 2
    ) -> list[Floats]:
        """So many experiments of n seeds: for each arm an array of shape (count, n)."""
        common = self._dice.standard_normal((count, n)) * np.sqrt(correlation)
        own = [self._dice.standard_normal((count, n)) for _ in range(arms)]
        return [SHAPES[shape](common + np.sqrt(1 - correlation) * each) for each in own]


def claimed(differences: Floats) -> NDArray[np.bool_]:
    """Where nbbg claims a winner of two arms, from differences of shape (count, n)."""
    found = location.paired_t(differences)
    return location.claims(location.sign_flip(differences, DRAWS), found.low, found.high)


def claimed_steadier(one: Floats, other: Floats) -> NDArray[np.bool_]:
    """Where nbbg claims that one of two arms is steadier."""
    if one.shape[-1] < spread.FEWEST:
        return np.zeros(len(one), dtype=bool)
    found: NDArray[np.bool_] = spread.brown_forsythe(one, other) <= ALPHA
    return found


def claimed_of_three(arms: list[Floats]) -> NDArray[np.bool_]:
    """Where any pair of three arms is claimed."""
    pairs = ((0, 1), (0, 2), (1, 2))
    found = [location.paired_t(arms[a] - arms[b]) for a, b in pairs]
    raw = [location.sign_flip(arms[a] - arms[b], DRAWS) for a, b in pairs]
    ps = location.holm(np.stack(raw, axis=-1))
    each = [location.claims(ps[:, k], one.low, one.high) for k, one in enumerate(found)]
    any_pair: NDArray[np.bool_] = np.any(each, axis=0)
    return any_pair


def share(claims: Callable[[int], NDArray[np.bool_]], count: int) -> float:
    """The share of so many experiments, taken in blocks, in which something is claimed."""
    sizes = [min(BLOCK, count - start) for start in range(0, count, BLOCK)]
    return float(np.concatenate([claims(size) for size in sizes]).mean())


class Page:
    """The tables, and the largest share of false claims among those of nbbg's own rules."""

    def __init__(self, scale: float = 1.0) -> None:
        self.dice = Dice()
        self.many, self.looks, self.slow = (
            int(scale * each) for each in (SIMULATED, SEQUENTIAL, SLOW)
        )
        self.worst = (0.0, "")

    def note(self, found: float, where: str) -> str:
        """A share of false claims of nbbg's, as it is printed."""
        self.worst = max(self.worst, (found, where))
        return f"{100 * found:.1f}"

    def by_seeds(
        self, title: str, claims: Callable[[str, float, int, int], NDArray[np.bool_]]
    ) -> list[tuple[str, ...]]:
        """A row for each shape and correlation, a column for each number of seeds."""
        rows = []
        for shape in SHAPES:
            for r in CORRELATIONS:
                cells = [
                    self.note(
                        share(lambda size, n=n, r=r, s=shape: claims(s, r, size, n), self.many),  # type: ignore[misc]
                        f"{title}, {shape}, correlation {r:g}, {n} seeds",
                    )
                    for n in SEEDS
                ]
                rows.append((shape, f"{r:g}", *cells))
        return rows

    def verdict(self) -> str:
        """Two arms."""
        rows = self.by_seeds("verdict", lambda s, r, size, n: claimed(self._gap(s, r, size, n)))
        for r in CORRELATIONS:
            cells = []
            for n in SEEDS:
                found = share(lambda size, n=n, r=r: claimed(self._wider(r, size, n)), self.many)  # type: ignore[misc]
                cells.append(self.note(found, f"verdict, one arm wider, {r:g}, {n} seeds"))
            rows.append(("one arm wider", f"{r:g}", *cells))
        return table(("shape", "correlation", *map(str, SEEDS)), rows)

    def _gap(self, shape: str, r: float, size: int, n: int, shift: float = 0.0) -> Floats:
        one, other = self.dice.arms(shape, r, size, n)
        return one - other + shift

    def _wider(self, r: float, size: int, n: int) -> Floats:
        one, other = self.dice.arms("normal", r, size, n)
        return 3 * one - other

    def others(self) -> str:
        """Rules that nbbg does not follow, where nothing is there."""
        rows = [(name, *cells) for name, cells in self._rivals(0.5, 0.0).items()]
        return table(("rule", *map(str, SEEDS)), rows)

    def _rivals(self, r: float, shift: float) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for n in SEEDS:
            one, other = self.dice.arms("normal", r, self.slow, n)
            one = one + shift
            low, high = describing.bca(one - other, DRAWS)
            claims = {
                "nbbg": claimed(one - other),
                "paired t alone": location.paired_t(one - other).p <= ALPHA,
                "Welch, as if unpaired": location.welch(one, other).p <= ALPHA,
                "BCa interval of the difference": (low > 0) | (high < 0),
            }
            for name, each in claims.items():
                right = each & ((one - other).mean(axis=-1) > 0) if shift else each
                found.setdefault(name, []).append(f"{100 * right.mean():.1f}")
        return found

    def three(self) -> str:
        """Three arms."""
        rows = self.by_seeds(
            "three arms",
            lambda s, r, size, n: claimed_of_three(self.dice.arms(s, r, size, n, 3)),
        )
        return table(("shape", "correlation", *map(str, SEEDS)), rows)

    def steadier(self) -> str:
        """The line about spreads."""
        rows = self.by_seeds(
            "steadier", lambda s, r, size, n: claimed_steadier(*self.dice.arms(s, r, size, n))
        )
        return table(("shape", "correlation", *map(str, SEEDS)), rows)

    def apart(self) -> str:
        """Arms without common seeds, of equal and of unequal size."""
        sizes = ((3, 3), (4, 4), (6, 6), (10, 10), (4, 20), (8, 30))
        rows = []
        for shape in SHAPES:
            alone, both = [], []
            for n, m in sizes:
                (one,) = self.dice.arms(shape, 0.0, self.slow, n, 1)
                (other,) = self.dice.arms(shape, 0.0, self.slow, m, 1)
                welch = location.welch(one, other)
                p = np.fmax(welch.p, unpaired.permuted_welch(one, other, DRAWS))
                found = location.claims(p, welch.low, welch.high).mean()
                alone.append(f"{100 * (welch.p <= ALPHA).mean():.1f}")
                both.append(self.note(float(found), f"unpaired, {shape}, {n} and {m} seeds"))
            rows += [(shape, "Welch alone", *alone), (shape, "nbbg", *both)]
        return table(("shape", "rule", *(f"{n} and {m}" for n, m in sizes)), rows)

    def looking(self) -> str:
        """All looks together, of two arms and of three; and what a peek at p-values claims."""
        rows = []
        for shape in SHAPES:
            for r in CORRELATIONS:
                cells = [
                    self.note(found, f"--until decided, {shape}, correlation {r:g}, {what}")
                    for what, found in self._looks(shape, r).items()
                ]
                rows.append((shape, f"{r:g}", *cells, self._peeks(shape, r)))
        head = ("two arms, to 10", "two arms, to 30", "three arms, to 30", "p at each look, to 30")
        return table(("shape", "correlation", *head), rows)

    def _looks(self, shape: str, r: float) -> dict[str, float]:
        found = {}
        for most in (10, 30):
            rows = self._gap(shape, r, self.looks, most)
            found[f"to {most}"] = float((crossings(rows) > 0).mean())
        arms = self.dice.arms(shape, r, self.looks, 30, 3)
        each = [crossings(arms[a] - arms[b], 3) > 0 for a, b in ((0, 1), (0, 2), (1, 2))]
        found["three arms"] = float(np.any(each, axis=0).mean())
        return found

    def _peeks(self, shape: str, r: float) -> str:
        rows = self._gap(shape, r, self.looks, 30)
        ps = [location.sign_flip(rows[:, :n], DRAWS) for n in sequential.looks(30)]
        return f"{100 * (np.stack(ps) <= ALPHA).any(axis=0).mean():.1f}"

    def power(self) -> str:
        """What is found of a difference that is there."""
        rows = [
            (f"{r:g}", name, *cells)
            for r in CORRELATIONS
            for name, cells in self._rivals(r, EFFECT).items()
        ]
        return table(("correlation", "rule", *map(str, SEEDS)), rows)

    def early(self) -> str:
        """How many seeds `--until decided` takes, and what it finds."""
        rows = []
        for r in CORRELATIONS:
            found = self._gap("normal", r, self.looks, 30, EFFECT)
            at = crossings(found)
            seeds = np.array([30, *sequential.looks(30)])[at]
            all_at_once = f"{100 * claimed(found).mean():.1f}"
            decided = f"{100 * (at > 0).mean():.1f}"
            rows.append((f"{r:g}", decided, f"{seeds.mean():.1f}", all_at_once))
        head = ("correlation", "decided", "seeds, mean", "decided with all 30 at once")
        return table(head, rows)


def crossings(rows: Floats, pairs: int = 1) -> NDArray[np.int64]:
    """At which look each experiment ends with a claim; 0 for none."""
    looks = sequential.looks(rows.shape[-1], pairs)
    return np.array([sequential.crossed(row, looks, ALPHA / pairs) for row in rows])


def main() -> None:
    """Simulate and write the page."""
    began, page = time.time(), Page(float(sys.argv[1]) if sys.argv[1:] else 1.0)
    tables = {
        "verdict": page.verdict(),
        "others": page.others(),
        "three": page.three(),
        "steadier": page.steadier(),
        "apart": page.apart(),
        "looking": page.looking(),
        "power": page.power(),
        "early": page.early(),
    }
    text = _TEXT.format(
        date=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        minutes=(time.time() - began) / 60,
        cpus=len(os.sched_getaffinity(0)),
        python=platform.python_version(),
        numpy=np.__version__,
        simulated=page.many,
        sequential=page.looks,
        slow=page.slow,
        noise=[196 * (ALPHA * (1 - ALPHA) / n) ** 0.5 for n in (page.many, page.slow, page.looks)],
        worst=f"{100 * page.worst[0]:.1f} % ({page.worst[1]})",
        steady=spread.FEWEST,
        effect=EFFECT,
        **tables,
    )
    PAGE.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
