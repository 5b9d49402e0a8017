"""What a supervisor does next. Pure: it sees the live runs and the head of the queue, never all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


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


def decide(jobs: int, *, live: Sequence[int], head: Sequence[int]) -> list[Action]:
    """What to do, given the live runs and the head of what may start (`jobs` of it, if there are).

    Of a batch that was asked to stop, only what a person queued again since may start.
    """
    startable = head[: max(0, jobs - len(live))]
    if startable:
        return [Start(run) for run in startable]
    return [Wait()] if live else [Finish()]
