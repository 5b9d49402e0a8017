"""Which fault comes next: drawn by chance from a seed, so that a schedule can be repeated."""

from __future__ import annotations

import random
import signal
from dataclasses import dataclass
from typing import TypeVar

from tests.faults.actors import ENGINE, KERNEL, LAUNCHER, RUNNER, SUPERVISOR, TEMPLATE, TMUX

T = TypeVar("T")
KILL, TERM, HUP, STOP = signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGSTOP
VICTIMS = {LAUNCHER: 2, SUPERVISOR: 5, RUNNER: 6, ENGINE: 7, KERNEL: 7, TMUX: 1, TEMPLATE: 3}
_SIGNALS = {KILL: 5, STOP: 4, TERM: 1, HUP: 2}
_KINDS = {"signal": 130, "step": 60, "launchers": 6, "supervisors": 6, "stop": 2, "reboot": 1}
TEN = (2, 10)  # of them at once
STEPS = (
    *("batch.json", "plan.jsonl", "events.jsonl", "train.ipynb", "publish"),
    *("supervision", "event starting", "attempt", "environment.json", "submit", "ticket.json"),
    *("lock", "process.json", "remove environment.json", "engine.json", "spawn", "exit"),
    *("engine", "begin", "cell", "cell_end", "end", "train_1.ipynb", "train_2.ipynb"),
    *("result.json", "event ended", "event queued", "event stopped", "stop.json", "1.json"),
    *("remove stop.json",),
)


@dataclass(frozen=True)
class Fault:
    """What is to be done."""

    kind: str  # one of `_KINDS`
    victim: str = ""  # a role
    signal: signal.Signals = KILL
    step: str = ""
    count: int = 1  # how many at once
    seconds: float = 0.0  # until what was halted goes on


class Schedule:
    """Faults without end.

    Args:
        seed: the same seed gives the same faults, in the same order.
    """

    def __init__(self, seed: str) -> None:
        self.chance = random.Random(seed)  # noqa: S311 - the instants of a test

    def next(self) -> Fault:
        """The next fault, whoever is there to be hit."""
        kind = self._one_of(_KINDS)
        return Fault(
            kind,
            self._one_of(VICTIMS),
            self._one_of(_SIGNALS) if kind != "step" or self.chance.random() < 0.4 else KILL,
            f"{self.chance.choice(('before', 'beside', 'after'))} {self.chance.choice(STEPS)}",
            self.chance.choice(TEN),
            self.chance.uniform(0.1, 1.2),
        )

    def pause(self, mean: float) -> float:
        """Seconds until then."""
        return self.chance.expovariate(1 / mean)

    def role(self, there: set[str], wanted: str) -> str:
        """Who is hit: the one that is wanted, where it is there."""
        present = {role: weight for role, weight in VICTIMS.items() if role in there}
        return wanted if wanted in there else self._one_of(present)

    def _one_of(self, weights: dict[T, int]) -> T:
        return self.chance.choices(list(weights), list(weights.values()))[0]
