"""The steps of a stop: asked, interrupted, terminated, killed; each after the grace of the last.

A limit of time that is over asks as a person does.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from nbbg import journal, paths, process
from nbbg.classes import dataclass
from nbbg.model import Running, Unknown
from nbbg.store import state

if TYPE_CHECKING:
    from nbbg.files import Folder
    from nbbg.model import Identity

_STEPS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)


@dataclass
class Stopping:
    """Where a stop stands; nothing happens until `stop.json` or `limit.json` is there."""

    folder: Folder
    engine: Identity
    marker: str
    grace: float  # seconds between two steps
    over: bool = False  # a limit of time is, whether a full disk takes `limit.json` or not
    in_time: bool = False  # whether a signal was sent before the notebook's end
    _done: int = 0
    _due: float | None = None

    @property
    def begun(self) -> bool:
        """Whether it was asked for."""
        if self.over or self._due is not None:
            return True
        return self.folder.exists(paths.STOP) or self.folder.exists(paths.LIMIT)

    def step(self, now: float) -> None:
        """Do what is due at `now` (seconds on the monotonic clock)."""
        if self._due is None:
            if not self.begun:
                return
            # A notebook that asks `nbbg.should_stop()` is given time to end by itself.
            self._due = now + (self.grace if self.folder.exists(paths.LISTENS) else 0)
        if now >= self._due:
            if not self._done:
                self.in_time = journal.find_last(self.folder, paths.CELLS, journal.END) is None
            self._send(_STEPS[min(self._done, len(_STEPS) - 1)])
            self._done += 1
            self._due = now + (self.grace if self._done < len(_STEPS) else 0)

    def _send(self, number: signal.Signals) -> None:
        # The number of an engine that is dead and collected may be a stranger's by now.
        known = process.identity(self.engine.pid) in (self.engine, None)
        pid = self.engine.pid if known else 0
        members = process.tree([pid] if pid else [], self.marker, pid)
        if number == signal.SIGINT:
            members = [who for who in members if process.group(who.pid) == self.engine.pid]
        for who in members:
            process.send(who, number)


def sweep(attempt: Folder, grace: float) -> None:
    """End what an attempt left behind whose runner, whose work that is, was killed.

    Only where nothing holds the attempt's lock any more, and its processes can be seen from here.
    """
    claim = state.read_claim(attempt)
    if claim is None or attempt.exists(paths.RESULT) or not state.is_here(claim):
        return
    if state.is_copy(attempt, claim):
        return
    if isinstance(state.derive(attempt), Running | Unknown):
        return
    process.end_tree([], claim.marker, 0, grace)
