"""What executors last said of attempts that can't be seen from this machine: `told.json`.

No fact, and never trusted over one: it explains a missing result, and says as of when. Whoever
asks an executor replaces the file; whoever derives a state reads it. Attempts are named
`RUN/ATTEMPT`, runs that were never started by their id alone.
"""

from __future__ import annotations

import functools
import os
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from nbbg import files, model, paths

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

GRACE = 90.0  # seconds for which an attempt must be gone before it is lost: its result may travel
FRESH = 3.0  # seconds for which an answer is not asked for again, unless the settings say so
STALE = 300.0  # seconds after which a word is as good as none


_pace = [1.0]  # how much more seldom than that this process asks


def pace(every: float) -> None:
    """What the setting `ask_every` says, in seconds, to this process."""
    _pace[0] = every / FRESH


def is_fresh(batch: Path, seconds: float) -> bool:
    """Whether the executor of that batch was asked a moment ago.

    Args:
        batch: its folder.
        seconds: for which an answer is good enough, at the pace of the default.
    """
    return time.time() - float(_read(batch).get("at", 0.0)) < seconds * _pace[0]


def write(batch: Path, told: Mapping[str, model.Told]) -> None:
    """Keep what was said now, and since when, where it was said before.

    Of what waits, most are told alike: that is kept once.

    Raises:
        OSError: it can't be written.
    """
    record = _read(batch)
    before, now = record.get("tickets", {}), time.time()
    waiting = Counter((one.word, one.reason) for name, one in told.items() if "/" not in name)
    alike = waiting.most_common(1)[0][0] if waiting else None
    tickets = {}
    for name, one in told.items():
        if "/" in name or (one.word, one.reason) != alike:
            old = before.get(name, {})
            since = old.get("since", now) if old.get("word") == one.word else now
            since = one.since or since
            tickets[name] = {"word": one.word, "reason": one.reason, "since": since}
    kept = {"at": now, "waiting": alike, "tickets": tickets}
    with files.Folder(batch) as folder:
        folder.replace(paths.TOLD, files.to_json(kept))


def forget(batch: Path) -> None:
    """What was said before runs were handed over says nothing of them."""
    with files.Folder(batch) as folder:
        folder.remove(paths.TOLD)


def of(attempt: Path) -> model.Told | None:
    """What was last said of an attempt; None where nobody asked, or too long ago."""
    return _named(_fresh(attempt.parents[2]), f"{attempt.parent.name}/{attempt.name}")


def of_waiting(batch: Path) -> tuple[model.Told | None, dict[int, model.Told]]:
    """What was last said of the runs that were never started, and the exceptions by run."""
    record = _fresh(batch)
    alike = record.get("waiting")
    common = model.Told(model.Word(alike[0]), str(alike[1])) if alike else None
    names = (name for name in record.get("tickets", {}) if "/" not in name)
    return common, {int(name): told for name in names if (told := _named(record, name))}


def _named(record: Mapping[str, Any], name: str) -> model.Told | None:
    told = record.get("tickets", {}).get(name)
    if told is None:
        return None
    return model.Told(model.Word(told["word"]), str(told["reason"]), float(told["since"]))


def _fresh(batch: Path) -> Mapping[str, Any]:
    record = _read(batch)
    stale = STALE * max(1.0, _pace[0])
    return record if time.time() - float(record.get("at", 0.0)) <= stale else {}


def _read(batch: Path) -> Mapping[str, Any]:
    """The record; what can't be read was never said."""
    path = os.path.join(batch, paths.TOLD)
    try:
        status = os.stat(path)
    except OSError:
        return {}
    return _parsed(path, status.st_ino, status.st_mtime_ns)


@functools.lru_cache(maxsize=16)
def _parsed(path: str, inode: int, modified: int) -> Mapping[str, Any]:  # noqa: ARG001 - tell versions apart
    try:
        with files.Folder(os.path.dirname(path)) as folder:
            return folder.read_json(paths.TOLD) or {}
    except (OSError, ValueError):
        return {}
