"""What is written when the engine has ended: the ending, and the executed notebook."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbbg import files, journal, paths, secrets
from nbbg.runner.work import locate
from nbbg.store import composed, endings, runs, state

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbbg import model
    from nbbg.runner.work import Exit, Place


def of(folder: files.Folder, end: Exit) -> dict[str, Any]:
    """The content of `result.json`, after the executed notebook has been put in its place."""
    cell = journal.find_last(folder, paths.CELLS, "cell") or {}
    by, asked_at = state.stop_of(folder)
    last = journal.find_last(folder, paths.CELLS, "end")
    interrupted = end.interrupted_at and end.interrupted_at <= (last or {}).get("time", 0.0)
    around = endings.Circumstances(
        stopped_by=by if asked_at <= end.at else "",
        stopped_at=asked_at,
        heard=bool(interrupted) or folder.exists(paths.LISTENS),
        cell=cell.get("ordinal"),
        out_of_memory=end.out_of_memory,
    )
    ending = endings.decide(last, end.status, around)
    record = {
        **endings.to_json(ending),
        "max_rss": end.max_rss,
        "cpu_seconds": end.cpu_seconds,
    }
    try:
        record["output"] = _write_notebook(locate(Path(folder.where())), ending)
    except Exception as error:  # noqa: BLE001 - the notebook is a view, the ending a fact
        record["output_error"] = f"its notebook could not be written: {error}"
    return record


def _write_notebook(at: Place, ending: model.Ended) -> str:
    seen = replace(runs.read_attempt(at.run), state=ending, ended_at=time.time())
    notebook = composed.to_bytes(composed.compose(at.batch_folder, at.batch, seen, banner=True))
    return put_beside_older(seen.arm.output_of(seen.number), notebook)


def put_beside_older(path: str, data: bytes) -> str:
    """Write a file; one that is there already is kept under a numbered name."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with files.Folder(target.parent) as folder:
        if folder.exists(target.name):
            os.rename(target, _free_name(target))
        folder.write_once(target.name, data, 0o666 & ~_umask())
    return path


def _umask() -> int:
    """The user's own: what a run puts out is theirs, unlike the records."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _free_name(target: Path) -> Path:
    number = 1
    while (candidate := target.with_name(f"{target.name}.~{number}~")).exists():
        number += 1
    return candidate


def hide_secrets(folder: files.Folder, environment: Mapping[str, str]) -> None:
    """Overwrite in the log, in place, every secret that something else than Python wrote."""
    hidden = [os.fsencode(value) for value in secrets.values(environment)]
    if not hidden or not folder.exists(paths.LOG):
        return
    fd = folder.open(paths.LOG, os.O_RDWR)
    try:
        _overwrite(fd, hidden)
    finally:
        os.close(fd)


def _overwrite(fd: int, hidden: list[bytes]) -> None:
    overlap = max(len(value) for value in hidden)
    size, chunk, start = os.fstat(fd).st_size, 1 << 22, 0
    while start < size:
        piece = os.pread(fd, chunk + overlap, start)
        for value in hidden:
            at = piece.find(value)
            while at >= 0:
                os.pwrite(fd, b"*" * len(value), start + at)
                at = piece.find(value, at + len(value))
        start += chunk
