"""In a tmux pane the runner shows the log as it grows. A view: losing the terminal loses nothing.

Nor may it hold up the runner: a terminal that takes nothing is asked again later, and of a log
that grows faster than a terminal can show, the end is shown.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

from nbbg import paths

if TYPE_CHECKING:
    from nbbg.files import Folder

MOST = 1 << 18  # bytes that are shown in one go; what is older is passed over


class Pane:
    """Copies what the log gains to this process's terminal, if it has one."""

    def __init__(self, folder: Folder) -> None:
        self.log = folder.open(paths.LOG, os.O_RDONLY) if _has_terminal() else -1
        self.shown = 0
        if self.log >= 0:
            os.set_blocking(1, False)

    def show(self) -> None:
        """Show what is new."""
        if self.log < 0:
            return
        try:
            self._show()
        except OSError:  # the terminal is gone
            os.close(self.log)
            self.log = -1

    def _show(self) -> None:
        size = os.fstat(self.log).st_size
        self.shown = max(self.shown, size - MOST)
        with contextlib.suppress(BlockingIOError):
            while self.shown < size:
                piece = os.pread(self.log, min(1 << 16, size - self.shown), self.shown)
                self.shown += os.write(1, piece)


def _has_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()
