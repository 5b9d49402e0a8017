"""What a supervisor does next. Pure: it sees the live runs and the head of the queue, never all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Next:
    """A run that waits, and when a person queued it again; 0 where nobody did."""

    run: int
    queued_at: float = 0.0


@dataclass(frozen=True)
class Start:
    """Start this run."""

    run: int


@dataclass(frozen=True)
class Wait:
    """Nothing to do until something ends or somebody asks."""


@dataclass(frozen=True)
class Finish:
    """Nothing lives and nothing is to be started."""


Action = Start | Wait | Finish


def decide(
    jobs: int, *, stopped_at: float, live: Sequence[int], head: Sequence[Next]
) -> list[Action]:
    """What to do, given the live runs and the head of the queue (at least `jobs` long, if it is).

    Of a batch that was asked to stop (`stopped_at`, else 0), only what a person queued again since
    is started.
    """
    may_start = [each for each in head if not stopped_at or each.queued_at > stopped_at]
    startable = may_start[: max(0, jobs - len(live))]
    if startable:
        return [Start(each.run) for each in startable]
    return [Wait()] if live else [Finish()]
