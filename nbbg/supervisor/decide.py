"""What a supervisor does next. Pure: it sees the live runs and the head of the queue, never all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbbg.classes import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Standing:
    """How a batch stands: what was asked of it, and how many of its runs have failed."""

    jobs: int  # at a time
    stopped_at: float = 0.0  # seconds since the epoch; 0: it was not
    paused_at: float = 0.0
    failures: int = 0  # runs that ended without success for good, since a person said go on
    max_failures: int = 0  # 0: any number
    over_at: float = 0.0  # when it was decided, and needs no more runs; 0: it is not
    gate: int = 0  # the last run that starts before the next look; 0: there is no look to come

    @property
    def held_at(self) -> float:
        """When it was stopped, paused or decided; 0 where it is nothing of it."""
        return max(self.stopped_at, self.paused_at, self.over_at)


@dataclass(frozen=True)
class Next:
    """A run that waits."""

    run: int
    queued_at: float = 0.0  # when a person queued it again; 0 where nobody did
    due: float = 0.0  # not before, on the monotonic clock


@dataclass(frozen=True)
class Start:
    """Start this run."""

    run: int


@dataclass(frozen=True)
class Wait:
    """Nothing to do until something ends or somebody asks, or until that time."""

    until: float | None = None  # on the monotonic clock


@dataclass(frozen=True)
class Stop:
    """Too many have failed: nothing more is to start."""

    why: str


@dataclass(frozen=True)
class Look:
    """All runs before the next look have ended: it is to be taken."""


@dataclass(frozen=True)
class Finish:
    """Nothing lives and nothing is to be started."""


Action = Start | Wait | Stop | Look | Finish


def decide(
    batch: Standing,
    live: Sequence[int],
    head: Sequence[Next],
    now: float,
    free: int | None = None,
) -> list[Action]:
    """What to do.

    Args:
        batch: how it stands. Where it is stopped, paused or decided, only what a person queued
            again since is started.
        live: its live runs.
        head: the first of its queue, at least as many as `jobs` that are due, if it has them, and
            the next that is not due yet.
        now: on the monotonic clock.
        free: how many more runs this machine has room for; None: any number.
    """
    if batch.max_failures and batch.failures >= batch.max_failures and head and not batch.held_at:
        runs = "1 run" if batch.failures == 1 else f"{batch.failures} runs"
        return [Stop(f"{runs} failed (--max-failures {batch.max_failures})")]
    mine = [each for each in head if _may_start(each, batch)]
    room = batch.jobs - len(live) if free is None else min(batch.jobs - len(live), free)
    startable = [each for each in mine if each.due <= now][: max(0, room)]
    if startable:
        return [Start(each.run) for each in startable]
    if batch.gate and not batch.held_at and not mine and all(run > batch.gate for run in live):
        return [Look()]
    if not live and not mine:
        return [Finish()]
    return [Wait(min((each.due for each in mine if each.due > now), default=None))]


def _may_start(run: Next, batch: Standing) -> bool:
    """Whether nothing holds it back; no look holds what had begun, or a person has queued."""
    if batch.held_at:
        return run.queued_at > batch.held_at
    return not batch.gate or run.run <= batch.gate or bool(run.queued_at or run.due)
