"""Whether another attempt follows on one that did not succeed, and when: from the facts alone.

The number of the attempt is the count, its end the time, `stop.json` the end of all trying. So
readers, a supervisor and the supervisor after it say the same, and nothing has to be remembered.
An attempt that a person asks for beyond the count is one attempt.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING

from nbbg import files, model, paths
from nbbg.store import endings

if TYPE_CHECKING:
    from pathlib import Path

LONGEST = 600.0  # seconds that a delay grows to by doubling
_SIGNS = (paths.TICKET, paths.PROCESS, paths.CELLS, paths.LOG)  # of life


def again(
    batch: model.Batch,
    attempt: int,
    found: model.RunState,
    folder: str | Path,
    ended_at: float | None = None,
) -> model.Again | None:
    """The attempt that follows by itself on this one, the run's newest; None where none does.

    Args:
        batch: its batch.
        attempt: its number.
        found: its state, as derived.
        folder: its own.
        ended_at: when it ended, where that was read already; seconds since the epoch.
    """
    if attempt > batch.retries or found.word not in batch.retry_on:
        return None
    with files.Folder(folder) as opened:
        if opened.exists(paths.STOP):  # a person, during the delay; or too late to end the attempt
            return None
        at = (ended_at or _over_at(opened)) + delay(batch, attempt)
    reason = f", {found.reason}" if found.reason else ""
    after = f"{found.word}{reason}"
    # A clock that was set back since must not make the delay longer.
    left = min(at - time.time(), delay(batch, attempt))
    return model.Again(attempt + 1, batch.retries + 1, at, left, after)


def delay(batch: model.Batch, attempt: int) -> float:
    """Seconds between that attempt's end and the next one's start: doubled from one to the next."""
    doubled = batch.retry_delay * 2.0 ** min(attempt - 1, 64)
    return min(doubled, max(LONGEST, batch.retry_delay))


def over_at(folder: str | Path) -> float:
    """When the attempt in that folder ended; where nothing says so, its last sign of life."""
    with files.Folder(folder) as opened:
        return _over_at(opened)


def _over_at(attempt: files.Folder) -> float:
    with contextlib.suppress(ValueError):
        if told := endings.at(attempt, attempt.read_json(paths.RESULT) or {}):
            return told
    signs = [0.0]
    for name in _SIGNS:
        with contextlib.suppress(FileNotFoundError):
            signs.append(os.stat(name, dir_fd=attempt.fd).st_mtime)
    return max(signs)
