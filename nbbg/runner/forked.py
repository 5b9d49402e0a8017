"""The runner in a process that was forked from a template: see `nbbg.engines.ipython.template`.

All that a runner needs is imported here, once for all runs.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from nbbg import process
from nbbg.engines.kernel import spawn
from nbbg.errors import NbbgError
from nbbg.runner import guard, hiding, outcome, pane, stacks, stopping, trimming
from nbbg.runner.attempt import carry_out
from nbbg.runner.work import batch_in

if TYPE_CHECKING:
    from nbbg.runner.engine import Fork

LOADED = (guard, hiding, outcome, pane, spawn, stacks, stopping, subprocess, traceback, trimming)


def get_ready(batch: str) -> None:
    """Read ahead what is the same for all runs.

    Args:
        batch: its folder.
    """
    for known in (process.host, process.machine, process.boot_id, process.pid_namespace):
        known()
    with contextlib.suppress(NbbgError, LookupError):  # the runner says it
        batch_in(Path(batch))


def main(path: str, fork: Fork) -> int:
    """Carry the attempt in that folder out; the exit code of a runner.

    Args:
        path: absolute.
        fork: makes the engine of this process.
    """
    sys.argv = [str(Path(__file__).with_name("__main__.py")), path]
    return carry_out(Path(path), fork=fork)
