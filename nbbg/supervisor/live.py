"""A run that was started, and the process whose exit says that it may have ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbbg import files, model, process
from nbbg.classes import dataclass
from nbbg.store import state

if TYPE_CHECKING:
    from pathlib import Path

NOBODY = model.Identity(0, 0)


@dataclass
class Live:
    """A run that was started, and whose exit is waited for."""

    attempt: int
    folder: Path
    watch: process.Watch
    looked_at: float = 0.0  # on the monotonic clock


def watch_of(attempt: Path) -> process.Watch:
    """Watch what is alive of an attempt: its runner, or the engine that outlived it."""
    with files.Folder(attempt) as opened:
        for who in state.members(opened):
            if process.alive(who):
                return process.Watch(who)
    return process.Watch(NOBODY)
