"""Stop, pause, jobs, and waiting for ends; what goes on again is in `again`."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from nbbg import executors, model, process
from nbbg.classes import dataclass
from nbbg.errors import UsageError
from nbbg.ops import asking, selection
from nbbg.store import batches, changes, runs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from nbbg.index import Index
    from nbbg.ops.project import Project

LOOK = 0.1  # seconds
ASK = 1.0  # seconds between two questions about what ends elsewhere


@dataclass(frozen=True)
class Asked:
    """What `stop` ends."""

    waiting: list[int]  # the ids of runs that will not start
    live: list[model.Run]  # which may still be ending


def stop(
    project: Project, index: Index, names: Sequence[str], *, after_run: bool = False, by: str
) -> Asked:
    """Ask runs, or whole batches, to stop.

    Raises:
        UsageError: a name means nothing here, or `after_run` is asked of a single run.
    """
    chosen = selection.numbers(index, names)
    meant = set(chosen)
    # What is in a line, too: with its batch it is stopped at once, and its line must be told.
    in_line = {run.id for run in index.open() if isinstance(run.state, model.Submitted)}
    waiting = _queued(index, chosen) | in_line & meant
    whole = [int(name[1:]) for name in names if selection.is_batch(name)]
    if after_run and len(whole) < len(names):
        message = "--after-run is for whole batches, such as b3: what runs goes on, nothing starts"
        raise UsageError(message)
    at_work = {run.batch for run in index.open() if not run.ended}
    for number in whole:
        if number in at_work or waiting.intersection(index.waiting(number)):
            batches.ask_to_stop(project.store.batch(number), by, after_run=after_run)
    # Looked at again: a run that was started meanwhile must be asked too.
    index.refresh()
    live = [run for run in index.open() if run.id in meant and _lives(run)]
    for run in live:
        if not after_run:
            batches.ask_to_stop(Path(run.folder), by)
    for number in sorted(_queued(index, chosen)):
        if found := index.run(number):
            _stop_queued(project, found, by)
            waiting.add(number)
    return Asked(sorted(waiting - {run.id for run in live}), live)


def settled(index: Index, asked: Asked) -> Asked:
    """The same after schedulers were told: elsewhere what seemed to wait may have begun.

    Where that is not reached, nobody knows.
    """
    numbers = [*asked.waiting, *(run.id for run in asked.live)]
    if not any(executors.scheduler(index.batch(n).executor) for n in index.batches_of(numbers)):
        return asked
    index.refresh()
    asking.refresh(index, fresh=0.0)
    known = {run.id: run for number in numbers if (run := index.run(number))}
    begun = [run for number in asked.waiting if (run := known.get(number)) and _lives(run)]
    live = [known.get(run.id, run) for run in asked.live]
    ids = {run.id for run in begun}
    return Asked([number for number in asked.waiting if number not in ids], [*live, *begun])


def _has_no_room(run: model.Run) -> bool:
    return isinstance(run.state, model.Running) and run.state.no_room


def _lives(run: model.Run) -> bool:
    if isinstance(run.state, model.Unknown):  # it is told when its place is reached again
        return executors.scheduler(run.executor) is not None
    return isinstance(run.state, model.Submitted | model.Running)


def _queued(index: Index, chosen: Sequence[int]) -> set[int]:
    """Those of the runs that wait, and not in a stopped batch."""
    found = {run.id for run in index.open() if isinstance(run.state, model.Queued)}
    for batch in index.batches_of(chosen):
        if not index.stopped_by(batch):
            found.update(index.waiting(batch))
    return found.intersection(chosen)


def pause(project: Project, index: Index, names: Sequence[str], by: str) -> list[model.Batch]:
    """Nothing more of these batches starts, what runs goes on; those that this changes.

    Those that are paused already, or have nothing left to start, stay as they are.

    Raises:
        UsageError: a name is none of a batch.
    """
    found = selection.batches(index, names, "nbbg stop 7, for a single run")
    paused = [
        batch
        for batch in found
        if model.AT_WORK & index.counts(batch.id).keys() and not course(project, batch).paused_at
    ]
    for batch in paused:
        changes.pause(project.store.batch(batch.id), by)
    return paused


def set_jobs(
    project: Project, index: Index, names: Sequence[str], jobs: int, by: str
) -> list[model.Batch]:
    """From now on so many of these batches at a time; nothing that runs is ended.

    Raises:
        UsageError: a name is none of a batch.
    """
    found = selection.batches(index, names, "how many at a time is a batch's: nbbg jobs b3 8")
    for batch in found:
        changes.set_jobs(project.store.batch(batch.id), jobs, by)
    return found


def whoever() -> str:
    """Who types this: `you@host`."""
    import getpass

    try:
        name = getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        name = str(os.getuid())
    return f"{name}@{process.host()}"


def course(project: Project, batch: model.Batch) -> changes.Course:
    """What holds for a batch now: its jobs, whether it is paused."""
    return changes.read(project.store.batch(batch.id), batch)


def wait_for_end(
    index: Index, chosen: Iterable[model.Run], seconds: float, tell: Callable[[model.Run], None]
) -> list[model.Run]:
    """Wait until the runs have ended, telling each; those that have not after `seconds`.

    One that is over, and that a full disk keeps from saying so, is not waited for.
    """
    left = {run.id for run in chosen}
    deadline = time.monotonic() + seconds
    while left and time.monotonic() < deadline:
        index.refresh()
        asking.refresh(index, fresh=ASK)
        for number in sorted(left):
            run = index.run(number)
            if run is None or run.ended or _has_no_room(run):
                left.discard(number)
                if run:
                    tell(run)
        if left:
            time.sleep(LOOK)
    return [run for number in sorted(left) if (run := index.run(number))]


def _stop_queued(project: Project, run: model.Run, by: str) -> None:
    # The hint comes first: a run that was looked at too often is no harm, a missed one is. If a
    # supervisor is starting it meanwhile, its runner will see that it was stopped.
    batches.add_event(project.store, run.batch, "stopped", run.id, run.attempt or 1)
    _, folder = runs.open_attempt(project.store, run.batch, run.id)
    batches.ask_to_stop(folder, by)
    if run.again:  # which the supervisor may have looked at too early
        batches.add_event(project.store, run.batch, "stopped", run.id, run.attempt)
