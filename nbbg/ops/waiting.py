"""Waiting for runs: until all have ended, until a time is over, or until nobody is at it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from nbbg import executors, model
from nbbg.errors import Abandoned
from nbbg.ops import asking
from nbbg.store import batches, changes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from nbbg.index import Index

LOOK = 0.2  # seconds
# Seconds between two questions to a scheduler: at first, then, and where nobody is at it.
FIRST, ASK, ASK_ALONE = 1.0, 10.0, 2.0
PATIENCE = 3.0  # seconds in which a supervisor that was just started must show itself
LONG_PATIENCE = 15.0  # and a scheduler must have a run in its line that it starts again


def as_they_end(
    index: Index, numbers: Iterable[int], timeout: float | None = None
) -> Iterator[model.Run]:
    """Each of the runs when it has ended; `timeout` in seconds.

    What waits for another attempt, or in a paused batch, has not ended.

    Raises:
        TimeoutError: the time is over, and some have not ended.
        Abandoned: all that is left is queued, and there is no supervisor to start it.
    """
    left, mark = set(numbers), 0
    around = index.batches_of(left)
    whole = [each for each in map(index.batch, around) if {each.first, each.last} <= left]
    deadline = None if timeout is None else time.monotonic() + timeout
    alone_since: float | None = None
    began = time.monotonic()
    while True:
        index.refresh()
        often = min(ASK, FIRST + (time.monotonic() - began) / 10)  # a short run is soon noticed
        asking.refresh(index, fresh=min(ASK_ALONE, often) if alone_since else often)
        news, mark = _news(index, around, mark)
        for number in sorted(left.intersection(news)):
            run = index.run(number)
            if run is not None and run.ended:
                left.discard(number)
                yield run
        if not left and not any(_looks(index, batch) for batch in whole):
            return
        now = time.monotonic()
        if deadline is not None and now >= deadline:
            raise TimeoutError
        at_it = _lives(index, left) or _supervised(index, left)
        alone_since = None if at_it else (alone_since or now)
        if left and alone_since and now - alone_since > _patience(index, around):
            count = "1 run is" if len(left) == 1 else f"{len(left)} runs are"
            message = f"{count} queued, and nobody starts what waits\nstart it: nbbg resume"
            raise Abandoned(message)
        time.sleep(LOOK if deadline is None else max(0.0, min(LOOK, deadline - now)))


def _news(index: Index, around: Iterable[int], mark: int) -> tuple[set[int], int]:
    """Runs that may have ended since the mark, and the next mark; not all runs at every look."""
    found = {run.id for run in index.open() if run.ended}
    for number, closed in index.closed_since(mark):
        found.add(number)
        mark = closed
    for batch in around:
        if index.stopped_by(batch):  # what waits in a stopped batch has ended by that
            found.update(index.waiting(batch))
        found.update(index.needless(batch))
    return found, mark


def _looks(index: Index, batch: model.Batch) -> bool:
    """Whether somebody is about to look whether the batch is decided."""
    if batch.until is None or index.verdict(batch.id) or index.stopped_by(batch.id):
        return False
    folder = index.store.batch(batch.id)
    paused = changes.read(folder, batch).paused_at
    return not paused and batches.supervisor_pid(folder) is not None


def _lives(index: Index, left: Collection[int]) -> bool:
    begun = (run for run in index.open() if run.id in left)
    return any(not run.ended and not isinstance(run.state, model.Queued) for run in begun)


def _patience(index: Index, around: Iterable[int]) -> float:
    names = {index.batch(number).executor for number in around}
    return LONG_PATIENCE if any(map(executors.scheduler, names)) else PATIENCE


def _supervised(index: Index, left: Collection[int]) -> bool:
    """Whether somebody is at it; or somebody has paused it, and will go on."""
    folders = [(number, index.store.batch(number)) for number in index.batches_of(left)]
    return any(
        batches.supervisor_pid(folder) is not None
        or changes.read(folder, index.batch(number)).paused_at
        or asking.is_in_line(index, index.batch(number))
        for number, folder in folders
    )
