"""What keeps a run that prints without end from filling the disk: the middle of its log is freed.

Of `log.txt` and of the journal the beginning and the end are kept, each of the two files up to
the limit; what lies between becomes a hole, so that offsets stay true. Of the journal the blocks
that tell of a cell's begin or end are kept too. As long as little is written, two sizes are looked
at with each step; in a flood the runner steps as fast as that asks for. A file system that makes
no holes is told of in `trimming.json`, and the files grow.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from nbbg import files, holes, paths

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbbg.files import Folder

SHORTEST = 0.005  # seconds between two steps
_LEAST = 16  # blocks; with fewer nothing would be left between beginning and end
_CELL = b'{"event":"cell'  # and its end
_LINE = 1 << 12  # bytes of such an event, at most


class Trimming:
    """Keeps log and journal of one attempt within a limit.

    Args:
        folder: of the attempt.
        limit: bytes that each of the two may take; 0: as many as there come.
    """

    def __init__(self, folder: Folder, limit: int) -> None:
        self._folder = folder
        self._files = [_Trimmed(name, limit) for name in (paths.LOG, paths.CELLS) if limit]

    def step(self, now: float) -> float:
        """Free what is too much at `now`; in how many seconds at the latest to look again."""
        naps = [60.0]
        for each in list(self._files):
            try:
                naps.append(each.step(self._folder, now))
            except FileNotFoundError:  # the engine has not begun, or the user has removed it
                continue
            except OSError as error:
                self._files.remove(each)
                record = {"file": each.name, "why": error.strerror or str(error)}
                with contextlib.suppress(OSError):
                    self._folder.write_once(paths.TRIMMING, files.to_json(record))
        return min(naps)


class _Trimmed:
    """One file: its beginning is half of the limit, its end a quarter to a half."""

    def __init__(self, name: str, limit: int) -> None:
        self.name = name
        self._limit = limit
        self._freed = self._kept = self._size = 0
        self._looked_at = 0.0
        self._grows = 0.0  # bytes a second

    def step(self, folder: Folder, now: float) -> float:
        """The same for one file."""
        status = os.stat(self.name, dir_fd=folder.fd)
        block = max(holes.BLOCK, status.st_blksize)
        limit = max(self._limit, _LEAST * block)
        passed = now - self._looked_at
        if self._looked_at and passed > 0:
            self._grows = max(status.st_size - self._size, 0) / passed
        self._size, self._looked_at = status.st_size, now
        start = max(self._freed, limit // 2 // block * block)
        end = (status.st_size - limit // 4) // block * block
        # Freed is at least an eighth of the limit at once, so that it costs little.
        if end - start >= limit // 8:
            self._free(folder, start, end, block)
        taken = status.st_size - max(0, end - start) - (self._freed - self._kept)
        return max(SHORTEST, max(limit - taken, limit // 8) / 2 / max(self._grows, 1.0))

    def _free(self, folder: Folder, start: int, end: int, block: int) -> None:
        fd = folder.open(self.name, os.O_RDWR)
        try:
            at = start
            for first, last in self._to_keep(fd, start, end, block):
                if first > at:
                    holes.free(fd, at, first)
                self._kept += last - max(first, at)
                at = max(at, last)
            if end > at:
                holes.free(fd, at, end)
        finally:
            os.close(fd)
        self._freed = max(end, at)

    def _to_keep(self, fd: int, start: int, end: int, block: int) -> Iterator[tuple[int, int]]:
        """The blocks of a journal that tell where cells begin and end."""
        while self.name == paths.CELLS and start < end:
            data = os.pread(fd, min(holes.PIECE, end - start) + _LINE, start)
            at = data.find(_CELL)
            while 0 <= at < holes.PIECE:
                length = data.find(b"\n", at) + 1 - at
                if length > 0:
                    first, last = start + at, start + at + length
                    yield first // block * block, -(-last // block) * block
                at = data.find(_CELL, at + 1)
            start += holes.PIECE
