"""A cache of all runs, so that reading stays fast; it can be deleted at any time.

A refresh takes in new batches and new event lines, and derives again only what may have changed:
runs that an event named and that have not ended for good. An index that can't be written, or that
is not what this nbbg writes, is replaced by one in memory that is filled from the facts.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from typing import TYPE_CHECKING, Any

from nbbg import files, model, paths
from nbbg.store import batches, filesystem, plans, runs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nbbg.store.place import Store

VERSION = 1
_QUEUED = model.Queued.word
_SCHEMA = f"""
CREATE TABLE batches (
    id INTEGER PRIMARY KEY, read INTEGER
);
CREATE TABLE runs (
    id INTEGER PRIMARY KEY, batch INTEGER, arm TEXT, number INTEGER, seed INTEGER,
    attempt INTEGER DEFAULT 0, word TEXT DEFAULT '{_QUEUED}', open INTEGER DEFAULT 0, ending TEXT
);
CREATE INDEX runs_by_batch ON runs (batch, word);
CREATE INDEX runs_by_arm ON runs (arm, number);
CREATE INDEX open_runs ON runs (id) WHERE open = 1;
PRAGMA user_version = {VERSION};
"""


class Index:
    """All runs of a store, as they are at the moment of `refresh`."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._batches: dict[int, model.Batch] = {}
        self._stopped: dict[int, str] = {}
        self._live: dict[int, model.Run] = {}
        self._db = _open(store)
        self.refresh()

    def __enter__(self) -> Index:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def refresh(self) -> None:
        """Take in what has happened since."""
        self._stopped.clear()
        self._live.clear()
        try:
            self._refresh()
        except sqlite3.Error:
            self._db.close()
            self._db = _in_memory()
            self._refresh()

    def batches(self) -> list[model.Batch]:
        """Every batch, in order."""
        return [self.batch(row[0]) for row in self._db.execute("SELECT id FROM batches ORDER BY id")]

    def batch(self, number: int) -> model.Batch:
        """One batch.

        Raises:
            StoreError: there is none, or it can't be read.
        """
        if number not in self._batches:
            self._batches[number] = batches.read(self.store, number)
        return self._batches[number]

    def stopped_by(self, batch: int) -> str:
        """Who asked a batch to stop after its current runs; empty where nobody did."""
        if batch not in self._stopped:
            self._stopped[batch] = batches.stopped_by(self.store, batch)
        return self._stopped[batch]

    def counts(self, batch: int) -> dict[str, int]:
        """How many runs of a batch are in each state."""
        query = "SELECT word, count(*) FROM runs WHERE batch = ? AND open = 0 GROUP BY word"
        counts = dict(self._db.execute(query, (batch,)))
        if (queued := counts.pop(_QUEUED, 0)) > 0:
            word = model.Stopped.word if self.stopped_by(batch) else _QUEUED
            counts[word] = counts.get(word, 0) + queued
        for run in self._live.values():
            if run.batch == batch:
                counts[run.state.word] = counts.get(run.state.word, 0) + 1
        return counts

    def live(self) -> list[model.Run]:
        """Runs that were touched and have not ended for good: live, lost, queued again."""
        return list(self._live.values())

    def runs(self, where: str = "1", values: Sequence[object] = (), limit: int = -1) -> list[model.Run]:
        """Runs by an SQL condition over id, batch, arm, number, word; newest last."""
        query = f"SELECT * FROM runs WHERE {where} ORDER BY id DESC LIMIT ?"  # noqa: S608 - ours
        rows = self._db.execute(query, (*values, limit)).fetchall()
        return [self._run(row) for row in reversed(rows)]

    def run(self, number: int) -> model.Run | None:
        """One run, or None."""
        found = self.runs("id = ?", (number,))
        return found[0] if found else None

    def has_newer(self, run: model.Run) -> bool:
        """Whether a later run has taken over this one's number in its arm."""
        query = "SELECT 1 FROM runs WHERE arm = ? AND number = ? AND id > ? LIMIT 1"
        found = self._db.execute(query, (run.arm.name, run.number, run.id)).fetchone()
        return found is not None

    def arms(self) -> Iterator[tuple[int, model.Arm]]:
        """Every arm with the batches that it appears in, oldest first."""
        for batch in self.batches():
            for arm in batch.arms.values():
                yield batch.id, arm

    def _run(self, row: tuple[Any, ...]) -> model.Run:
        number, batch_id, arm, count, seed, attempt, _, is_open, ending = row
        if is_open and number in self._live:
            return self._live[number]
        batch = self.batch(batch_id)
        planned = model.Planned(number, arm, count, seed)
        run = runs.planned(self.store, batch, planned, attempt, self.stopped_by(batch_id))
        return runs.from_json(run, json.loads(ending)) if ending else run

    def _refresh(self) -> None:
        if self._has_news():
            with _transaction(self._db):
                self._take_in_batches()
                for batch, offset in self._offsets().items():
                    self._take_in_events(batch, offset)
        offsets = self._offsets()
        self._derive_open()
        self._close_ended(offsets)

    def _offsets(self) -> dict[int, int]:
        return dict(self._db.execute("SELECT id, read FROM batches"))

    def _has_news(self) -> bool:
        offsets = self._offsets()
        numbers = self.store.batch_numbers()
        return len(numbers) != len(offsets) or any(
            _new_size(self.store, batch, offsets.get(batch, 0)) for batch in numbers
        )

    def _take_in_batches(self) -> None:
        known = self._offsets()
        for number in self.store.batch_numbers():
            if number in known:
                continue
            batch = self.batch(number)
            plan = plans.read(self.store.batch(number) / paths.PLAN)
            self._db.execute("INSERT INTO batches (id, read) VALUES (?, 0)", (batch.id,))
            self._db.executemany(
                "INSERT INTO runs (id, batch, arm, number, seed) VALUES (?, ?, ?, ?, ?)",
                ((run.id, number, run.arm, run.number, run.seed) for run in plan),
            )

    def _take_in_events(self, batch: int, offset: int) -> None:
        data = _new_lines(self.store, batch, offset)
        if not data:
            return
        named = {event["run"] for event in files.read_lines(data) if "run" in event}
        self._db.executemany(
            "UPDATE runs SET open = 1, ending = NULL WHERE id = ?", ((run,) for run in named)
        )
        self._db.execute("UPDATE batches SET read = ? WHERE id = ?", (offset + len(data), batch))

    def _derive_open(self) -> None:
        query = "SELECT id, batch, arm, number, seed FROM runs WHERE open = 1"
        for number, batch_id, *rest in self._db.execute(query).fetchall():
            plan = model.Planned(number, *rest)
            stopped = self.stopped_by(batch_id)
            self._live[number] = runs.read(self.store, self.batch(batch_id), plan, stopped)

    def _close_ended(self, offsets: dict[int, int]) -> None:
        """Keep the endings, unless an event has come in since that opens the run again."""
        ended = [
            run for run in self._live.values() if run.attempt and isinstance(run.state, model.Ended)
        ]
        if not ended:
            return
        with contextlib.suppress(sqlite3.OperationalError), _transaction(self._db):
            for run in ended:
                kept = json.dumps(runs.to_json(run))
                done = self._db.execute(
                    "UPDATE runs SET open = 0, attempt = ?, word = ?, ending = ? WHERE id = ?"
                    " AND (SELECT read FROM batches WHERE id = batch) = ?",
                    (run.attempt, run.state.word, kept, run.id, offsets[run.batch]),
                )
                if done.rowcount:
                    del self._live[run.id]


