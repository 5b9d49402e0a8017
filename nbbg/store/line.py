"""Who waits for slots, in the order in which they came: a place in it is gone with its process.

Each one holds the lock of one byte of a file, of which byte it tells how late it came. There is a
file for each thing that has slots.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from nbbg.store import locks, shared

if TYPE_CHECKING:
    from nbbg import model
    from nbbg.files import Folder


class Line:
    """A place in the line, for the slots that the runs of one batch need.

    Args:
        slots: the folder of the slots.
        batch: of the run.
    """

    def __init__(self, slots: Folder, batch: model.Batch) -> None:
        things = [*(["machine"] if batch.machine_jobs else []), *batch.gpus.values()]
        self._slots, self._names = slots, [shared.file_name("line", thing) for thing in things]
        self._held: list[int] = []
        self._at = 0

    def join(self) -> None:
        """Stand at its end, unless in it."""
        if not self._held:
            self._at = time.monotonic_ns()
            flags = os.O_RDWR | os.O_CREAT
            self._held = [self._slots.open(name, flags) for name in self._names]
            for fd in self._held:
                locks.take_byte(fd, self._at)

    def leave(self) -> None:
        """Leave it, for good or for a while."""
        while self._held:
            os.close(self._held.pop())

    def is_first(self) -> bool:
        """Whether nobody came earlier."""
        return not any(locks.is_held_before(fd, self._at) for fd in self._held)
