"""How much room things take: folders on the disk, and what is left of it."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING

from nbbg.classes import dataclass

if TYPE_CHECKING:
    from pathlib import Path

SECTOR = 512  # bytes of what the kernel counts blocks in
LITTLE, SHARE = 5_000_000_000, 0.05  # free bytes, and their share: with less than both it is full


def of(path: str | os.PathLike[str]) -> int:
    """Bytes that a file, or a folder with all that is in it, takes on the disk; 0 if it is gone."""
    total, folders = 0, []
    with contextlib.suppress(OSError):
        status = os.lstat(path)
        total = status.st_blocks * SECTOR
        folders = [os.fspath(path)] if stat.S_ISDIR(status.st_mode) else []
    while folders:
        with contextlib.suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                total += entry.stat(follow_symlinks=False).st_blocks * SECTOR
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
    return total


@dataclass(frozen=True)
class Room:
    """What is left on the disk of a folder."""

    free: int  # bytes
    total: int

    @property
    def nearly_full(self) -> bool:
        """Whether a night's work may not find room any more."""
        return self.free < LITTLE and self.free < SHARE * self.total


def room(folder: Path) -> Room:
    """What is left for this user where that folder lies; 0 of 0 where nobody can tell."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return Room(0, 0)
    return Room(found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize)
