"""What is written when the engine has ended: the ending, and the executed notebook."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbbg import files, journal, logs, paths
from nbbg.classes import replace
from nbbg.errors import NbbgError
from nbbg.runner.work import locate
from nbbg.store import composed, endings, reading, requests

if TYPE_CHECKING:
    from nbbg import model
    from nbbg.runner.work import Exit, Place


def of(folder: files.Folder, end: Exit) -> dict[str, Any]:
    """The content of `result.json`, after the executed notebook has been put in its place."""
    cell = journal.find_last(folder, paths.CELLS, "cell") or {}
    by, asked_at = requests.stop_of(folder)
    at = _place(folder)
    if at and at.run.arm.log_only:
        from nbbg.runner import plain

        plain.tell_end(folder, at, end)
    last = journal.find_last(folder, paths.CELLS, "end")
    if end.interrupted and last:  # whatever the clock says since
        asked_at = min(asked_at, last["time"])
    around = endings.Circumstances(
        stopped_by=by if asked_at <= end.at or end.interrupted else "",
        stopped_at=asked_at,
        heard=end.interrupted or folder.exists(paths.LISTENS),
        cell=cell.get("ordinal"),
        out_of_memory=end.out_of_memory,
        limit=end.limit,
        limit_at=end.limit_at,
        why=_why(folder),
    )
    ending = endings.decide(last, end.status, around)
    ended_at = time.time()
    record = {
        **endings.to_json(ending),
        "ended_at": ended_at,
        "max_rss": end.max_rss,
        "cpu_seconds": end.cpu_seconds,
    }
    return with_notebook(folder, record, at)


def with_notebook(
    folder: files.Folder, record: dict[str, Any], at: Place | None = None
) -> dict[str, Any]:
    """The record, after the executed notebook was put in its place, unless it is there already."""
    if "output" in record:
        return record
    ending = endings.from_json(record)
    said = record.get("output_error", "")
    record = {name: value for name, value in record.items() if name != "output_error"}
    if said and "note" in record:
        record["note"] = record["note"].removesuffix(said).removesuffix("; ")
        ending = replace(ending, note=record["note"])
    try:
        found = at or locate(Path(folder.where()))
        record["output"] = _write_notebook(found, ending, record["ended_at"])
    except Exception as error:  # noqa: BLE001 - the notebook is a view, the ending a fact
        unwritten = f"its notebook could not be written: {error}"
        record["output_error"] = unwritten
        if "note" in record:
            record["note"] = "; ".join(filter(None, (record["note"], unwritten)))
    return record


def _place(folder: files.Folder) -> Place | None:
    """Where the attempt belongs; None where the records of its batch can't be read any more."""
    with contextlib.suppress(NbbgError, OSError):
        return locate(Path(folder.where()))
    return None


def _why(folder: files.Folder) -> str:
    """What an engine said that ended before it could begin, such as a broken interpreter."""
    if journal.first(journal.read_head(folder, paths.CELLS), "begin"):
        return ""
    said = logs.last_line(os.path.join(folder.where(), paths.LOG))
    return f"its interpreter could not start the notebook; its last line: {said}" if said else ""


def _write_notebook(at: Place, ending: model.Ended, ended_at: float) -> str | None:
    if at.run.arm.log_only:
        return None
    seen = replace(reading.read_attempt(at.run), state=ending, ended_at=ended_at)
    notebook = composed.to_bytes(composed.compose(at.batch_folder, at.batch, seen, banner=True))
    return put_beside_older(seen.arm.output_of(seen.number, seen.id), notebook)


def put_beside_older(path: str, data: bytes) -> str:
    """Write a file; one that is there already is kept under a numbered name."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with files.Folder(target.parent) as folder:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(folder.fd, fcntl.LOCK_EX)  # against another run that writes it now
        if folder.exists(target.name):
            os.rename(target, _free_name(target))
        folder.write_once(target.name, data, files.users_mode())
    return path


def _free_name(target: Path) -> Path:
    number = 1
    while (candidate := target.with_name(f"{target.name}.~{number}~")).exists():
        number += 1
    return candidate
