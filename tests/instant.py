"""An executor that carries nothing: each run claims, succeeds and lets go before `submit` returns.

So that a supervisor can be driven a thousand times in a second. Its name is `instant`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from nbbg import executors
from nbbg.executors import Ticket
from nbbg.executors.here import Here
from tests.records import Attempt

if TYPE_CHECKING:
    from pathlib import Path


class Instant(Here):
    """Carries out an attempt by writing its record."""

    detached = False

    def __init__(self) -> None:
        self.started: list[Path] = []

    def submit(self, attempt: Path) -> Ticket:
        """Claim it, end it; the loser of a claim is silent."""
        self.started.append(attempt)
        made = Attempt(attempt)
        try:
            made.claim()
        except FileExistsError:
            return Ticket(None)
        made.end(started_at=time.time())
        return Ticket(None)


EXECUTOR = Instant()


def register() -> None:
    """Make it known under its name."""
    executors._MODULES["instant"] = __name__  # noqa: SLF001 - tests alone have one more
