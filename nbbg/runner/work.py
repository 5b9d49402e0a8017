"""What a runner knows of its attempt, and how the engine's process ended."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING

from nbbg import paths
from nbbg.classes import dataclass, replace
from nbbg.store import batches, changes, place, plans, runs

if TYPE_CHECKING:
    from pathlib import Path

    from nbbg import model


@dataclass(frozen=True)
class Place:
    """An attempt as the records of its batch tell it."""

    batch_folder: Path
    batch: model.Batch
    run: model.Run


@dataclass(frozen=True)
class Work(Place):
    """What the attempt is about."""

    environment: dict[str, str]
    marker: str
    held: tuple[int, ...]  # descriptors of the attempt's lock and of its slots
    decided_at: float  # when it was decided to start it, seconds since the epoch
    cold: str = ""  # why it is not forked from a template, where others of its batch are


@dataclass(frozen=True)
class Exit:
    """How the engine's process ended."""

    status: int  # negative: a signal
    at: float  # when it was seen, seconds since the epoch
    interrupted: bool = False  # by a stop, before the notebook's end
    max_rss: int = 0  # bytes
    cpu_seconds: float = 0.0
    out_of_memory: bool = False
    limit: model.TimedOut | None = None  # of time, that was over
    limit_at: float = 0.0  # when, seconds since the epoch


def batch_in(folder: Path) -> model.Batch:
    """The batch in that folder; read once, for its record is a fact.

    Raises:
        StoreError: it can't be read.
    """
    try:
        status = os.stat(folder / paths.BATCH, follow_symlinks=False)
    except OSError:
        return batches.read_folder(folder)
    return _read(folder, (status.st_dev, status.st_ino, status.st_mtime_ns))


@functools.lru_cache(maxsize=1)
def _read(folder: Path, _stamp: tuple[int, ...]) -> model.Batch:
    return batches.read_folder(folder)


def locate(path: Path) -> Place:
    """The attempt in that folder.

    Raises:
        StoreError: the records of its batch can't be read.
    """
    folder = path.parents[2]
    batch = batch_in(folder)
    batch = replace(batch, jobs=changes.read(folder, batch).jobs)
    plan = plans.find(folder / paths.PLAN, int(path.parent.name))
    return Place(folder, batch, runs.planned(place.of_batch(folder), batch, plan, int(path.name)))
