"""What is compared: the values of one metric, for each arm, by seed; and the curves behind them.

Plain values, read by `nbbg.results.gathering`; statistics, pictures and reports are made of these
alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbbg.classes import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class Curve:
    """One metric of one run as it was logged, in order; both of one length."""

    steps: tuple[float, ...]  # as logged; 0, 1, 2… where it was logged without a step
    values: tuple[float, ...]  # NaN and infinity as they were


@dataclass(frozen=True)
class LeftOut:
    """A run whose value does not count, and why: its state, `no accuracy`, `accuracy is NaN`."""

    run: int
    seed: int
    why: str


@dataclass(frozen=True)
class Sample:
    """One arm: a finite value for each seed whose run has succeeded."""

    arm: str
    values: Mapping[int, float]  # by seed, in the order of seeds
    left_out: Sequence[LeftOut] = ()
    runs: Mapping[int, int] = field(default_factory=dict)  # the run's id by seed, as in `values`
    curves: Mapping[int, Curve] = field(default_factory=dict)  # by seed; empty unless asked for
    machines: Sequence[str] = ()  # where the counted runs ran, distinct
    sources: Sequence[str] = ()  # hashes of the code that the counted runs executed, distinct
