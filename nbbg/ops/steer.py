"""Stop, resume and retry. Only these and `run` start or end anything."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nbbg import files, journal, model, paths
from nbbg.errors import UsageError
from nbbg.ops import selection, supervision
from nbbg.runner.stopping import Stopping, sweep
from nbbg.store import batches, runs, state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from nbbg.index import Index
    from nbbg.ops.project import Project

LOOK = 0.1  # seconds


@dataclass(frozen=True)
class Started:
    """What `resume` or `retry` set going."""

    runs: list[model.Run]
    batches: list[model.Batch]


def stop(
    project: Project, index: Index, names: Sequence[str], *, after_run: bool = False, by: str
) -> list[model.Run]:
    """Ask runs, or whole batches, to stop; the runs that this ends, which may still be ending.

    Raises:
        UsageError: a name means nothing here, or `after_run` is asked of a single run.
    """
    waiting = {
        run.id: run
        for run in selection.select(index, names)
        if isinstance(run.state, model.Queued)
    }
    whole = [int(name[1:]) for name in names if selection.is_batch(name)]
    if after_run and len(whole) < len(names):
        message = "--after-run is for batches (such as b3): what a single run has begun, it ends"
        raise UsageError(message)
    for number in whole:
        batches.ask_to_stop(project.store.batch(number), by, after_run=after_run)
    # Looked at again: a run that was started meanwhile must be asked too.
    index.refresh()
    asked = []
    for run in selection.select(index, names):
        if isinstance(run.state, model.Submitted | model.Running):
            if not after_run:
                batches.ask_to_stop(Path(run.folder), by)
            asked.append(run)
        elif isinstance(run.state, model.Queued):
            _stop_queued(project, run, by)
            asked.append(run)
        elif run.id in waiting and isinstance(run.state, model.Stopped):
            asked.append(waiting[run.id])  # by what its batch was told above
    return asked


def end_orphans(stopped: Iterable[model.Run]) -> None:
    """Carry out the stop where the runner, whose work that is, was killed."""
    for run in stopped:
        if not (isinstance(run.state, model.Running) and not run.state.runner_alive):
            continue
        with files.Folder(run.folder) as folder:
            claim = state.read_claim(folder)
            engine = journal.first(journal.read_head(folder, paths.CELLS), "engine")
            if claim is None or engine is None:
                continue
            who = model.Identity(engine["pid"], engine["start_time"])
            stopping = Stopping(folder, who, claim.marker, grace=2.0)
            while isinstance(state.derive(folder), model.Running):
                stopping.step(time.monotonic())
                time.sleep(LOOK)
            sweep(folder, grace=2.0)


def resumable(index: Index, names: Sequence[str]) -> list[model.Run]:
    """The queued, stopped and lost runs among those named, or of the whole project."""
    words = (model.Queued.word, *model.RESUMABLE)
    return [run for run in _chosen(index, names) if run.state.word in words]


def retriable(index: Index, names: Sequence[str]) -> list[model.Run]:
    """The failed, exited, killed and timed-out runs among those named, or of the whole project."""
    return [run for run in _chosen(index, names) if run.state.word in model.UNSUCCESSFUL]


def start_again(project: Project, index: Index, chosen: Iterable[model.Run]) -> Started:
    """Queue a new attempt of each that has ended, and see that its batch has a supervisor."""
    chosen = list(chosen)
    touched = [index.batch(number) for number in sorted({run.batch for run in chosen})]
    for batch in touched:
        batches.take_back_stop(project.store, batch.id)
    for run in chosen:
        if run.attempt and not isinstance(run.state, model.Queued):
            _queue(project, run)
    for batch in touched:
        supervision.ensure(project, batch)
    return Started(chosen, touched)


def wait_for_end(
    index: Index, chosen: Iterable[model.Run], seconds: float, tell: Callable[[model.Run], None]
) -> list[model.Run]:
    """Wait until the runs have ended, telling each; those that have not after `seconds`."""
    left = {run.id for run in chosen}
    deadline = time.monotonic() + seconds
    while left and time.monotonic() < deadline:
        index.refresh()
        for number in sorted(left):
            run = index.run(number)
            if run is None or run.ended:
                left.discard(number)
                if run:
                    tell(run)
        if left:
            time.sleep(LOOK)
    return [run for number in sorted(left) if (run := index.run(number))]


def _chosen(index: Index, names: Sequence[str]) -> list[model.Run]:
    """The named runs, or all; without those whose number a newer run of the arm has taken over."""
    if names:
        return selection.select(index, names)
    newest = {(run.arm.name, run.number): run for run in index.runs("word <> 'succeeded'")}
    return [run for run in newest.values() if not index.has_newer(run)]


def _stop_queued(project: Project, run: model.Run, by: str) -> None:
    # If a supervisor is starting it meanwhile, its runner will see that it was stopped.
    attempt, folder = runs.open_attempt(project.store, run.batch, run.id)
    batches.ask_to_stop(folder, by)
    batches.add_event(project.store, run.batch, "stopped", run.id, attempt)


def _queue(project: Project, run: model.Run) -> None:
    attempt = run.attempt + 1
    with files.Folder(run.folder) as folder:
        sweep(folder, grace=2.0)
        folder.remove(paths.ENVIRONMENT)  # of a runner that never read it
    with contextlib.suppress(FileExistsError):  # another command has just done the same
        runs.new_attempt(project.store, run.batch, run.id, attempt)
    batches.add_event(project.store, run.batch, "queued", run.id, attempt)
