"""Which attempt a runner is to carry out that was given the run alone, as a scheduler does.

A scheduler may start the same task again (`SLURM_RESTART_COUNT`): then what was begun is over, by
its word, and the next attempt goes on.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING

from nbbg import files, model, paths, process
from nbbg.store import batches, changes, place, runs, state

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

BY_SLURM = "Slurm"  # how the reason begins of what Slurm, and no nbbg, has stopped
TIME_LIMIT = f"{BY_SLURM}'s limit of time"
CANCELLED = f"{BY_SLURM}: scancel, or preemption"
JOB, TASK = "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID"
RESTARTS = "SLURM_RESTART_COUNT"


def open_run(run: Path, environment: Mapping[str, str] = os.environ) -> Path | None:
    """The folder of the attempt to carry out; None where there is nothing to do."""
    batch = run.parents[1]
    store, number = place.of_batch(batch), int(run.name)
    if _is_held(batch, run):
        return None
    attempt, path = runs.open_attempt(store, int(batch.name), number)
    with files.Folder(path) as folder:
        found = state.derive(folder)
        has_begun = folder.exists(paths.PROCESS)
    if has_begun:
        if not (int(environment.get(RESTARTS, "0") or 0) and _goes_on(found)):
            return None
        with contextlib.suppress(FileExistsError):
            runs.new_attempt(store, int(batch.name), number, attempt + 1)
        path = run / str(attempt + 1)
    # A reader finds first attempts by itself; further ones of a run that it knows, it is told of.
    if path.name != "1":
        batches.add_event(store, int(batch.name), "starting", number, int(path.name))
    _note_ticket(path, environment)
    return path


def _is_held(batch: Path, run: Path) -> bool:
    """Whether its batch was stopped or paused since the run was asked for."""
    stopped_at = batches.stop_of(batch)[1]
    held_at = max(stopped_at, changes.read(batch, batches.read_folder(batch)).paused_at)
    newest = runs.newest_attempt(run)
    return bool(held_at) and (not newest or (run / str(newest)).stat().st_mtime <= held_at)


def _goes_on(found: model.RunState) -> bool:
    """Whether a run whose task is started again has not come to an end that counts."""
    if isinstance(found, model.Stopped):
        return found.by.startswith(BY_SLURM)
    return not isinstance(found, model.Ended)


def _note_ticket(attempt: Path, environment: Mapping[str, str]) -> None:
    """The task that carries the attempt; where it was noted at the submission, that stays."""
    me = process.identity(os.getpid())
    assert me is not None  # noqa: S101 - this process lives
    record = {
        "job": f"{environment.get(JOB, '')}_{environment.get(TASK, '')}",
        "pid": me.pid,
        "start_time": me.start_time,
        "host": process.host(),
        "machine": process.machine(),
        "boot": process.boot_id(),
        "at": time.time(),
    }
    with files.Folder(attempt) as folder, contextlib.suppress(FileExistsError):
        folder.write_once(paths.TICKET, files.to_json(record))
