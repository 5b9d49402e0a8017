"""The journal of an attempt, `cells.jsonl`: what the engine did, one JSON object a line.

Both engines write it and every reader reads it, so its form is spelled here alone. Events:

engine    pid, start_time (see nbbg/process), engine, python; written by the runner
begin     cells: how many code cells the executed notebook has, injected parameters included
cell      cell (index in the executed notebook), ordinal (1..cells, among its code cells), cells,
          count (execution count), log (offset)
stream    name, log [from, to): these bytes of the log are that stream, in the running cell
display   output (an nbformat output object), display_id or null, log (offset where it stands)
update    display_id, data, metadata: replaces what `display` showed under that id
clear     wait: clear_output of the running cell, log
cell_end  cell, status ("ok", "error", "skipped"), log
quiet     since (seconds since the epoch; null: it goes on), ordinal, halted (pids that a signal has
          stopped); written by the runner: no output and no CPU since then
end       status ("succeeded", "failed", "exited", "killed", "interrupted"), ordinal, error {name,
          value}, exit_code, signal, left_out (ordinals of code cells not executed), raised
          (ordinals of those that raised while errors were allowed), note, log, dropped (how many
          events a full disk has cost, where it has), lost (how many writes to the log it has)

Every event has `time` (seconds since the epoch). Bytes of the log that no `stream` names are the
standard output of the running cell: what Python prints, what C code and children write. Runs in
the user's own interpreter: standard library, Python 3.8.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, BinaryIO

from nbbg import faults, files, holes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

END = "end"
QUIET = "quiet"
HEAD = 1 << 12
BLOCK = 1 << 20
_FOR_EVER = 2e11  # seconds since the epoch; calendars end before


class Journal:
    """The writing side: one complete line an event, appended as it happens.

    A disk that is full must not raise into the user's `print`, so a line that can't be written
    is dropped, and counted in `dropped`. What was written of it becomes a line of its own.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.dropped = 0
        self._torn = False

    def write(self, event: str, **fields: Any) -> None:
        """Append one event; the notebook's end waits until the disk has room for it."""
        faults.step("before", event)
        if event == END and self.dropped:
            fields["dropped"] = self.dropped
        self._append(
            files.to_line({"event": event, "time": time.time(), **fields}), wait=event == END
        )
        faults.step("after", event)

    def stream(self, name: str, start: int, end: int) -> None:
        """The event `stream`, of which there may be millions: spelled here, without JSON's help."""
        form = '{"event":"stream","time":%.6f,"name":"%s","log":[%d,%d]}\n'
        self._append((form % (time.time(), name, start, end)).encode("ascii"))

    def _append(self, line: bytes, *, wait: bool = False) -> None:
        while True:
            try:
                files.write_all(self.fd, b"\n" + line if self._torn else line)
            except OSError as error:
                self._torn = True
                if wait and error.errno in files.FULL:
                    time.sleep(1)
                    continue
                self.dropped += 1
            else:
                self._torn = False
            return


def read(folder: files.Folder, name: str) -> list[dict[str, Any]]:
    """All whole events of a journal; none where there is no journal yet."""
    return list(files.read_lines(folder.read(name) or b""))


def read_head(folder: files.Folder, name: str, size: int = HEAD) -> list[dict[str, Any]]:
    """The events in the first `size` bytes of a journal."""
    try:
        fd = folder.open(name, os.O_RDONLY)
    except FileNotFoundError:
        return []
    with os.fdopen(fd, "rb") as file:
        return list(files.read_lines(file.read(size)))


def find_last(folder: files.Folder, name: str, kind: str) -> dict[str, Any] | None:
    """The last event of that kind in the whole journal, looked for backwards from its end.

    A progress bar makes a journal long, so the lines of other events are not parsed.
    """
    try:
        fd = folder.open(name, os.O_RDONLY)
    except FileNotFoundError:
        return None
    with os.fdopen(fd, "rb") as file:
        for position in _backwards(file, files.to_json({"event": kind})[:-1] + b","):
            file.seek(position)
            for event in files.read_lines(file.readline()):
                return event
    return None


def last(folder: files.Folder, name: str, size: int = HEAD) -> dict[str, Any] | None:
    """The very last event, where its line is not longer than `size` bytes."""
    try:
        fd = folder.open(name, os.O_RDONLY)
    except FileNotFoundError:
        return None
    with os.fdopen(fd, "rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - size))
        return next(iter(list(files.read_lines(file.read()))[::-1]), None)


def first(events: Sequence[dict[str, Any]], kind: str) -> dict[str, Any] | None:
    """The first event of that kind, or None."""
    return next((event for event in events if event.get("event") == kind), None)


def moment(value: Any) -> float | None:
    """Seconds since the epoch; None for what a damaged record has in their place."""
    return value if isinstance(value, (int, float)) and 0 <= value < _FOR_EVER else None


def _backwards(file: BinaryIO, needle: bytes) -> Iterator[int]:
    """The positions of some bytes in a file, the last one first."""
    for first, last in reversed(list(holes.extents(file.fileno()))):
        end = last
        while end > first:
            start = max(first, end - BLOCK)
            file.seek(start)
            block = file.read(end - start + len(needle) - 1)
            at = block.rfind(needle)
            while at >= 0:
                yield start + at
                at = block.rfind(needle, 0, at)
            end = start
