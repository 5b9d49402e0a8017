"""What executors last said of attempts that can't be seen from this machine: `told.json`.

No fact, and never trusted over one: it explains a missing result, and says as of when. Whoever
asks an executor replaces the file; whoever derives a state reads it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from nbbg import files, model, paths

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

GRACE = 90.0  # seconds for which an attempt must be gone before it is lost: its result may travel
STALE = 300.0  # seconds after which a word is as good as none


def write(batch: Path, told: Mapping[str, model.Told]) -> None:
    """Keep what was said now, by `RUN/ATTEMPT`; since when, where it was said before.

    Raises:
        OSError: it can't be written.
    """
    before = _read(batch).get("tickets", {})
    now = time.time()
    tickets = {}
    for name, one in told.items():
        old = before.get(name, {})
        since = old.get("since", now) if old.get("word") == one.word else now
        tickets[name] = {"word": one.word, "reason": one.reason, "since": since}
    with files.Folder(batch) as folder:
        folder.replace(paths.TOLD, files.to_json({"at": now, "tickets": tickets}))


def asked_at(batch: Path) -> float:
    """When the executor of that batch was last asked; 0: never."""
    return float(_read(batch).get("at", 0.0))


def of(attempt: Path) -> model.Told | None:
    """What was last said of an attempt; None where nobody asked, or too long ago."""
    record = _read(attempt.parents[2])
    told = record.get("tickets", {}).get(f"{attempt.parent.name}/{attempt.name}")
    if told is None or time.time() - float(record.get("at", 0.0)) > STALE:
        return None
    return model.Told(model.Word(told["word"]), str(told["reason"]), float(told["since"]))


def _read(batch: Path) -> dict[str, Any]:
    """The record; what can't be read was never said."""
    try:
        with files.Folder(batch) as folder:
            return folder.read_json(paths.TOLD) or {}
    except (OSError, ValueError):
        return {}
