"""What a runner guards its attempt against: limits of time, and a run that does nothing."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from nbbg import process
from nbbg.runner import stacks
from nbbg.runner.limits import Limits
from nbbg.runner.quiet import Watchdog
from nbbg.store import state

if TYPE_CHECKING:
    from nbbg import model
    from nbbg.files import Folder
    from nbbg.runner.work import Work


class Guard:
    """Limits and watchdog; what goes wrong in them is said once, and ends nothing.

    Args:
        folder: of the attempt.
        who: the engine's process.
        work: what the attempt is about.
    """

    def __init__(self, folder: Folder, who: model.Identity, work: Work) -> None:
        now = time.monotonic()
        self.limit: model.TimedOut | None = None
        self.limit_at = 0.0  # seconds since the epoch
        self._folder, self._who = folder, who
        self._limits = Limits(folder, work.batch, now)
        self._watchdog = Watchdog(folder, who, work.marker, work.batch, now)
        self._broken = False

    def step(self, now: float) -> bool:
        """Whether a limit is over at `now`, on the monotonic clock; it is written down then."""
        if self._broken:
            return False
        try:
            limit = self._limits.exceeded(now) or self._watchdog.step(now)
        except Exception:  # noqa: BLE001 - a run is not lost for what watches over it
            import traceback

            traceback.print_exc()
            self._broken = True
            return False
        if limit is None or not process.alive(self._who):
            return False
        self.limit, self.limit_at = limit, time.time()
        self._record(limit)
        return True

    def _record(self, limit: model.TimedOut) -> None:
        """That it is over, and then where the code stands.

        In this order, for the signal that asks may wake C code, which then goes on.
        """
        with contextlib.suppress(OSError):
            state.put_limit(self._folder, limit, self.limit_at)
        with contextlib.suppress(OSError):
            stacks.ask(self._folder, self._who)
