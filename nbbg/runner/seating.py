"""The slots of a run: taken before its attempt is claimed, waited for where none is free.

Whoever came first goes first, roughly: a slot that is free and not taken by those who came
earlier (they may want another, or more memory) is not left unused for long.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from nbbg import files, paths
from nbbg.store import batches, changes, requests, slots
from nbbg.store.line import Line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbbg import model
    from nbbg.store.slots import Seat, Slots

SOON, LATER = 0.02, 0.3  # seconds between two looks, from the first on
PATIENCE = 1.0  # seconds for which a free slot is left to whoever came earlier
TELLS = 0.2  # seconds of waiting after which it is said


def take(
    folder: files.Folder, batch: model.Batch, order: Mapping[str, str], since: float, marker: str
) -> Seat:
    """The slots of a run; none where it needs none, or is not to be started any more.

    Args:
        folder: of the attempt.
        batch: of the run.
        order: the environment of the run.
        since: when it was decided to start it, seconds since the epoch.
        marker: of the run's environment.

    Raises:
        EnvironmentFault: there can't be any.
    """
    if not slots.needed(batch):
        return slots.Seat()
    found = slots.Slots(batch, order)
    line = Line(found.folder, batch)
    try:
        return _Wait(folder, batch, since, found, line).until_seated(marker)
    finally:
        line.leave()
        found.close()


class _Wait:
    """The waiting of one runner."""

    def __init__(
        self, folder: files.Folder, batch: model.Batch, since: float, found: Slots, line: Line
    ) -> None:
        self._folder, self._batch, self._since = folder, batch, since
        self._slots, self._line = found, line
        self._began = time.monotonic()
        self._free_since: float | None = None
        self._told = False

    def until_seated(self, marker: str) -> Seat:
        nap = SOON
        while not self._is_over():
            if self._may_go() and (seat := self._slots.take(marker)):
                return seat
            if not self._told and time.monotonic() - self._began > TELLS:
                self._tell()
            time.sleep(nap * (0.8 + os.urandom(1)[0] / 640))  # so that not all look at once
            nap = min(2 * nap, LATER)
        return slots.Seat()

    def _may_go(self) -> bool:
        """Whether nobody came earlier, or those who did leave free what there is."""
        if self._is_held():
            self._line.leave()  # which others need not wait behind
            return False
        self._line.join()
        if self._line.is_first():
            return True
        now = time.monotonic()
        if not self._slots.free():
            self._free_since = None
            return False
        self._free_since = self._free_since or now
        return now - self._free_since > PATIENCE

    def _is_held(self) -> bool:
        """Whether its batch is paused since, or has fewer jobs since and so many at work."""
        with contextlib.suppress(OSError):
            course = changes.read(Path(self._folder.where()).parents[2], self._batch)
            return bool(course.paused_at) or self._slots.at_work() >= course.jobs
        return False

    def _is_over(self) -> bool:
        """Whether it was asked to stop, with its batch or alone, or another runner has the run."""
        with contextlib.suppress(OSError):  # a full disk, or a project in the middle of a move
            with files.Folder(Path(self._folder.where()).parents[2]) as batch:
                asked = requests.stop_request(batch)
            if asked and asked["at"] >= self._since:
                batches.put_stop(self._folder, asked["by"])
        return self._folder.exists(paths.STOP) or self._folder.exists(paths.PROCESS)

    def _tell(self) -> None:
        self._told = True
        missing = self._slots.missing()
        if sys.stderr and sys.stderr.isatty():  # a pane of tmux, or the terminal of `inline`
            sys.stderr.write(f"waiting for {missing}\n")
        record = {"for": missing, "at": time.time()}
        with contextlib.suppress(OSError):  # it is there, or the disk is full
            self._folder.write_once(paths.WAITING, files.to_json(record))
