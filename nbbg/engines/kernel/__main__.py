"""`python -m nbbg.engines.kernel ABS_ATTEMPT_DIR`: execute one attempt's notebook in a kernel."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

from nbbg.engines.kernel.spawn import Spawned
from nbbg.engines.kernel.task import read

if TYPE_CHECKING:
    from types import FrameType

    from nbbg.engines.kernel.task import Task


def start(attempt: str) -> int:
    """Execute the notebook of an attempt; the exit code, negative for a signal.

    A Python kernel is started first, and starts while this process imports what speaks to it.
    """
    came: list[int] = []  # signals, until there is something to interrupt

    def note(number: int, _: FrameType | None) -> None:
        came.append(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, note)
    # Who asks a kernel what it is has ipykernel import a debugger, which warns into the log.
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    task: Task | Exception
    try:
        task = read(attempt)
    except (OSError, ValueError, KeyError) as error:
        task = error
    spawned = None if isinstance(task, Exception) or not task.python else Spawned(task)
    from nbbg.engines.kernel import program

    if isinstance(task, Exception):
        return program.refuse(attempt, task)
    return program.execute(task, spawned, came)


def end_as(status: int) -> None:
    """End as the kernel ended, so that the runner sees the signal, and asks about memory."""
    if status < 0:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if -status != signal.SIGKILL:
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    sys.exit(status)


if __name__ == "__main__":
    end_as(start(sys.argv[1]))
