"""`local`: a detached process on this machine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nbbg import paths, process
from nbbg.errors import EnvironmentFault
from nbbg.executors import Ticket
from nbbg.executors.here import Here

if TYPE_CHECKING:
    from pathlib import Path


class Local(Here):
    """Starts each runner in a session of its own."""

    def submit(self, attempt: Path) -> Ticket:
        """Start a runner; what it says of itself goes to the supervisor's log."""
        argv = process.own_program("nbbg.runner", str(attempt))
        log = attempt.parents[2] / paths.SUPERVISOR_LOG
        try:
            pid = process.spawn_detached(argv, str(log), os.environ)
        except OSError as error:
            message = f"a runner can't be started: {error.strerror}"
            raise EnvironmentFault(message) from error
        return Ticket(process.identity(pid))


EXECUTOR = Local()
