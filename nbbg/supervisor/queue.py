"""What waits to be started in a batch: runs queued again first, then the plan in its order.

Read lazily, so that the cost of a decision and the memory do not grow with the plan.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from collections import deque
from typing import TYPE_CHECKING

from nbbg import files, model, paths
from nbbg.store import plans, runs, state

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbbg.store.place import Store


class Queue:
    """The runs of one batch that are to be started, and those found alive."""

    def __init__(self, store: Store, batch: model.Batch) -> None:
        self.store, self.batch = store, batch
        self.folder = store.batch(batch.id)
        self.found_live: list[int] = []
        self._offset = self._events_size()
        self._again: dict[int, float] = {}  # when it was queued again
        self._head: deque[int] = deque()
        self._begun: set[int] = set()
        self._sort_started()
        self._plan = self._never_started()

    def head(self, length: int, stopped_at: float = 0.0) -> list[int]:
        """The next runs to start, at most `length`.

        Of a batch that was stopped: of what was queued again since, however much waits before it.
        """
        if stopped_at:
            since = (run for run, at in self._again.items() if at > stopped_at)
            return list(itertools.islice(since, length))
        while len(self._again) + len(self._head) < length:
            run = next(self._plan, None)
            if run is None:
                break
            self._head.append(run)
        return list(itertools.islice(itertools.chain(self._again, self._head), length))

    def queued_at(self, run: int) -> float:
        """When somebody queued that run again; 0 where it waits as planned."""
        return self._again.get(run, 0.0)

    def take(self, run: int) -> None:
        """That run is being started."""
        if run in self._again:
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
        with (self.folder / paths.EVENTS).open("rb") as file:
            file.seek(self._offset)
            data = file.read()
        data = data[: data.rfind(b"\n") + 1]
        self._offset += len(data)
        for event in files.read_lines(data):
            if event.get("event") != "queued":
                continue
            run = int(event["run"])
            if run not in self._again:
                with contextlib.suppress(ValueError):
                    self._head.remove(run)  # stopped and queued again before it came up
                self._sort(run)

    def _sort_started(self) -> None:
        """Look at every run that was started and is not known to have ended."""
        ended = self._ended_by_events()
        with os.scandir(self.folder / paths.RUNS) as entries:
            for entry in entries:
                if entry.name.isdigit():
                    run = int(entry.name)
                    self._begun.add(run)
                    if not self._is_over(entry.path, ended.get(run)):
                        self._sort(run)
        self._again = dict(sorted(self._again.items()))

    def _sort(self, run: int) -> None:
        folder = self.store.run(self.batch.id, run)
        attempt = runs.newest_attempt(folder)
        if attempt == 0:
            self._again[run] = time.time()
            return
        with files.Folder(folder / str(attempt)) as opened:
            found = state.derive(opened)
            if isinstance(found, model.Lost):
                opened.remove(paths.ENVIRONMENT)  # of a runner that never read it
        if isinstance(found, model.Queued):
            self._again[run] = (folder / str(attempt)).stat().st_mtime  # its folder is empty
        elif isinstance(found, model.Submitted | model.Running):
            self.found_live.append(run)

    def _is_over(self, folder: str, attempt: int | None) -> bool:
        return attempt is not None and not os.path.exists(f"{folder}/{attempt + 1}")

    def _ended_by_events(self) -> dict[int, int]:
        """The attempts whose end was noted; a line is parsed only where it says so."""
        ended: dict[int, int] = {}
        with (
            contextlib.suppress(FileNotFoundError),
            (self.folder / paths.EVENTS).open("rb") as file,
        ):
            for line in file:
                for event in files.read_lines(line) if b'"ended"' in line else ():
                    if event.get("event") == "ended":
                        ended[event["run"]] = event["attempt"]
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
