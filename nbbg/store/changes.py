"""What a person changed about a batch since its launch: jobs, pause, resume, hosts.

Each change is a fact of its own, `changes/1.json`, `2.json` and so on, written once; of each kind
the newest counts.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from nbbg import files, model, paths, patterns
from nbbg.classes import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_NAME = patterns.late(r"([1-9]\d*)\.json")


@dataclass(frozen=True)
class Course:
    """What holds for a batch now."""

    jobs: int  # at a time
    paused_by: str = ""  # empty where it is not paused
    paused_at: float = 0.0  # seconds since the epoch; 0 where it is not paused
    resumed_at: float = 0.0  # when a person last said that it goes on; 0: never
    on: tuple[str, ...] = ()  # the hosts that are dealt to from now on; none: as at the launch


def read(folder: Path, batch: model.Batch) -> Course:
    """What holds for the batch in that folder now."""
    jobs, paused_by, paused_at, resumed_at = batch.jobs, "", 0.0, 0.0
    on: tuple[str, ...] = ()
    for change in _all(folder):
        jobs = int(change.get("jobs", jobs))
        on = tuple(change.get("on", on))
        if change.get("paused") is True:
            paused_by, paused_at = str(change["by"]), float(change["at"])
        elif change.get("paused") is False:
            paused_by, paused_at, resumed_at = "", 0.0, float(change["at"])
    return Course(jobs, paused_by, paused_at, resumed_at, on)


def set_jobs(folder: Path, jobs: int, by: str) -> None:
    """From now on so many at a time."""
    _add(folder, {"jobs": jobs, "by": by, "at": time.time()})


def set_hosts(folder: Path, names: Sequence[str], by: str) -> None:
    """From now on runs are dealt to these."""
    _add(folder, {"on": list(names), "by": by, "at": time.time()})


def pause(folder: Path, by: str) -> None:
    """From now on nothing starts."""
    _add(folder, {"paused": True, "by": by, "at": time.time()})


def resume(folder: Path, by: str) -> None:
    """It goes on; failures are counted anew."""
    _add(folder, {"paused": False, "by": by, "at": time.time()})


def _all(folder: Path) -> list[dict[str, Any]]:
    numbers = _numbers(folder)
    if not numbers:
        return []
    with files.Folder(folder / paths.CHANGES) as opened:
        return [_one(opened, f"{number}.json") for number in numbers]


def _one(opened: files.Folder, name: str) -> dict[str, Any]:
    """One change; what can't be read is a pause: a person must have a look."""
    try:
        record = opened.read_json(name) or {}
        float(record["at"]), str(record["by"]), int(record.get("jobs", 1))
    except (ValueError, KeyError, TypeError, OSError):
        at = os.stat(name, dir_fd=opened.fd, follow_symlinks=False).st_mtime
        return {"paused": True, "by": f"{paths.CHANGES}/{name}, which can't be read", "at": at}
    return record


def _numbers(folder: Path) -> list[int]:
    try:
        names = os.listdir(folder / paths.CHANGES)
    except FileNotFoundError:
        return []
    return sorted(int(match[1]) for name in names if (match := _NAME.fullmatch(name)))


def _add(folder: Path, change: dict[str, Any]) -> None:
    made = folder / paths.CHANGES
    if not made.exists():
        files.make_folder(made)
        files.fsync_folder(folder)
    with files.Folder(made) as opened:
        while True:
            number = max(_numbers(folder), default=0) + 1
            try:
                opened.write_once(f"{number}.json", files.to_json(change))
            except FileExistsError:  # another person's, at the same instant
                continue
            return
