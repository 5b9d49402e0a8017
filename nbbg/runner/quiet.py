"""The watchdog: notices that a run neither prints nor computes, and ends it where that was asked.

Seldom and cheaply it looks at the sizes of what the run writes and at the processor time of its
whole tree; an idle Jupyter kernel takes a little of that, so under a hundredth of a core counts
as none. What it notices becomes an event of the journal, which readers show. Only time that the
runner itself was awake for counts: neither a machine that slept nor a runner that was stopped
makes a run look quiet.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from nbbg import journal, model, paths, process
from nbbg.runner.limits import running_cell

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbbg.files import Folder
    from nbbg.model import Identity

SHARE = 0.01  # of one core; less is no work
TICKS = 2  # of the kernel's clock; less can't be told from none
SLACK = 2.0  # seconds between two steps that count; the rest of a longer gap was slept through
SELDOM = 30.0  # seconds between two looks at the whole tree, at most
SOON = 2.0  # seconds between two looks whether a signal has stopped it, at most
_PARTS = 20  # looks within the shortest limit
_WRITTEN = (paths.LOG, paths.CELLS, paths.METRICS)


class Watchdog:
    """Watches one attempt.

    Args:
        folder: of the attempt.
        engine: its process.
        marker: of the attempt's environment.
        batch: which has the limits.
        now: on the monotonic clock.
    """

    def __init__(
        self, folder: Folder, engine: Identity, marker: str, batch: model.Batch, now: float
    ) -> None:
        self._folder, self._engine, self._marker = folder, engine, marker
        self._says, self._acts = batch.quiet_after, batch.watchdog
        limits = [limit / _PARTS for limit in (self._says, self._acts) if limit]
        self._interval = min(SELDOM, *limits)
        self._seen, self._awake = now, 0.0  # the time that counts
        self._gap = min(SOON, self._interval)  # it grows: what a run starts with comes early
        self._due = self._sample_at = self._gap
        self._since = 0.0  # of the last work
        self._told: tuple[int, ...] | None = None  # what was said last
        self._sizes = self._measure()
        self._members = [engine]
        self._spent: Mapping[Identity, float] = {}
        self._spent_at = 0.0

    def step(self, now: float) -> model.TimedOut | None:
        """Look if it is time to; the limit that is over, where it shall be ended.

        Args:
            now: on the monotonic clock.
        """
        self._awake += min(now - self._seen, SLACK)
        self._seen = now
        if self._awake < self._due:
            return None
        self._due = self._awake + min(SOON, self._interval)
        if self._awake >= self._sample_at:
            self._gap = min(2 * self._gap, self._interval)
            self._sample_at = self._awake + self._gap
            self._sample()
        self._tell(tuple(who.pid for who in self._members if process.is_halted(who)))
        if self._acts and self._quiet >= self._acts:
            return model.TimedOut(self._acts, running_cell(self._folder), model.OF_QUIET)
        return None

    @property
    def _quiet(self) -> float:
        return self._awake - self._since

    def _sample(self) -> None:
        sizes = self._measure()
        pid = self._engine.pid
        self._members = process.tree([pid], self._marker, pid)
        spent = {who: process.cpu_seconds(who) for who in self._members}
        worked = sum(seconds - self._spent.get(who, 0.0) for who, seconds in spent.items())
        enough = max(SHARE * (self._awake - self._spent_at), TICKS / os.sysconf("SC_CLK_TCK"))
        if sizes != self._sizes or worked >= enough:
            self._since = self._awake
        self._sizes, self._spent, self._spent_at = sizes, spent, self._awake

    def _measure(self) -> list[int]:
        sizes = []
        for name in _WRITTEN:
            try:
                sizes.append(os.stat(name, dir_fd=self._folder.fd).st_size)
            except OSError:
                sizes.append(0)
        return sizes

    def _tell(self, halted: tuple[int, ...]) -> None:
        """Write into the journal what is new: that it is quiet, or that it goes on."""
        is_quiet = bool(halted) or 0 < self._says <= self._quiet
        found = halted if is_quiet else None
        if found == self._told:
            return
        self._told = found
        since = time.time() - self._quiet if is_quiet else None
        before = self._measure()
        cells = self._folder.open(paths.CELLS, os.O_WRONLY | os.O_APPEND)
        cell = running_cell(self._folder)
        journal.Journal(cells).write(journal.QUIET, since=since, ordinal=cell, halted=list(halted))
        os.close(cells)
        # Our own line is no sign of life.
        pairs = zip(self._sizes, self._measure(), before, strict=True)
        self._sizes = [size + now - then for size, now, then in pairs]
