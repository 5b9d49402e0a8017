"""Going on: what was stopped, lost, paused or has failed is set going by `resume` and `retry`."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING

from nbbg import files, model, paths
from nbbg.classes import dataclass
from nbbg.errors import EnvironmentFault, UsageError
from nbbg.ops import selection, steer, supervision
from nbbg.runner.stopping import sweep
from nbbg.store import batches, changes, runs, state

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nbbg.index import Index
    from nbbg.ops.project import Project

LATER = 1e-3  # seconds, by which a file's time can be told from another
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


def go_on(project: Project, index: Index, names: Sequence[str], by: str) -> list[model.Batch]:
    """Take back the pause of the named batches, or of all; those that this changes.

    Raises:
        UsageError: the exit file of one is there.
    """
    whole = {int(name[1:]) for name in names if selection.is_batch(name)}
    paused = [
        batch
        for batch in index.batches()
        if (batch.id in whole or not names) and steer.course(project, batch).paused_at
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


def _held_at(project: Project, batch: model.Batch) -> float:
    """When the batch was stopped or paused, seconds since the epoch; 0 where it is neither."""
    stopped_at = batches.stop_of(project.store.batch(batch.id))[1]
    return max(stopped_at, steer.course(project, batch).paused_at)


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
