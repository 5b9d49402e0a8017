"""The limits of time that a run was given: how long it may take, and each of its cells.

The running cell is read from the journal, each byte of it once. Time is the monotonic clock's:
what is done to the clock on the wall, and a machine that sleeps, count for nothing.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from nbbg import files, journal, model, paths
from nbbg.classes import dataclass

if TYPE_CHECKING:
    from nbbg.files import Folder

_PIECE = 1 << 20
_TELLS = tuple(b'{"event":"%s"' % kind for kind in (b"cell", b"cell_end", b"end"))


@dataclass(frozen=True)
class Cell:
    """The cell that runs."""

    ordinal: int
    since: float  # on the monotonic clock


class Position:
    """Which cell runs, read on from where the journal was read before.

    Args:
        folder: of the attempt.
        now: on the monotonic clock.
    """

    def __init__(self, folder: Folder, now: float) -> None:
        self.cell: Cell | None = None
        self._folder = folder
        self._read = 0  # bytes
        self._looked_at = now

    def look(self, now: float) -> None:
        """Take in what was added since."""
        for event in self._new():
            self.cell = None
            if event["event"] == "cell":
                # It can't have begun before the last look, whatever the clocks say.
                ago = min(max(0.0, time.time() - event["time"]), now - self._looked_at)
                self.cell = Cell(event["ordinal"], now - ago)
        self._looked_at = now

    def _new(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        fd = self._folder.open(paths.CELLS, os.O_RDONLY)
        try:
            while piece := os.pread(fd, _PIECE, self._read):
                end = piece.rfind(b"\n") + 1
                if not end and len(piece) < _PIECE:  # a line in the making
                    break
                whole = piece[: end or len(piece)]  # a longer line is no event of ours
                self._read += len(whole)
                lines = [line for line in whole.split(b"\n") if line.startswith(_TELLS)]
                found += files.read_lines(b"\n".join(lines))
        finally:
            os.close(fd)
        return found


class Limits:
    """The limits of one attempt.

    Args:
        folder: of the attempt.
        batch: which has the limits.
        now: when it began, on the monotonic clock.
    """

    def __init__(self, folder: Folder, batch: model.Batch, now: float) -> None:
        self._folder = folder
        self._timeout, self._cell_timeout = batch.timeout, batch.cell_timeout
        self._began = now
        self._position = Position(folder, now)

    def exceeded(self, now: float) -> model.TimedOut | None:
        """The limit that is over at `now`, if one is."""
        if 0 < self._timeout <= now - self._began:
            return model.TimedOut(self._timeout, running_cell(self._folder))
        if self._cell_timeout:
            self._position.look(now)
            cell = self._position.cell
            if cell and now - cell.since >= self._cell_timeout:
                return model.TimedOut(self._cell_timeout, cell.ordinal, model.OF_CELL)
        return None


def running_cell(folder: Folder) -> int | None:
    """The ordinal of the cell that began last."""
    event = journal.find_last(folder, paths.CELLS, "cell") or {}
    ordinal: int | None = event.get("ordinal")
    return ordinal
