"""What the executors of this machine have in common: their runners are processes that it sees."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from nbbg import model, process

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from pathlib import Path


class Here:
    """Asks and signals processes; there is nothing to bring home."""

    detached = True
    supervised = True

    def check(self, options: Sequence[str] = (), store: Path | None = None) -> None:
        """Nothing is needed."""

    def poll(self, tickets: Iterable[str]) -> dict[str, model.Told]:
        """Whether each runner lives."""
        words = {True: model.Word.RUNNING, False: model.Word.GONE}
        return {ticket: model.Told(words[_lives(ticket) is not None]) for ticket in tickets}

    def cancel(self, ticket: str, signal: int) -> None:
        """Signal the runner, if it lives."""
        if who := _lives(ticket):
            with contextlib.suppress(ProcessLookupError):
                os.kill(who.pid, signal)

    def fetch(self, batches: Collection[Path]) -> None:
        """It is here."""


def _lives(ticket: str) -> model.Identity | None:
    boot, pid, start_time = ticket.split(":")
    who = model.Identity(int(pid), int(start_time))
    return who if boot == process.boot_id() and process.alive(who) else None
