"""Asking executors about what can't be seen from this machine, before anything is told of it.

Of one that does not answer its runs are unknown, with the reason, until it answers again.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from nbbg import executors, files, model, paths
from nbbg.errors import NbbgError
from nbbg.index import Index
from nbbg.store import batches, hearsay, runs, submissions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from nbbg.executors import Scheduler
    from nbbg.store.place import Store

CANCELLED = "cancelled"  # the reason of what somebody has taken out of the line


@contextlib.contextmanager
def index(store: Store) -> Iterator[Index]:
    """The runs of a store as they are now, also as schedulers tell of them."""
    with Index(store) as opened:
        refresh(opened)
        yield opened


def refresh(index: Index, *, fresh: float = hearsay.FRESH) -> list[str]:
    """Ask about each batch that is at work elsewhere, and take its records in.

    Args:
        index: is refreshed where anything came.
        fresh: seconds for which an answer is good enough, at the pace of the default.

    Returns:
        A sentence for each executor that could not be asked.
    """
    stale: dict[str, list[model.Batch]] = {}
    for batch in _elsewhere(index):
        if not hearsay.is_fresh(index.store.batch(batch.id), fresh):
            stale.setdefault(batch.executor, []).append(batch)
    troubles = []
    for name, found in stale.items():
        try:
            scheduler = executors.scheduler(name)
            assert scheduler is not None  # noqa: S101 - `_elsewhere` has looked
            troubles += _refresh(index, found, scheduler)
        except (NbbgError, OSError) as error:
            troubles.append(f"{name}: {error}")
    if stale:
        index.refresh()
    return troubles


def _refresh(index: Index, found: Sequence[model.Batch], scheduler: Scheduler) -> list[str]:
    """Fetch, and then ask about all at once; what could not be fetched."""
    troubles = []
    try:
        scheduler.fetch([index.store.batch(batch.id).resolve() for batch in found])
    except NbbgError as fault:  # it says so of the runs too
        troubles.append(str(fault))
    for batch in found:
        _discover(index, batch)
    _ask(index, found, scheduler)
    return troubles


def is_in_line(index: Index, batch: model.Batch) -> bool:
    """Whether a scheduler has runs of that batch that it will start."""
    if executors.scheduler(batch.executor) is None:
        return False
    return not {model.Submitted.word, model.Unknown.word}.isdisjoint(index.counts(batch.id))


def _elsewhere(index: Index) -> Iterator[model.Batch]:
    """The batches of schedulers with runs that have not ended."""
    for number in index.unfinished():
        batch = index.batch(number)
        if executors.scheduler(batch.executor) and not _is_over(index, batch):
            yield batch


def _is_over(index: Index, batch: model.Batch) -> bool:
    open_runs = any(run.batch == batch.id and not run.ended for run in index.open())
    return not open_runs and not index.waiting(batch.id)


def _discover(index: Index, batch: model.Batch) -> None:
    """Tell the index of runs that were started without a supervisor, which would have told it."""
    new = set(index.waiting(batch.id))
    with os.scandir(index.store.batch(batch.id) / paths.RUNS) as entries:
        begun = [int(entry.name) for entry in entries if files.is_number(entry.name)]
    for run in sorted(new.intersection(begun)):
        attempt = runs.newest_attempt(index.store.run(batch.id, run))
        if attempt:
            batches.add_event(index.store, batch.id, "starting", run, attempt)
    index.refresh()


def _ask(index: Index, found: Sequence[model.Batch], scheduler: Scheduler) -> None:
    tickets = {batch.id: _tickets(index, batch) for batch in found}
    told = scheduler.poll([ticket for some in tickets.values() for ticket in some.values()])
    for batch in found:
        mine = tickets[batch.id]
        said = {name: told[ticket] for name, ticket in mine.items()}
        folder = index.store.batch(batch.id)
        fates = _fates(index, folder, said, scheduler)
        hearsay.write(folder, {**said, **fates})
        for name, one in fates.items():
            if one.reason.startswith(CANCELLED):
                run = int(name.partition("/")[0])
                _note_cancelled(index, batch, run, f"{mine[name]} left the line: {one.reason}")


def _fates(
    index: Index, folder: Path, said: Mapping[str, model.Told], scheduler: Scheduler
) -> dict[str, model.Told]:
    """More of those that are gone and had not begun, by their names."""
    gone = {}
    for name, one in said.items():
        if one.word is model.Word.GONE:
            run = index.run(int(name.partition("/")[0]))
            # Where it had begun, its runner tells; of what was stopped all is known.
            if run is not None and not run.host and not isinstance(run.state, model.Ended):
                gone[run.id] = name
    found = scheduler.fates(folder.resolve(), gone) if gone else {}
    named = {gone[run]: one for run, one in found.items() if run in gone}
    # That it left no trace says no more than its scheduler, which may have lost it.
    return {
        name: one for name, one in named.items() if one.reason != CANCELLED or one == said[name]
    }


def _tickets(index: Index, batch: model.Batch) -> Mapping[str, str]:
    """By the names that hearsay has: `RUN/ATTEMPT`, or the run's id where it was never started."""
    made = submissions.of(index.store.batch(batch.id).resolve())
    found = {}
    for run in index.open():
        # Of what is lost by an executor's word, too: without it that would be unknown again.
        is_open = not run.ended or isinstance(run.state, model.Lost)
        if run.batch == batch.id and run.attempt and is_open:
            path = index.store.run(batch.id, run.id) / str(run.attempt)
            if ticket := _ticket(path) or _newest(made, run.id):
                found[f"{run.id}/{run.attempt}"] = ticket
    for number in index.waiting(batch.id):
        if ticket := _newest(made, number):
            found[str(number)] = ticket
    return found


def _ticket(attempt: Path) -> str:
    try:
        with files.Folder(attempt) as folder:
            record = folder.read_json(paths.TICKET)
        return executors.ticket_of(record) if record else ""
    except (OSError, ValueError, KeyError):
        return ""


def _newest(made: list[submissions.Submission], run: int) -> str:
    found = submissions.newest(made, run)
    return found.ticket(run) if found else ""


def _note_cancelled(index: Index, batch: model.Batch, run: int, by: str) -> None:
    """A stop, which is a fact before the scheduler forgets it."""
    _, path = runs.open_attempt(index.store, batch.id, run)
    batches.add_event(index.store, batch.id, "stopped", run, int(path.name))
    batches.ask_to_stop(path, by)
