"""Waiting for runs: until all have ended, until a time is over, or until nobody is at it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from nbbg import model
from nbbg.errors import Abandoned
from nbbg.store import batches

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nbbg.index import Index

LOOK = 0.2  # seconds
PATIENCE = 3.0  # seconds in which a supervisor that was just started must show itself


def as_they_end(
    index: Index, numbers: Iterable[int], timeout: float | None = None
) -> Iterator[model.Run]:
    """Each of the runs when it has ended; `timeout` in seconds.

    Raises:
        TimeoutError: the time is over, and some have not ended.
        Abandoned: all that is left is queued, and there is no supervisor to start it.
    """
    left = set(numbers)
    deadline = None if timeout is None else time.monotonic() + timeout
    alone_since: float | None = None
    while True:
        index.refresh()
        for run in _ended(index, left):
            left.discard(run.id)
            yield run
        if not left:
            return
        now = time.monotonic()
        if deadline is not None and now >= deadline:
            raise TimeoutError
        alone_since = (alone_since or now) if _nobody_is_at_it(index, left) else None
        if alone_since and now - alone_since > PATIENCE:
            message = f"{len(left)} runs are queued and nobody starts them\nstart them: nbbg resume"
            raise Abandoned(message)
        time.sleep(LOOK if deadline is None else max(0.0, min(LOOK, deadline - now)))


def _ended(index: Index, left: Iterable[int]) -> list[model.Run]:
    found = (index.run(number) for number in sorted(left))
    return [run for run in found if run is not None and run.ended]


def _nobody_is_at_it(index: Index, left: Iterable[int]) -> bool:
    """Whether all that is left is queued in batches without a supervisor."""
    folders = set()
    for number in left:
        run = index.run(number)
        if run is None or not isinstance(run.state, model.Queued):
            return False
        folders.add(index.store.batch(run.batch))
    return all(batches.supervisor_pid(folder) is None for folder in folders)
