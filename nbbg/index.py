"""A cache of all runs, so that reading stays fast; it can be deleted at any time.

A refresh takes in new batches and new event lines, and derives again only what may have changed:
runs that an event named and that have not ended for good. An index that is damaged or older than
this nbbg is made anew; where it can't be written, or a newer nbbg made it, one in memory is filled
from the facts. A batch that can't be read is left out and named in `unreadable`.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import stat
from collections import Counter
from typing import TYPE_CHECKING, Any, Self

from nbbg import model, paths
from nbbg.classes import replace
from nbbg.errors import StoreError
from nbbg.store import arms, batches, database, runs

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from nbbg.store.lineup import Lineup
    from nbbg.store.looks import Look
    from nbbg.store.metrics import Metrics
    from nbbg.store.place import Store

_QUEUED = model.Queued.word
_COLUMNS = "id, batch, arm, number, seed, attempt, open, ending"
_WAITING = f"open = 0 AND word = '{_QUEUED}'"
_OVER = f"open = 0 AND word <> '{_QUEUED}'"
PAGE = 1000  # runs that are read at a time


class Index:
    """All runs of a store, as they are at the moment of `refresh`."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.unreadable: dict[int, str] = {}  # batch -> why
        self._batches: dict[int, model.Batch] = {}
        self._stopped: dict[int, str] = {}
        self._lines: dict[int, Lineup | None] = {}
        self._verdicts: dict[int, Look | None] = {}
        self._live: dict[int, model.Run] = {}
        self._measured: dict[str, Metrics] = {}
        self._db = database.open_for(store)
        self.refresh()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def refresh(self) -> None:
        """Take in what has happened since."""
        self._stopped.clear()
        self._lines.clear()
        self._verdicts.clear()
        self._live.clear()
        try:
            self._refresh()
        except sqlite3.Error as error:
            self._read_facts(error)

    def batches(self) -> list[model.Batch]:
        """Every batch that can be read, in order."""
        rows = self._rows("SELECT id FROM batches ORDER BY id")
        return [self.batch(number) for (number,) in rows if self._can_read(number)]

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

    def verdict(self, batch: int) -> Look | None:
        """The look that has ended a batch which runs until it is decided; else None."""
        if batch not in self._verdicts:
            until = self.batch(batch).until
            folder = self.store.batch(batch)
            self._verdicts[batch] = _verdict(folder, until) if until else None
        return self._verdicts[batch]

    def needless(self, batch: int) -> list[int]:
        """The runs of a batch that was decided without them."""
        return self._never_started(batch) if self.verdict(batch) else []

    def counts(self, batch: int) -> dict[str, int]:
        """How many runs of a batch are in each state, but for those that it does not need."""
        live = [run.id for run in self._live.values() if run.batch == batch]
        # Another reader may have closed or opened runs since: one statement sees each run once.
        known = f"({','.join(map(str, live))})"
        query = (
            "SELECT word, count, 0 FROM tallies WHERE batch = ?"  # noqa: S608 - ours
            " UNION ALL SELECT word, -1, 0 FROM runs WHERE batch = ? AND open = 0"
            f" AND id IN {known}"
            " UNION ALL SELECT '', 0, id FROM runs WHERE batch = ? AND open = 1"
            f" AND id NOT IN {known}"
        )
        counts: Counter[str] = Counter()
        for word, count, opened in self._rows(query, (batch, batch, batch)):
            counts[word] += count
            live += [opened] if opened else []
        if (waiting := counts.pop(_QUEUED, 0)) and not self.verdict(batch):
            counts.update(self._counts_of_waiting(batch, waiting))
        counts.update(run.state.word for number in live if (run := self.run(number)))
        return {word: count for word, count in counts.items() if count}

    def live(self) -> list[model.Run]:
        """Runs that were touched and have not ended for good: live, lost, queued again."""
        return [run for run in self.open() if not isinstance(run.state, model.Stopped)]

    def open(self) -> Collection[model.Run]:
        """The runs of `live`, and those that may still be taken back: stopped with their batch."""
        return self._live.values()

    def runs(
        self, where: str = "1", values: Sequence[object] = (), limit: int = -1
    ) -> list[model.Run]:
        """Runs by an SQL condition over id, batch, arm, number, word; newest last."""
        query = f"SELECT {_COLUMNS} FROM runs WHERE {where} ORDER BY id DESC LIMIT ?"  # noqa: S608 - ours
        rows = self._rows(query, (*values, limit))
        return [self._run(row) for row in reversed(rows) if self._can_read(row[1])]

    def each(self, where: str = "1", values: Sequence[object] = ()) -> Iterator[model.Run]:
        """The same, however many, a few at a time."""
        last = 0
        query = f"SELECT {_COLUMNS} FROM runs WHERE ({where}) AND id > ? ORDER BY id LIMIT ?"  # noqa: S608 - ours
        while rows := self._rows(query, (*values, last, PAGE)):
            last = rows[-1][0]
            yield from (self._run(row) for row in rows if self._can_read(row[1]))

    def ids(self, where: str, values: Sequence[object] = ()) -> list[int]:
        """The ids alone of what `runs` finds."""
        query = f"SELECT id, batch FROM runs WHERE {where} ORDER BY id"  # noqa: S608 - ours
        return [run for run, batch in self._rows(query, values) if self._can_read(batch)]

    def run(self, number: int) -> model.Run | None:
        """One run, or None."""
        found = self.runs("id = ?", (number,))
        return found[0] if found else None

    def unfinished(self) -> list[int]:
        """The numbers of the batches with runs that were not started or have not ended for good."""
        query = (
            "SELECT batch FROM runs WHERE open = 1 UNION"  # noqa: S608 - ours
            f" SELECT batch FROM tallies WHERE word = '{_QUEUED}' AND count > 0"
        )
        return sorted(batch for (batch,) in self._rows(query) if self._can_read(batch))

    def waiting(self, batch: int) -> list[int]:
        """The runs of a batch that were never started, nor stopped one by one, and still may be."""
        return [] if self.verdict(batch) else self._never_started(batch)

    def _never_started(self, batch: int) -> list[int]:
        return self.ids(f"batch = ? AND {_WAITING}", (batch,))

    def closed_since(self, mark: int) -> Iterator[tuple[int, int]]:
        """Runs that have ended for good since `mark`, each with the next mark; 0: all."""
        query = "SELECT id, closed FROM runs WHERE closed > ? ORDER BY closed, id"
        yield from self._rows(query, (mark,))

    def mark(self) -> int:
        """The mark for `closed_since` that leaves out all that has ended so far."""
        return int(self._rows("SELECT max(closed) FROM runs WHERE closed NOT NULL")[0][0] or 0)

    def endings(self, batch: int, limit: int) -> list[tuple[float, float]]:
        """When the newest runs of a batch began and ended, those that were stopped left out."""
        query = (
            "SELECT started, ended FROM runs WHERE batch = ? AND ended NOT NULL"
            " AND started NOT NULL AND word <> ? ORDER BY ended DESC LIMIT ?"
        )
        return self._rows(query, (batch, model.Stopped.word, limit))

    def size(self, batch: int | None = None) -> int:
        """Bytes that the files of the ended runs of a batch take, or of all."""
        where = "1" if batch is None else "batch = ?"
        values = () if batch is None else (batch,)
        query = f"SELECT coalesce(sum(bytes), 0) FROM tallies WHERE {where}"  # noqa: S608 - ours
        return int(self._rows(query, values)[0][0])

    def batches_of(self, numbers: Collection[int]) -> list[int]:
        """The numbers of the batches that these runs can be in."""
        if not numbers:
            return []
        low, high = min(numbers), max(numbers)
        return [batch.id for batch in self.batches() if batch.first <= high and batch.last >= low]

    def has_newer(self, run: model.Run) -> bool:
        """Whether a later run has taken over this one's number in its arm."""
        query = "SELECT 1 FROM runs WHERE arm = ? AND number = ? AND id > ? LIMIT 1"
        return bool(self._rows(query, (run.arm.name, run.number, run.id)))

    def arms(self) -> Iterator[tuple[int, model.Arm]]:
        """Every arm with the batches that it appears in, oldest first."""
        for batch in self.batches():
            for arm in arms.each(batch.arms):
                yield batch.id, arm

    def some_arms(self, limit: int) -> list[str]:
        """The first names of arms, in their order."""
        query = "SELECT DISTINCT arm FROM runs ORDER BY arm LIMIT ?"
        return [name for (name,) in self._rows(query, (limit,))]

    def _run(self, row: tuple[Any, ...]) -> model.Run:
        number, batch_id, arm, count, seed, attempt, is_open, ending = row
        if is_open:  # perhaps by another reader, since the last refresh
            return self._live.get(number) or self._derive(row)
        planned = model.Planned(number, arm, count, seed)
        stopped = "" if ending else self.stopped_by(batch_id)
        run = runs.planned(self.store, self.batch(batch_id), planned, attempt, stopped)
        if ending:
            return self._in_line(runs.from_json(run, json.loads(ending)))
        verdict = self.verdict(batch_id)
        return runs.needless(run, verdict.why) if verdict else self._in_line(run)

    def _derive(self, row: Sequence[Any]) -> model.Run:
        number, batch_id, arm, count, seed, *_ = row
        from nbbg.store import reading  # often all have ended

        planned = model.Planned(number, arm, count, seed)
        stopped = self.stopped_by(batch_id)
        found = reading.read(self.store, self.batch(batch_id), planned, stopped, self._measured)
        self._live[number] = self._in_line(found)
        return self._live[number]

    def _counts_of_waiting(self, batch: int, count: int) -> Mapping[str, int]:
        """So many that were never started, by state."""
        if self.stopped_by(batch):
            return {model.Stopped.word: count}
        line = self._line(batch)
        return line.counts(self.waiting(batch)) if line else {_QUEUED: count}

    def _line(self, batch: int) -> Lineup | None:
        if batch not in self._lines:
            self._lines[batch] = _lineup(self.store.batch(batch))
        return self._lines[batch]

    def _in_line(self, run: model.Run) -> model.Run:
        """The run with its machine; where it waits, as its scheduler says."""
        line = self._line(run.batch)
        if line is None:
            return run
        waits = isinstance(run.state, model.Queued) and not run.again
        state = line.state(run) if waits else run.state
        return replace(run, state=state, machine=line.host(run))

    def _can_read(self, number: int) -> bool:
        try:
            self.batch(number)
        except StoreError as error:
            self.unreadable[number] = str(error)
            return False
        return True

    def _rows(self, query: str, values: Sequence[object] = ()) -> list[Any]:
        try:
            return self._db.execute(query, values).fetchall()
        except sqlite3.Error as error:
            self._read_facts(error)
            return self._db.execute(query, values).fetchall()

    def _read_facts(self, error: sqlite3.Error) -> None:
        """Go on with an index in memory; a damaged one is removed for the next reader."""
        self._db.close()
        if database.is_damage(error):
            database.remove(self.store)
        self._db = database.in_memory()
        self._live.clear()
        self._refresh()

    def _refresh(self) -> None:
        if self._has_news():
            from nbbg.store import intake

            with database.transaction(self._db):
                sizes = self._sizes()
                self._forget_gone(sizes)
                for batch in sizes.keys() - self._offsets().keys():
                    self._take_in_batch(batch)
                for batch, offset in self._offsets().items():
                    if sizes[batch] != offset:
                        intake.take_in_events(self._db, self.store, batch, offset)
        self._derive_open()

    def _offsets(self) -> dict[int, int]:
        return dict(self._db.execute("SELECT id, read FROM batches"))

    def _sizes(self) -> dict[int, int]:
        """Of each published batch the bytes of its events."""
        numbers = self.store.batch_numbers()
        return {number: _size(self.store.batch(number) / paths.EVENTS) for number in numbers}

    def _has_news(self) -> bool:
        sizes, offsets = self._sizes(), self._offsets()
        for batch in self.unreadable.keys() - offsets.keys():
            sizes.pop(batch, None)
        return sizes != offsets

    def _forget_gone(self, sizes: Mapping[int, int]) -> None:
        """Drop batches that are gone, or whose events are not those that were read."""
        for batch, offset in self._offsets().items():
            if sizes.get(batch, -1) < offset:
                self._db.execute("DELETE FROM runs WHERE batch = ?", (batch,))
                self._db.execute("DELETE FROM batches WHERE id = ?", (batch,))
                self._batches.pop(batch, None)

    def _take_in_batch(self, number: int) -> None:
        from nbbg.store import intake

        try:
            intake.take_in_batch(self._db, self.store, self.batch(number))
        except StoreError as error:
            self.unreadable[number] = str(error)
        except OSError as error:
            where = error.filename or self.store.batch(number)
            self.unreadable[number] = f"{where} can't be read: {error.strerror or error}"

    def _derive_open(self) -> None:
        """Derive again what is open, and close what has ended, a few at a time."""
        last = 0
        query = f"SELECT {_COLUMNS} FROM runs WHERE open = 1 AND id > ? ORDER BY id LIMIT ?"  # noqa: S608 - ours
        while True:
            offsets = self._offsets()
            rows = self._db.execute(query, (last, PAGE)).fetchall()
            if not rows:
                return
            last = rows[-1][0]
            found = [self._derive(row) for row in rows if self._can_read(row[1])]
            self._close_ended(found, offsets)

    def _has_ended(self, run: model.Run) -> bool:
        """Whether its folder says so for good; in a stopped batch some may still be set going."""
        waits = run.again or (isinstance(run.state, model.Stopped) and run.state.with_batch)
        return run.attempt > 0 and isinstance(run.state, model.Ended) and not waits

    def _close_ended(self, found: Sequence[model.Run], offsets: Mapping[int, int]) -> None:
        """Keep the endings, unless an event has come in since that opens the run again."""
        ended = [run for run in found if self._has_ended(run) and run.batch in offsets]
        if not ended:
            return
        from nbbg.store import intake

        with contextlib.suppress(sqlite3.OperationalError), database.transaction(self._db):
            mark = intake.next_mark(self._db)
            self._db.executemany(
                "UPDATE runs SET open = 0, attempt = ?, word = ?, ending = ?, started = ?,"
                " ended = ?, bytes = ?, closed = ? WHERE id = ?"
                " AND (SELECT read FROM batches WHERE id = batch) = ?",
                [(*_closing(run), mark, run.id, offsets[run.batch]) for run in ended],
            )
        query = "SELECT id FROM runs WHERE open = 1 AND id BETWEEN ? AND ?"
        still = {number for (number,) in self._db.execute(query, (found[0].id, found[-1].id))}
        for run in ended:
            if run.id not in still:
                del self._live[run.id]
                self._measured.pop(run.folder, None)


def _size(events: Path) -> int:
    """Bytes of events that can be read; hints that can't be read are none."""
    try:
        found = os.stat(events)
    except FileNotFoundError:
        return 0
    return found.st_size if stat.S_ISREG(found.st_mode) and os.access(events, os.R_OK) else 0


# What few batches need is loaded for them alone.


def _lineup(batch: Path) -> Lineup | None:
    if not (batch / paths.JOBS).exists():
        return None
    from nbbg.store import lineup

    return lineup.of(batch)


def _verdict(batch: Path, until: model.Until) -> Look | None:
    from nbbg.store import looks

    return looks.verdict(batch, until)


def _closing(run: model.Run) -> tuple[object, ...]:
    kept = json.dumps(runs.to_json(run))
    return run.attempt, run.state.word, kept, run.started_at, run.ended_at, run.bytes
