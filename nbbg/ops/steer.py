"""Stop, pause, resume, retry, jobs. Only these and `run` start or end anything."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from nbbg import executors, files, model, paths, process
from nbbg.classes import dataclass
from nbbg.errors import EnvironmentFault, UsageError
from nbbg.ops import asking, selection, supervision
from nbbg.runner.stopping import sweep
from nbbg.store import batches, changes, runs, state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from nbbg.index import Index
    from nbbg.ops.project import Project

LOOK = 0.1  # seconds
LATER = 1e-3  # seconds, by which a file's time can be told from another
ASK = 1.0  # seconds between two questions about what ends elsewhere
_NOT_DONE = "word <> 'succeeded'"
_NEWER = (
    "SELECT 1 FROM runs AS newer WHERE newer.arm = runs.arm AND newer.number = runs.number"
    " AND newer.id > runs.id"
)


@dataclass(frozen=True)
class Started:
    """What `resume` or `retry` set going."""

    runs: list[model.Run]
    batches: list[model.Batch]


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


def go_on(project: Project, index: Index, names: Sequence[str], by: str) -> list[model.Batch]:
    """Take back the pause of the named batches, or of all; those that this changes.

    Raises:
        UsageError: the exit file of one is there.
    """
    whole = {int(name[1:]) for name in names if selection.is_batch(name)}
    paused = [
        batch
        for batch in index.batches()
        if (batch.id in whole or not names) and course(project, batch).paused_at
    ]
    for batch in paused:
        supervision.refuse_exit_file(batch.exit_file)
    for batch in paused:
        changes.resume(project.store.batch(batch.id), by)
    return paused


def resumable(index: Index, names: Sequence[str]) -> list[model.Run]:
    """The queued, stopped and lost runs among those named, or of the whole project.

    Also those of which another attempt would follow by itself, had not their batch been stopped;
    of what a batch was decided without, only runs that are named one by one.
    """
    words = (model.Queued.word, *model.RESUMABLE)
    return [
        run
        for run in _chosen(index, names)
        if (run.state.word in words or run.again) and (not run.needless or str(run.id) in names)
    ]


def retriable(index: Index, names: Sequence[str], *, failed_alone: bool = False) -> list[model.Run]:
    """The failed, exited, killed and timed-out runs among those named, or of the whole project.

    Also what waits for its next attempt, which need not wait any longer, but for `failed_alone`.
    """
    return [
        run
        for run in _chosen(index, names)
        if run.state.word in model.UNSUCCESSFUL or (run.again and not failed_alone)
    ]


def start_again(
    project: Project,
    index: Index,
    chosen: Iterable[model.Run],
    *,
    by: str,
    also: Iterable[model.Batch] = (),
    at_once: bool = False,
) -> Started:
    """Queue a new attempt of each that has ended, and see that its batch has a supervisor.

    Args:
        project: where.
        index: of it.
        chosen: the runs.
        by: who says so.
        also: batches that need a supervisor beside those of the runs.
        at_once: also of what waits for its next attempt, which else keeps its delay.

    Raises:
        UsageError: the exit file of a batch is there.
        EnvironmentFault: a batch can't go on now; the others do.
    """
    chosen = list(chosen)
    numbers = {run.batch for run in chosen}.union(batch.id for batch in also)
    touched = [index.batch(number) for number in sorted(numbers)]
    for batch in touched:
        supervision.refuse_exit_file(batch.exit_file)
    mine: dict[int, list[model.Run]] = {batch.id: [] for batch in touched}
    for run in chosen:
        mine[run.batch].append(run)
    faults = []
    for batch in touched:
        if mine[batch.id]:
            _start_again(project, index, mine[batch.id], by, at_once=at_once)
        try:  # a machine that is away keeps nobody from going on elsewhere
            supervision.ensure(project, batch)
        except EnvironmentFault as fault:
            faults.append(fault)
    if len(faults) > 1:
        said = "; ".join(dict.fromkeys(str(fault).partition("\n")[0] for fault in faults))
        raise EnvironmentFault(f"{said}\nthe rest goes on; once that is mended: nbbg resume")
    if faults:
        raise faults[0]
    return Started(chosen, touched)


def _start_again(
    project: Project, index: Index, chosen: Sequence[model.Run], by: str, *, at_once: bool
) -> None:
    """Queue the chosen runs of one batch.

    Where the batch was stopped or paused, and others in it wait, for their first attempt or for a
    further one, it stays so, and the chosen go ahead; as they do where it was decided.
    """
    batch = chosen[0].batch
    others = {run.id for run in index.open() if run.batch == batch and run.again}
    others.update(index.waiting(batch))
    whole = others <= {run.id for run in chosen} and not index.verdict(batch)
    if whole:
        lift(project, index.batch(batch), by)
    held_at = _held_at(project, index.batch(batch))
    for run in chosen:
        by_itself = whole or isinstance(run.state, model.Queued)
        keeps_delay = run.again and by_itself and not at_once
        if (run.attempt or not whole) and not keeps_delay:
            _queue(project, run, held_at)


def lift(project: Project, batch: model.Batch, by: str) -> None:
    """Take back what holds a batch, if anything does; its failures are counted anew."""
    folder = project.store.batch(batch.id)
    if batches.stopped_by(project.store, batch.id) or changes.read(folder, batch).paused_at:
        changes.resume(folder, by)  # first: a supervisor that sees no stop must see this
        batches.take_back_stop(project.store, batch.id)


def missing_secrets(project: Project, index: Index, chosen: Iterable[model.Run]) -> list[str]:
    """The names of secrets that were there at launch, and are not here now."""
    now = supervision.now(project)
    known = {run.batch: index.batch(run.batch).facts.get("secrets", []) for run in chosen}
    return sorted({name for names in known.values() for name in names if name not in now})


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


def _chosen(index: Index, names: Sequence[str]) -> Iterator[model.Run]:
    """The named runs, or all; without those whose number a newer run of the arm has taken over."""
    meant = selection.numbers(index, names) if names else index.ids(_NOT_DONE)
    if not meant:
        return
    where = f"id BETWEEN ? AND ? AND {_NOT_DONE} AND NOT EXISTS ({_NEWER})"
    named = set(meant)
    found, cleaned = 0, None
    for run in index.each(where, (meant[0], meant[-1])):
        if run.id in named:
            if run.cleaned_at is None:
                found += 1
                yield run
            else:
                cleaned = run
    if names and cleaned and not found:
        again = f"nbbg run {cleaned.arm.notebook} --runs {cleaned.number}"
        message = f"{', '.join(names)}: cleaned, and can't be started again"
        raise UsageError(f"{message}\nits number anew: the same launch again, such as {again}")


def _stop_queued(project: Project, run: model.Run, by: str) -> None:
    # The hint comes first: a run that was looked at too often is no harm, a missed one is. If a
    # supervisor is starting it meanwhile, its runner will see that it was stopped.
    batches.add_event(project.store, run.batch, "stopped", run.id, run.attempt or 1)
    _, folder = runs.open_attempt(project.store, run.batch, run.id)
    batches.ask_to_stop(folder, by)
    if run.again:  # which the supervisor may have looked at too early
        batches.add_event(project.store, run.batch, "stopped", run.id, run.attempt)


def _held_at(project: Project, batch: model.Batch) -> float:
    """When the batch was stopped or paused, seconds since the epoch; 0 where it is neither."""
    stopped_at = batches.stop_of(project.store.batch(batch.id))[1]
    return max(stopped_at, course(project, batch).paused_at)


def _queue(project: Project, run: model.Run, after: float) -> None:
    """Make the next attempt, unless another command has set the run going since we looked.

    It counts as queued after that instant, seconds since the epoch.
    """
    folder = project.store.run(run.batch, run.id)
    attempt = runs.newest_attempt(folder)
    if attempt:
        with files.Folder(folder / str(attempt)) as opened:
            now = state.derive(opened)
            if isinstance(now, model.Submitted | model.Running | model.Unknown | model.Succeeded):
                return
            if not isinstance(now, model.Queued):
                sweep(opened, grace=2.0)
                opened.remove(paths.ENVIRONMENT)  # of a runner that never read it
                attempt += 1
    # A hint before it and one after: killed in between, the index would not look at the run again.
    batches.add_event(project.store, run.batch, "starting", run.id, attempt or 1)
    with contextlib.suppress(FileExistsError):  # it was queued already
        runs.new_attempt(project.store, run.batch, run.id, attempt or 1)
    at = max(time.time(), after + LATER)  # also where the clock was set back since
    os.utime(folder / str(attempt or 1), (at, at))
    batches.add_event(project.store, run.batch, "queued", run.id, attempt or 1)
