"""The lock that tells whether anything of an attempt, or a supervisor, is alive.

An open-file-description lock: it belongs to the open file, not to the process, so a child that
inherited the descriptor keeps it, and it is gone when the last of them is. Probing never takes
it. Where the platform has none (macOS), flock serves; a probe there takes it for an instant.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import time
from typing import TYPE_CHECKING

from nbbg.errors import EnvironmentFault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbbg.files import Folder

LOOK = 0.1  # seconds
_OFD = hasattr(fcntl, "F_OFD_SETLK")
_LOCK = struct.Struct("hhqqi4x")  # type, whence, start, length, pid


def take(fd: int) -> bool:
    """Take the lock; False where somebody has it."""
    try:
        if _OFD:
            fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _LOCK.pack(fcntl.F_WRLCK, 0, 0, 0, 0))
        else:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


@contextlib.contextmanager
def alone(folder: Folder, name: str, patience: float, busy: str) -> Iterator[int]:
    """Hold the lock of a file, after whoever has it; its descriptor.

    Args:
        folder: where the file is, or is made.
        name: of it.
        patience: seconds that the other one is waited for.
        busy: what is said when that was too long.

    Raises:
        EnvironmentFault: it was too long.
    """
    lock = folder.open(name, os.O_RDWR | os.O_CREAT)
    try:
        deadline = time.monotonic() + patience
        while not take(lock):
            if time.monotonic() > deadline:
                raise EnvironmentFault(busy)
            time.sleep(LOOK)
        yield lock
    finally:
        os.close(lock)


def is_held(fd: int) -> bool:
    """Whether somebody has it."""
    if _OFD:
        probe = fcntl.fcntl(fd, fcntl.F_OFD_GETLK, _LOCK.pack(fcntl.F_WRLCK, 0, 0, 0, 0))
        return bool(_LOCK.unpack(probe)[0] != fcntl.F_UNLCK)
    if not take(fd):
        return True
    fcntl.flock(fd, fcntl.LOCK_UN)
    return False


def take_byte(fd: int, at: int) -> bool:
    """Take one byte of a file, which may lie behind its end; False where it can't be had."""
    try:
        if _OFD:
            fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _LOCK.pack(fcntl.F_WRLCK, 0, at, 1, 0))
    except (BlockingIOError, PermissionError):
        return False
    return _OFD


def is_held_before(fd: int, at: int) -> bool:
    """Whether somebody else has a byte before that one."""
    if not _OFD or not at:
        return False
    probe = fcntl.fcntl(fd, fcntl.F_OFD_GETLK, _LOCK.pack(fcntl.F_WRLCK, 0, 0, at, 0))
    return bool(_LOCK.unpack(probe)[0] != fcntl.F_UNLCK)


def release(fd: int) -> None:
    """Give it back before the descriptor is closed."""
    if _OFD:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _LOCK.pack(fcntl.F_UNLCK, 0, 0, 0, 0))
    else:
        fcntl.flock(fd, fcntl.LOCK_UN)
