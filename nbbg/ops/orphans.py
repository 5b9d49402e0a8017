"""Runs whose runner can't carry out a stop: it was killed, or halted with SIGSTOP."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

from nbbg import files, journal, model, paths, process
from nbbg.runner.stopping import Stopping, sweep
from nbbg.store import state

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nbbg.index import Index

LOOK = 0.1  # seconds
STUBBORN = 5.0  # seconds after the last step of a stop


def end(index: Index, stopped: Iterable[model.Run]) -> None:
    """Carry out the stop where the runner was killed; where it was halted, have it go on."""
    for run in stopped:
        with files.Folder(run.folder) as folder:
            if isinstance(run.state, model.Running) and not run.state.runner_alive:
                _end(folder, index.batch(run.batch).grace)
            else:
                _wake(folder)


def _wake(folder: files.Folder) -> None:
    """Have the runner go on, and its engine: halted while that is started, it halts the runner."""
    runner = next(filter(process.alive, state.members(folder)[:1]), None)
    if runner is None:
        return
    children = [each.identity for each in process.processes() if each.parent == runner.pid]
    for who in (runner, *children):
        if process.is_halted(who):
            process.send(who, signal.SIGCONT)


def _end(folder: files.Folder, grace: float) -> None:
    claim = state.read_claim(folder)
    if claim is None:
        return
    engine = journal.first(journal.read_head(folder, paths.CELLS), "engine")
    who = model.Identity(engine["pid"], engine["start_time"]) if engine else model.Identity(0, 0)
    stopping = Stopping(folder, who, claim.marker, grace)
    # Orphans without the marker can't be found any more when their parents are dead.
    tree = process.tree([who.pid], claim.marker, who.pid) if process.alive(who) else []
    deadline = time.monotonic() + 3 * grace + STUBBORN
    while isinstance(state.derive(folder), model.Running) and time.monotonic() < deadline:
        stopping.step(time.monotonic())
        time.sleep(LOOK)
    sweep(folder, grace=2.0)
    for member in tree:
        process.send(member, signal.SIGKILL)