@contextlib.contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def _new_size(store: Store, batch: int, offset: int) -> int:
    try:
        return max(0, os.stat(store.batch(batch) / paths.EVENTS).st_size - offset)
    except FileNotFoundError:
        return 0


def _new_lines(store: Store, batch: int, offset: int) -> bytes:
    """The whole new lines of a batch's events; a torn last one waits for its end."""
    path = store.batch(batch) / paths.EVENTS
    try:
        with path.open("rb") as file:
            file.seek(offset)
            data = file.read()
    except FileNotFoundError:
        return b""
    return data[: data.rfind(b"\n") + 1]


def _open(store: Store) -> sqlite3.Connection:
    if not store.exists() or filesystem.is_network(store.folder):
        return _in_memory()
    path = store.folder / paths.INDEX
    for _ in range(2):
        with contextlib.suppress(sqlite3.Error, OSError):
            files.touch(path)
            db = sqlite3.connect(path, timeout=5, isolation_level=None)
            if _is_ours(db):
                return db
            db.close()
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
    return _in_memory()


def _is_ours(db: sqlite3.Connection) -> bool:
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        with _transaction(db):
            if db.execute("PRAGMA user_version").fetchone()[0] == 0:
                _make_tables(db)
        version = VERSION
    return bool(version == VERSION)


def _make_tables(db: sqlite3.Connection) -> None:
    for statement in _SCHEMA.split(";"):
        db.execute(statement)


def _in_memory() -> sqlite3.Connection:
    db = sqlite3.connect(":memory:", isolation_level=None)
    _make_tables(db)
    return db
