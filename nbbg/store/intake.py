"""What the index takes in: new batches with their plans, and the lines that come to their events.

An `ended` event may carry what the index keeps of the run, so that its folder need not be read;
it counts unless a later attempt is known. Everything is read in pieces, however long it is.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, TypeGuard

from nbbg import files, journal, paths
from nbbg.errors import StoreError
from nbbg.store import endings, kinds, plans

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path

    from nbbg import model
    from nbbg.store.place import Store

PIECE = 1 << 20  # bytes of events that are read at a time
_OPEN = "UPDATE runs SET open = 1, ending = NULL, closed = NULL, attempt = max(attempt, ?)"
_CLOSE = (
    "UPDATE runs SET open = 0, attempt = ?, word = ?, ending = ?, started = ?, ended = ?,"
    " bytes = ?, closed = ?"
)


def take_in_batch(db: sqlite3.Connection, store: Store, batch: model.Batch) -> None:
    """Take in a batch with its plan and events; open are runs with a folder that no event closes.

    Raises:
        StoreError, OSError: it can't be read; nothing of it was taken in then.
    """
    db.execute("SAVEPOINT batch")
    try:
        _take_in_batch(db, store, batch)
    except (StoreError, OSError):
        db.execute("ROLLBACK TO batch")
        raise
    finally:
        db.execute("RELEASE batch")


def _take_in_batch(db: sqlite3.Connection, store: Store, batch: model.Batch) -> None:
    number = batch.id
    folder = store.batch(number)
    db.execute("INSERT INTO batches (id, read) VALUES (?, 0)", (number,))
    db.executemany(
        "INSERT INTO runs (id, batch, arm, number, seed) VALUES (?, ?, ?, ?, ?)",
        (
            (run.id, number, run.arm, run.number, run.seed)
            for run in plans.whole(folder / paths.PLAN, batch)
        ),
    )
    take_in_events(db, store, number, 0)
    with os.scandir(folder / paths.RUNS) as entries:
        names = (entry.name for entry in entries if files.is_number(entry.name))
        started = ((run,) for run in map(int, names) if run < kinds.BEYOND)
        db.executemany("UPDATE runs SET open = 1 WHERE id = ? AND closed IS NULL", started)
    closed = db.execute("SELECT id, attempt FROM runs WHERE batch = ? AND open = 0", (number,))
    later = [(at, run) for run, at in closed if at and _has_attempt(folder, run, at + 1)]
    db.executemany(f"{_OPEN} WHERE id = ?", later)


def take_in_events(db: sqlite3.Connection, store: Store, batch: int, offset: int) -> None:
    """Take in the whole lines after `offset`; a torn last one waits for its end."""
    for data in _pieces(store.batch(batch) / paths.EVENTS, offset):
        opened, closed = _told(data, next_mark(db))
        db.executemany(f"{_OPEN} WHERE id = ?", opened)
        db.executemany(f"{_OPEN} WHERE id = ? AND attempt > ?", [(1, *row[-2:]) for row in closed])
        db.executemany(f"{_CLOSE} WHERE id = ? AND attempt <= ?", closed)
        offset += len(data)
        db.execute("UPDATE batches SET read = ? WHERE id = ?", (offset, batch))


def next_mark(db: sqlite3.Connection) -> int:
    """What the runs that are closed next are marked with; it rises."""
    query = "SELECT max(closed) FROM runs WHERE closed NOT NULL"
    return int(db.execute(query).fetchone()[0] or 0) + 1


def _has_attempt(batch: Path, run: int, attempt: int) -> bool:
    return os.path.exists(os.path.join(batch, paths.RUNS, str(run), str(attempt)))


def _pieces(path: Path, offset: int) -> Iterator[bytes]:
    """The whole lines from `offset` on, so many at a time."""
    try:
        file = open(path, "rb", opener=files.opener)  # noqa: SIM115 - closed below
    except OSError:  # hints that can't be read: the facts are told without them
        return
    with file:
        file.seek(offset)
        rest = b""
        while data := file.read(PIECE):
            end = data.rfind(b"\n") + 1
            if end:
                yield rest + data[:end]
            rest = data[end:] if end else rest + data


def _told(data: bytes, mark: int) -> tuple[list[tuple[int, int]], list[tuple[Any, ...]]]:
    """Of each run that is named: attempt and id where it is open, or all that closes it."""
    newest: dict[int, tuple[int, Any]] = {}
    for event in files.read_lines(data):
        run, attempt = event.get("run"), event.get("attempt", 1)
        if _is_number(run) and _is_number(attempt):
            before, _ = newest.get(run, (0, None))
            kept = event.get("kept") if attempt >= before else None
            newest[run] = max(attempt, before), kept
    opened, closed = [], []
    for run, (attempt, kept) in newest.items():
        if ending := _ending(kept):
            closed.append((attempt, *ending, mark, run, attempt))
        else:
            opened.append((attempt, run))
    return opened, closed


def _ending(kept: Any) -> tuple[Any, ...] | None:
    """Word, what is kept, start, end, bytes; None where it is to be read from the facts."""
    if not kept:
        return None
    try:
        word = endings.from_json(kept["ending"]).word
        times = (journal.moment(kept[name]) for name in ("started_at", "ended_at"))
        return word, json.dumps(kept), *times, kept.get("bytes")
    except (StoreError, KeyError, TypeError, AttributeError):
        return None


def _is_number(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and 0 <= value < kinds.BEYOND
