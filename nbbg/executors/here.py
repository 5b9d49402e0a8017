"""What the executors of this machine have in common: their runners are processes that it sees."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from nbbg import model, process

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Here:
    """Asks and signals processes; there is nothing to bring home."""

    detached = True
    supervised = True

    def check(self) -> None:
        """Nothing is needed."""

    def poll(self, tickets: Mapping[Path, Mapping[str, object]]) -> Mapping[Path, model.Told]:
        """Whether each runner lives."""
        return {
            attempt: model.Told(model.Word.RUNNING if _lives(ticket) else model.Word.GONE)
            for attempt, ticket in tickets.items()
        }

    def cancel(self, attempt: Path, ticket: Mapping[str, object], signal: int) -> None:  # noqa: ARG002 - the ticket says all
        """Signal the runner, if it lives."""
        if _lives(ticket):
            with contextlib.suppress(ProcessLookupError):
                os.kill(_identity(ticket).pid, signal)

    def fetch(self, batch: Path) -> None:
        """It is here."""


def _identity(ticket: Mapping[str, object]) -> model.Identity:
    return model.Identity(int(str(ticket["pid"])), int(str(ticket["start_time"])))


def _lives(ticket: Mapping[str, object]) -> bool:
    same = ticket["boot"] == process.boot_id()
    return same and process.alive(_identity(ticket))
