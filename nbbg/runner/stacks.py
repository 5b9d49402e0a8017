"""Asking a live run where its code stands; the engine answers into `stacks.txt` (`nbbg.stacks`)."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from nbbg import files, paths, process, stacks

if TYPE_CHECKING:
    from nbbg.files import Folder
    from nbbg.model import Identity

PATIENCE = 1.0  # seconds; a process that a signal has stopped never answers
_SETTLED = 0.1  # seconds without another line, after which an answer is whole
_NAP = 0.01


def ask(folder: Folder, engine: Identity, patience: float = PATIENCE) -> bool:
    """Have the stacks of all threads written down; whether there was an answer.

    Args:
        folder: of the attempt.
        engine: its process, or that of the kernel's engine.
        patience: seconds to wait.
    """
    who = _listener(engine)
    if who is None:
        return False
    from datetime import UTC, datetime  # by few runners

    head = f"{stacks.HEAD}{datetime.now(UTC).isoformat(timespec='milliseconds')} pid {who.pid}\n"
    fd = folder.open(paths.STACKS, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        files.write_all(fd, head.encode())
        size = os.fstat(fd).st_size
        process.send(who, stacks.SIGNAL)
        return _wait(fd, size, patience)
    finally:
        os.close(fd)


def remove_empty(folder: Folder) -> None:
    """Without an answer there is no file."""
    if not folder.read(paths.STACKS):
        folder.remove(paths.STACKS)


def _wait(fd: int, size: int, patience: float) -> bool:
    """Wait until the file has grown, and then until it grows no more."""
    deadline = time.monotonic() + patience
    settled, seen = deadline, size
    while time.monotonic() < min(deadline, settled):
        time.sleep(_NAP)
        if (now := os.fstat(fd).st_size) > seen:
            seen, settled = now, time.monotonic() + _SETTLED
    return seen > size


def _listener(engine: Identity) -> Identity | None:
    """The process that answers: the engine itself, or the kernel, which is its child.

    To one that does not listen the signal would be the end.
    """
    if not stacks.SIGNAL:
        return None
    children = [each.identity for each in process.processes() if each.parent == engine.pid]
    known = [who for who in (engine, *children) if process.alive(who)]
    return next((who for who in known if process.catches(who, stacks.SIGNAL)), None)
