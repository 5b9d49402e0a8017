"""What papermill 2.7 writes into a notebook, so that its readers and scrapbook's work.

A run that did not succeed has `exception` true in papermill's metadata, whatever ended it, and so
has the cell that it ended in: papermill's own words know nothing of signals and stops.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nbbg import model

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nbbg.store.told import Cell

Json = dict[str, Any]
VERSION = "2.7.0"  # of papermill, whose form this is
ERROR_TAG = "papermill-error-cell-tag"
_ANCHOR = "papermill-error-cell"
_STYLE = (
    'style="color:red; font-family:Helvetica Neue, Helvetica, Arial, sans-serif; font-size:2em;"'
)
_PENDING: Json = {
    "duration": None,
    "end_time": None,
    "exception": None,
    "start_time": None,
    "status": "pending",
}


def of_run(run: model.Run) -> Json:
    """The `papermill` of a notebook's metadata."""
    return {
        "default_parameters": {},
        "duration": _duration(run.started_at, run.ended_at),
        "end_time": _iso(run.ended_at),
        "environment_variables": {},
        "exception": True if _went_wrong(run) else None,
        "input_path": run.arm.notebook,
        "output_path": run.arm.output_of(run.number, run.id),
        "parameters": dict(run.arm.params),
        "start_time": _iso(run.started_at),
        "version": VERSION,
    }


def mark_cells(
    cells: list[Json], run: model.Run, told: Mapping[int, Cell], skipped: Iterable[int]
) -> None:
    """Give every cell its tags and its `papermill`: when it ran, and how it ended."""
    begun = max(told, default=-1)
    if isinstance(run.state, model.Succeeded) and not run.state.left_out:
        begun = len(cells)
    passed_over = set(skipped)
    at = run.started_at
    for index, cell in enumerate(cells):
        if seen := told.get(index):
            times = _of_cell(seen, run)
            at = seen.ended_at or run.ended_at or at
        elif at and index < begun and (cell["cell_type"] != "code" or index in passed_over):
            times = _times(at, at, "completed")
        else:
            times = dict(_PENDING)
        metadata = cell.get("metadata") or {}
        cell["metadata"] = {"tags": [], **metadata, "papermill": times}


def with_banner(notebook: Json, run: model.Run, cell: int | None) -> Json:
    """The notebook with what went wrong at its top, and a mark above the cell where it did.

    Cells of papermill's own tag, which papermill and scrapbook take away again.

    Args:
        notebook: as composed; it is not changed.
        run: its run.
        cell: index of the cell that it ended in, if any.
    """
    if not _went_wrong(run):
        return notebook
    import html

    says = html.escape(f"{run.state.word}: {run.state.reason}".rstrip(": "))
    link = ""
    cells = list(notebook["cells"])
    if cell is not None:
        count = cells[cell].get("execution_count") or " "
        link = f" at '<a href=\"#{_ANCHOR}\">In [{count}]</a>'"
        text = f'<span id="{_ANCHOR}" {_STYLE}>The run ended here:</span>'
        cells.insert(cell, _marked(text, "papermill-error-mark"))
    text = f"<span {_STYLE}>Run {run.id}{link} {says}</span>"
    return {**notebook, "cells": [_marked(text, "papermill-error-banner"), *cells]}


def _marked(text: str, name: str) -> Json:
    text = " ".join(text.split())  # one line is one piece of HTML, whatever an exception says
    return {
        "cell_type": "markdown",
        "id": name,
        "metadata": {"tags": [ERROR_TAG]},
        "source": text,
    }


def _went_wrong(run: model.Run) -> bool:
    return run.ended and not isinstance(run.state, model.Succeeded)


def _of_cell(cell: Cell, run: model.Run) -> Json:
    if cell.ended_at:
        status = "failed" if cell.status == "error" else "completed"
        return _times(cell.began_at, cell.ended_at, status)
    if not run.ended:
        return _times(cell.began_at, None, "running")
    status = "failed" if _went_wrong(run) else "completed"
    return _times(cell.began_at, run.ended_at, status)


def _times(start: float, end: float | None, status: str) -> Json:
    return {
        "duration": _duration(start, end),
        "end_time": _iso(end),
        "exception": status == "failed",
        "start_time": _iso(start),
        "status": status,
    }


def _duration(start: float | None, end: float | None) -> float | None:
    return round(end - start, 6) if start and end else None


def _iso(when: float | None) -> str | None:
    """ISO 8601 in UTC, or nothing where there is no time, or none that a calendar has."""
    try:
        return datetime.fromtimestamp(when, UTC).isoformat() if when else None
    except (OverflowError, ValueError, OSError):
        return None
