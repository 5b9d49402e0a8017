"""What a host is asked, and told: what was decided here since, and which results are here."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

from nbbg import files, paths
from nbbg.store import batches, hosts, submissions

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path


def about(batch: Path) -> dict[str, Any]:
    """What a question about one batch begins with: whose it is, which, and when it was made.

    Raises:
        NbbgError: the records here can't be read.
    """
    record = batches.read_folder(batch)
    token = hosts.token(batch.parents[1])
    return {"token": token, "batch": record.id, "made": record.created_at}


def of(batch: Path, host: str) -> dict[str, Any]:
    """The question about one batch, to one host.

    Raises:
        OSError: the records here can't be read.
    """
    made = submissions.of(batch)
    settled: dict[int, list[int]] = {}
    asked = []
    for run, attempt, folder in _attempts(batch):
        if (folder / paths.RESULT).exists():
            settled.setdefault(attempt, []).append(run)
        elif (folder / paths.STOP).exists() and submissions.host_of(made, run) == host:
            asked.append((run, attempt))
    return {
        "made": batches.read_folder(batch).created_at,
        "settled": {number: submissions.ranges(found) for number, found in settled.items()},
        "orders": orders(batch, asked),
    }


def orders(batch: Path, asked: Collection[tuple[int, int]]) -> dict[str, Any]:
    """What was decided about a batch, and about those attempts of it that were asked to stop."""
    with files.Folder(batch) as folder, contextlib.suppress(ValueError):
        stop = folder.read_json(paths.STOP)
        return {"stop": stop, "changes": _changes(batch), "stops": _stops(batch, asked)}
    return {}


def _changes(batch: Path) -> dict[str, Any]:
    try:
        names = os.listdir(batch / paths.CHANGES)
    except FileNotFoundError:
        return {}
    with files.Folder(batch / paths.CHANGES) as opened:
        return {
            name.removesuffix(".json"): opened.read_json(name)
            for name in names
            if name.removesuffix(".json").isdigit()
        }


def _stops(batch: Path, asked: Collection[tuple[int, int]]) -> dict[int, Any]:
    found = {}
    for run, attempt in asked:
        with files.Folder(batch / paths.RUNS / str(run) / str(attempt)) as opened:
            record = opened.read_json(paths.STOP) or {}
        found[run] = {"attempt": attempt, "by": record.get("by", "somebody")}
    return found


def _attempts(batch: Path) -> Iterator[tuple[int, int, Path]]:
    for name in os.listdir(batch / paths.RUNS):
        if name.isdigit():
            folder = batch / paths.RUNS / name
            for number in os.listdir(folder):
                if number.isdigit():
                    yield int(name), int(number), folder / number
