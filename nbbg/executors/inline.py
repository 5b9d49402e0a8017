"""`inline`: in this very process, one after the other, for a debugger.

`breakpoint()` in a cell, or a breakpoint in a library, stops in the terminal that typed
`nbbg run`. No promise about what survives holds here.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from nbbg import journal, paths, process
from nbbg.executors import Ticket
from nbbg.executors.here import Here
from nbbg.runner.attempt import carry_out
from nbbg.runner.work import Exit

if TYPE_CHECKING:
    from pathlib import Path

    from nbbg.files import Folder
    from nbbg.runner.work import Work


class Inline(Here):
    """Carries the attempt out before `submit` returns."""

    detached = False

    def submit(self, attempt: Path) -> Ticket:
        """Execute the notebook here and now."""
        carry_out(attempt, _execute)
        return Ticket(None)


def _execute(folder: Folder, work: Work) -> Exit:
    from nbbg.engines import ipython

    for name in (paths.LOG, paths.CELLS):
        os.close(folder.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND))
    cells = folder.open(paths.CELLS, os.O_WRONLY | os.O_APPEND)
    me = process.identity(os.getpid())
    assert me is not None  # noqa: S101 - this process lives
    journal.Journal(cells).write("engine", pid=me.pid, start_time=me.start_time, engine="ipython")
    os.close(cells)
    before, began = os.environ.copy(), time.process_time()
    cwd = os.getcwd()
    try:
        os.environ.clear()
        os.environ.update(work.environment)
        os.chdir(work.run.arm.cwd)
        ipython.run(folder.path, terminal=True)
    finally:
        os.chdir(cwd)
        os.environ.clear()
        os.environ.update(before)
    return Exit(0, time.time(), cpu_seconds=time.process_time() - began)


EXECUTOR = Inline()
