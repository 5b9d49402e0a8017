"""Where the code of a run stands: its process writes that down when a certain signal comes.

faulthandler does it in the signal's own handler, so it works while C code holds the GIL. The
signal is one of those that have no name and that hardly anything uses. Runs in the user's own
interpreter: standard library, Python 3.8.
"""

from __future__ import annotations

import faulthandler
import os
import signal
from typing import TYPE_CHECKING

from nbbg import paths

if TYPE_CHECKING:
    from nbbg import files

SIGNAL = int(signal.SIGRTMIN) + 11 if hasattr(signal, "SIGRTMIN") else 0
HEAD = "# "  # of the line that stands before each answer


def answer(folder: files.Folder) -> None:
    """From now on, write the stacks of all threads into the folder when the signal comes."""
    if SIGNAL:
        fd = folder.open(paths.STACKS, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        faulthandler.register(SIGNAL, fd, all_threads=True, chain=False)
