"""In a tmux pane the runner shows the log as it grows. A view: losing the terminal loses nothing."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from nbbg import paths

if TYPE_CHECKING:
    from nbbg.files import Folder


class Pane:
    """Copies what the log gains to this process's terminal, if it has one."""

    def __init__(self, folder: Folder) -> None:
        self.log = folder.open(paths.LOG, os.O_RDONLY) if _has_terminal() else -1

    def show(self) -> None:
        """Show what is new."""
        try:
            while self.log >= 0 and (piece := os.read(self.log, 1 << 16)):
                os.write(1, piece)
        except OSError:  # the terminal is gone
            os.close(self.log)
            self.log = -1


def _has_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()
