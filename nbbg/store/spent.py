"""Where a run's time went: waiting, starting, importing, its cells; and whether it started warm."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nbbg import files, journal, paths
from nbbg.classes import dataclass

if TYPE_CHECKING:
    from nbbg import model


@dataclass(frozen=True)
class Spent:
    """Of one attempt, in seconds; None for what has not begun, or can't be told.

    Attributes:
        waiting: until its runner had claimed it.
        starting: until its engine's process was there.
        importing: until its first cell: the interpreter, IPython.
        cells: from there on, what they import included.
        warm: whether it was forked from a process that had imported; None before it has begun.
        cold: why it was not, where others of its batch are.
    """

    waiting: float | None = None
    starting: float | None = None
    importing: float | None = None
    cells: float | None = None
    warm: bool | None = None
    cold: str = ""


def of(run: model.Run, now: float) -> Spent:
    """What the records of its newest attempt tell.

    Args:
        run: the run.
        now: seconds since the epoch, for one that has not ended.
    """
    if run.started_at is None:
        return Spent()
    waiting = _between(_queued_at(run), run.started_at)
    try:
        with files.Folder(run.folder) as folder:
            head = journal.read_head(folder, paths.CELLS)
            end = journal.find_last(folder, paths.CELLS, journal.END) or {}
    except OSError:  # cleaned away
        return Spent(waiting)
    engine = journal.first(head, "engine")
    if engine is None:
        return Spent(waiting)
    cell = journal.first(head, "cell") or {}
    there = journal.moment(engine.get("time"))
    first = journal.moment(cell.get("time"))
    last = journal.moment(end.get("time")) or run.ended_at or now
    return Spent(
        waiting,
        _between(run.started_at, there),
        _between(there, first),
        _between(first, last),
        bool(engine.get("warm")),
        str(engine.get("cold", "")),
    )


def _between(first: float | None, last: float | None) -> float | None:
    """Two processes write: a forked engine may be faster than its runner."""
    return None if first is None or last is None else max(0.0, last - first)


def _queued_at(run: model.Run) -> float | None:
    """A later attempt waits from the end of the one before it; None where that never began."""
    if run.attempt > 1:
        before = os.path.join(os.path.dirname(run.folder), str(run.attempt - 1))
        try:
            with files.Folder(before) as folder:
                return journal.moment((folder.read_json(paths.RESULT) or {}).get("ended_at"))
        except (OSError, ValueError):
            return None
    return run.queued_at
