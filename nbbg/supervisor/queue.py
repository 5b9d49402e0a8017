"""What waits to be started in a batch: runs queued again, then further attempts, then the plan.

Read lazily, so that the cost of a decision and the memory do not grow with the plan.
"""

from __future__ import annotations

import bisect
import contextlib
import itertools
import os
import sys
import time
from collections import deque
from typing import TYPE_CHECKING

from nbbg import files, model, paths
from nbbg.store import cleaned, plans, policy, runs, state

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbbg.store.place import Store

_FOR_GOOD = (model.Succeeded.word, model.Stopped.word)  # no policy looks at these


class Queue:
    """The runs of one batch that are to be started, and those found alive."""

    def __init__(self, store: Store, batch: model.Batch) -> None:
        self.store, self.batch = store, batch
        self.folder = store.batch(batch.id)
        self.found_live: list[int] = []
        self._offset = self._events_size()
        self._again: dict[int, float] = {}  # when it was queued again
        self._due: dict[int, float] = {}  # when the next attempt may start, monotonic
        self._by_due: list[tuple[float, int]] = []  # the same, sorted
        self._failed: dict[int, float] = {}  # when it failed for good, about
        self._head: deque[int] = deque()
        self._begun: set[int] = set()
        self._sort_started()
        self._plan = self._never_started()

    def head(self, length: int, now: float = 0.0, held_at: float = 0.0) -> list[int]:
        """The next runs to start, at most `length`; and the next that is not due at `now`.

        `now` is on the monotonic clock, `held_at` on the one that people set. Of a batch that was
        stopped or paused: of what was queued again since, however much waits before it.
        """
        if held_at:
            since = (run for run, at in self._again.items() if at > held_at)
            return list(itertools.islice(since, length))
        first = bisect.bisect_right(self._by_due, (now, sys.maxsize))
        due = [run for _, run in self._by_due[: min(first, length)]]
        while len(self._again) + len(due) + len(self._head) < length:
            run = next(self._plan, None)
            if run is None:
                break
            self._head.append(run)
        ready = itertools.islice(itertools.chain(self._again, due, self._head), length)
        return [*ready, *(run for _, run in self._by_due[first : first + 1])]

    def queued_at(self, run: int) -> float:
        """When somebody queued that run again; 0 where it waits as planned."""
        return self._again.get(run, 0.0)

    def due(self, run: int) -> float:
        """When that run may start, on the monotonic clock; 0 where it may at once."""
        return self._due.get(run, 0.0)

    def failures(self, since: float) -> int:
        """How many runs have failed for good since then; counted where the batch has a limit."""
        return sum(at > since for at in self._failed.values())

    def settle(self, run: int) -> None:
        """That run has ended, or was left alone: see what becomes of it."""
        if self._has_policy:
            self._sort(run)

    def take(self, run: int) -> None:
        """That run is being started."""
        if run in self._due:
            self._forget(run)
        elif run in self._again:
            del self._again[run]
        else:
            self._head.remove(run)

    def has_news(self) -> bool:
        """Whether an event was appended that `read_news` has not seen."""
        return self._events_size() > self._offset

    def read_news(self) -> None:
        """Take in what somebody queued again."""
        if not self.has_news():
            return
        with open(self.folder / paths.EVENTS, "rb", opener=files.opener) as file:
            file.seek(self._offset)
            data = file.read()
        data = data[: data.rfind(b"\n") + 1]
        self._offset += len(data)
        for event in files.read_lines(data):
            run = int(event.get("run", 0))
            if event.get("event") == "stopped" and run in self._due:
                self._sort(run)  # a person wants no further attempt
            if event.get("event") == "queued" and run not in self._again:
                with contextlib.suppress(ValueError):
                    self._head.remove(run)  # stopped and queued again before it came up
                self._sort(run)

    def _sort_started(self) -> None:
        """Look at every run that was started and is not known to have ended."""
        ended = self._ended_by_events()
        with os.scandir(self.folder / paths.RUNS) as entries:
            for entry in entries:
                if files.is_number(entry.name):
                    run = int(entry.name)
                    self._begun.add(run)
                    if not self._is_over(entry.path, ended.get(run, (0, ""))):
                        self._sort(run)
        self._again = dict(sorted(self._again.items()))

    def _sort(self, run: int) -> None:
        self._forget(run)
        folder = self.store.run(self.batch.id, run)
        attempt = runs.newest_attempt(folder)
        if attempt == 0:
            if not cleaned.was(folder):
                self._again[run] = time.time()
            return
        with files.Folder(folder / str(attempt)) as opened:
            found = state.derive(opened)
            if isinstance(found, model.Lost):
                opened.remove(paths.ENVIRONMENT)  # of a runner that never read it
        self._note_ending(run, attempt, found)
        if isinstance(found, model.Queued):
            self._again[run] = (folder / str(attempt)).stat().st_mtime  # its folder is empty
        elif isinstance(found, model.Submitted | model.Running):
            self.found_live.append(run)

    def _note_ending(self, run: int, attempt: int, found: model.RunState) -> None:
        """Whether there is another attempt, and when; else whether it has failed for good."""
        if not self._has_policy or found.word not in model.RETRIABLE:
            return
        folder = self.store.run(self.batch.id, run) / str(attempt)
        if next_one := policy.again(self.batch, attempt, found, folder):
            at = time.monotonic() + next_one.seconds
            self._due[run] = at
            bisect.insort(self._by_due, (at, run))
        elif self.batch.max_failures:
            self._failed[run] = policy.over_at(folder)

    def _forget(self, run: int) -> None:
        """What was known of its last ending."""
        self._failed.pop(run, None)
        if (due := self._due.pop(run, None)) is not None:
            del self._by_due[bisect.bisect_left(self._by_due, (due, run))]

    @property
    def _has_policy(self) -> bool:
        """Whether endings matter for what is started next."""
        return bool(self.batch.retries or self.batch.max_failures)

    def _is_over(self, folder: str, ended: tuple[int, str]) -> bool:
        attempt, word = ended
        if not attempt or (self._has_policy and word not in _FOR_GOOD):
            return False
        return not os.path.exists(f"{folder}/{attempt + 1}")

    def _ended_by_events(self) -> dict[int, tuple[int, str]]:
        """The last attempt that ended of each run, and how; only such lines are parsed."""
        ended: dict[int, tuple[int, str]] = {}
        with (
            contextlib.suppress(FileNotFoundError),
            open(self.folder / paths.EVENTS, "rb", opener=files.opener) as file,
        ):
            for line in file:
                for event in files.read_lines(line) if b'"ended"' in line else ():
                    if event.get("event") == "ended":
                        ended[event["run"]] = event["attempt"], event.get("state", "")
        return ended

    def _never_started(self) -> Iterator[int]:
        """The rest of the plan; what had begun when this supervisor came is passed over."""
        first = self.batch.first
        while first in self._begun:
            self._begun.discard(first)
            first += 1
        for plan in plans.read(self.folder / paths.PLAN, first):
            if not os.path.exists(f"{self.folder}/{paths.RUNS}/{plan.id}"):
                yield plan.id

    def _events_size(self) -> int:
        try:
            return (self.folder / paths.EVENTS).stat().st_size
        except FileNotFoundError:  # events are only hints
            return 0
