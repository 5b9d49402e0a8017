"""The attempt's lock, and its slots, where cells are executed: no child of that process holds them.

Also its open folder, which tells where the project is after it was moved.

Runs in the user's own interpreter: standard library, Python 3.8.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbbg import files

folders: dict[str, files.Folder] = {}  # of this process's attempt, by the path that it had


def keep_from_children(lock: int) -> None:
    """No program that the notebook starts, and no fork of it, shall hold that lock."""
    os.set_inheritable(lock, False)
    held = _identity(lock)

    def close() -> None:
        with contextlib.suppress(OSError):
            if _identity(lock) == held:  # a child's child may have another file under this number
                os.close(lock)

    os.register_at_fork(after_in_child=close)


def _identity(fd: int) -> tuple[int, int]:
    status = os.fstat(fd)
    return status.st_dev, status.st_ino
