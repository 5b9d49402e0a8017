"""Asking executors about what can't be seen from this machine, before anything is told of it.

Off this machine and with a link that is cut, what was said last holds for a while, with its time.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from nbbg import executors, files, model, paths
from nbbg.errors import NbbgError
from nbbg.store import hearsay

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from nbbg.index import Index

FRESH = 3.0  # seconds for which an answer is not asked for again


def refresh(index: Index, *, fresh: float = FRESH) -> list[str]:
    """Ask about each batch that is at work elsewhere, and take its records in.

    Args:
        index: is refreshed where anything came.
        fresh: seconds for which an answer is good enough.

    Returns:
        A sentence for each executor that could not be asked.
    """
    troubles: dict[str, None] = {}
    asked = False
    for batch in _elsewhere(index):
        folder = index.store.batch(batch.id)
        if time.time() - hearsay.asked_at(folder) < fresh:
            continue
        asked = True
        try:
            executor = executors.get(batch.executor)
            executor.fetch(folder)
            told = executor.poll(dict(_tickets(index, batch.id)))
            hearsay.write(folder, {_name(path): one for path, one in told.items()})
        except (NbbgError, OSError) as error:
            troubles[f"{batch.name}: {error}"] = None
    if asked:
        index.refresh()
    return list(troubles)


def _elsewhere(index: Index) -> Iterator[model.Batch]:
    """The batches of other places with runs that have not ended."""
    for number in dict.fromkeys(run.batch for run in index.open() if not run.ended):
        batch = index.batch(number)
        if batch.executor not in executors.OF_THIS_MACHINE:
            yield batch


def _tickets(index: Index, batch: int) -> Iterator[tuple[Path, Mapping[str, object]]]:
    for run in index.open():
        if run.batch == batch and run.attempt and not run.ended:
            path = index.store.run(batch, run.id) / str(run.attempt)
            with files.Folder(path) as attempt:
                ticket = attempt.read_json(paths.TICKET)
            if ticket:
                yield path, ticket


def _name(attempt: Path) -> str:
    return f"{attempt.parent.name}/{attempt.name}"
