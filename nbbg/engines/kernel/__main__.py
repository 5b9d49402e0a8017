"""`python -m nbbg.engines.kernel ABS_ATTEMPT_DIR`: execute one attempt's notebook in a kernel."""

from __future__ import annotations

import logging
import os
import resource
import signal
import sys


def start(attempt: str) -> int:
    """Execute the notebook of an attempt; the exit code, negative for a signal."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # until there is something to interrupt
    logging.disable()  # standard error is the notebook's log
    from nbbg.engines.kernel.program import main

    return main(attempt)


def end_as(status: int) -> None:
    """End as the kernel ended, so that the runner sees the signal, and asks about memory."""
    if status < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if -status != signal.SIGKILL:
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    sys.exit(status)


if __name__ == "__main__":
    end_as(start(sys.argv[1]))
