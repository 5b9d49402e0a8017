"""The executed notebook, composed from the frozen notebook, the journal and the log.

By anyone, at any instant, also after a SIGKILL. The journal says where in the log each cell's
output stands; bytes that it does not name are the standard output of the cell that was running.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nbbg import files, paths, secrets
from nbbg.notebook.injection import inject

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from nbbg import model

Json = dict[str, Any]


@dataclass
class _Cell:
    """What the journal tells of one cell."""

    index: int
    count: int | None
    start: int
    began_at: float
    ended_at: float | None = None
    status: str = "running"
    end: int = 0  # where the next cell's output begins
    events: list[Json] = field(default_factory=list)


def compose(batch_folder: Path, batch: model.Batch, run: model.Run) -> Json:
    """The executed notebook of a run as far as it has come, as nbformat-4 JSON."""
    notebook = read_executable(batch_folder, run.arm)
    with files.Folder(run.folder) as folder:
        lines = folder.read(paths.CELLS) or b""
        log = folder.read(paths.LOG) or b""
    events = list(files.read_lines(lines))
    hidden = secrets.values()
    updates: dict[str, Json] = {}
    cells = _cells(events, len(log), updates)
    for cell in cells:
        target = notebook["cells"][cell.index]
        target["execution_count"] = cell.count
        target["outputs"] = _outputs(cell, log, updates, hidden)
        target["metadata"] = {**target.get("metadata", {}), "papermill": _cell_times(cell)}
    skipped = {event["cell"] for event in events if event.get("status") == "skipped"}
    _mark_others(notebook, {cell.index for cell in cells}, skipped)
    notebook["metadata"] = {**notebook.get("metadata", {}), **_run_metadata(batch, run)}
    if torn := max(0, lines.count(b"\n") - len(events)):
        notebook["metadata"]["nbbg"]["torn_lines"] = torn
    return notebook


def read_executable(batch_folder: Path, arm: model.Arm) -> Json:
    """The notebook as the engine executes it: as it was at launch, with its parameters."""
    frozen: Json = json.loads((batch_folder / arm.frozen).read_bytes())
    return inject(frozen, arm.params, arm.injected)


def to_bytes(notebook: Json) -> bytes:
    """The file's content, formatted as Jupyter does."""
    encoder = json.JSONEncoder(indent=1, ensure_ascii=False, sort_keys=True, allow_nan=False)
    try:
        text = encoder.encode(notebook)
    except ValueError:
        text = encoder.encode(files.strict(notebook))
    return (text + "\n").encode("utf-8", "replace")


def _cells(events: Iterable[Json], log_size: int, updates: dict[str, Json]) -> list[_Cell]:
    cells: list[_Cell] = []
    for event in events:
        kind = event.get("event")
        if kind == "cell":
            if cells:
                cells[-1].end = event["log"]
            cells.append(_Cell(event["cell"], event["count"], event["log"], event["time"]))
        elif kind == "cell_end" and event["status"] == "skipped":
            continue
        elif cells and kind == "cell_end":
            cells[-1].status, cells[-1].ended_at = event["status"], event["time"]
        elif cells and kind in ("stream", "display", "clear"):
            cells[-1].events.append(event)
        if kind in ("display", "update") and event["display_id"]:
            updates[event["display_id"]] = event.get("output", event)
    if cells:
        cells[-1].end = log_size
    return cells


class _Outputs:
    """The outputs of one cell, in the making."""

    def __init__(self, log: bytes, hidden: list[str]) -> None:
        self.log, self.hidden = log, hidden
        self.outputs: list[Json] = []
        self.clear_at_next = False

    def stream(self, name: str, start: int, end: int) -> None:
        piece = self.log[start:end]
        if not piece:
            return
        self._clear_if_due()
        last = self.outputs[-1] if self.outputs else None
        if last and last["output_type"] == "stream" and last["name"] == name:
            last["text"].append(piece)
        else:
            self.outputs.append({"output_type": "stream", "name": name, "text": [piece]})

    def display(self, output: Json) -> None:
        self._clear_if_due()
        self.outputs.append(copy.deepcopy(output))

    def clear(self, *, wait: bool) -> None:
        if wait:
            self.clear_at_next = True
        else:
            self.outputs.clear()

    def finished(self) -> list[Json]:
        for output in self.outputs:
            if output["output_type"] == "stream":
                text = collapse(b"".join(output["text"]).decode("utf-8", "replace"))
                output["text"] = secrets.mask(text, self.hidden)
        return self.outputs

    def _clear_if_due(self) -> None:
        if self.clear_at_next:
            self.outputs.clear()
            self.clear_at_next = False


def _outputs(cell: _Cell, log: bytes, updates: Mapping[str, Json], hidden: list[str]) -> list[Json]:
    made = _Outputs(log, hidden)
    at = cell.start
    for event in cell.events:
        start, end = event["log"] if event["event"] == "stream" else (event["log"], event["log"])
        made.stream("stdout", at, min(start, cell.end))
        match event["event"]:
            case "stream":
                made.stream(event["name"], max(start, at), end)
            case "display":
                made.display(_updated(event, updates))
            case _:
                made.clear(wait=event["wait"])
        at = max(at, end)
    made.stream("stdout", at, cell.end)
    return made.finished()


def _updated(event: Json, updates: Mapping[str, Json]) -> Json:
    output: Json = event["output"]
    update = updates.get(event.get("display_id") or "")
    if update is None:
        return output
    return {**output, "data": update["data"], "metadata": update["metadata"]}


def collapse(text: str) -> str:
    """Carriage returns as a terminal shows them: of a progress bar, its last state."""
    if "\r" not in text:
        return text
    return "\n".join(_overwritten(line) for line in text.replace("\r\n", "\n").split("\n"))


def _overwritten(line: str) -> str:
    shown = ""
    for part in line.split("\r"):
        shown = part + shown[len(part) :]
    return shown.rstrip() if "\r" in line else line


def _cell_times(cell: _Cell) -> Json:
    ended = cell.ended_at
    status = {"ok": "completed", "error": "failed"}.get(cell.status, cell.status)
    return {
        "start_time": iso(cell.began_at),
        "end_time": iso(ended) if ended else None,
        "duration": round(ended - cell.began_at, 6) if ended else None,
        "exception": cell.status == "error",
        "status": status,
    }


def _mark_others(notebook: Json, seen: set[int], skipped: set[int]) -> None:
    """The code cells that did not begin: passed over on purpose, or still to come."""
    for index, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] == "code" and index not in seen:
            status = "skipped" if index in skipped else "pending"
            cell["metadata"] = {**cell.get("metadata", {}), "papermill": {"status": status}}


def _run_metadata(batch: model.Batch, run: model.Run) -> Json:
    start, end = run.started_at, run.ended_at
    duration = round(end - start, 6) if start and end else None
    return {
        "papermill": {
            "parameters": dict(run.arm.params),
            "input_path": run.arm.notebook,
            "output_path": run.arm.output_of(run.number),
            "start_time": iso(start) if start else None,
            "end_time": iso(end) if end else None,
            "duration": duration,
            "exception": None if not run.ended else run.state.word != "succeeded",
        },
        "nbbg": {
            "run": run.id,
            "batch": batch.id,
            "arm": run.arm.name,
            "number": run.number,
            "seed": run.seed,
            "attempt": run.attempt,
            "state": run.state.word,
            "reason": run.state.reason,
        },
    }


def iso(when: float) -> str:
    """ISO 8601 in UTC."""
    return datetime.fromtimestamp(when, UTC).isoformat()
