"""How many runs a supervisor may have started, where they need slots that others take too.

It only looks which slots are free; runners take them. One run more than there are slots may be
started, which waits in the line: without it, a batch would never have its turn beside another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbbg import paths
from nbbg.errors import NbbgError
from nbbg.store import slots

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from nbbg import model

LONGEST = 1.0  # seconds between two looks for a stop, an exit file, a run queued again
SHORT = 0.3  # seconds between two looks whether the one in the line has its slot


class Seats:
    """The slots of a batch, as its supervisor sees them.

    Args:
        batch: the supervised one.
        environment: what its runs are given.

    Attributes:
        nap: seconds after which it is worth another look, though nothing has ended.
    """

    def __init__(self, batch: model.Batch, environment: Mapping[str, str]) -> None:
        self.batch, self.environment = batch, environment
        self.nap = LONGEST

    def most(self, jobs: int, attempts: Collection[Path]) -> int:
        """How many runs may be live, given those that are; at most `jobs`."""
        self.nap = LONGEST
        if not slots.needed(self.batch) or len(attempts) >= jobs:
            return jobs
        waiting = sum(not (attempt / paths.PROCESS).exists() for attempt in attempts)
        most = min(jobs, len(attempts) + max(0, max(1, self._free()) - waiting))
        self.nap = SHORT if most < jobs else LONGEST
        return most

    def _free(self) -> int:
        try:
            found = slots.Slots(self.batch, self.environment)
        except (NbbgError, OSError):
            return 0
        try:
            return found.free()
        except (NbbgError, OSError):  # a run that is started says why
            return 0
        finally:
            found.close()
