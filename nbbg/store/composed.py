"""The executed notebook, composed from the frozen notebook, the journal and the log.

By anyone, at any instant, also after a SIGKILL. The journal says where in the log each cell's
output stands; bytes that it does not name are the standard output of the cell that was running.
Both are read piece by piece, and of each cell as much is kept as the output cap allows.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from nbbg import files, model, secrets
from nbbg.errors import StoreError
from nbbg.notebook.injection import inject
from nbbg.store import kept, papermill
from nbbg.store.told import Log, Told

if TYPE_CHECKING:
    from pathlib import Path

Json = dict[str, Any]


def compose(
    batch_folder: Path,
    batch: model.Batch,
    run: model.Run,
    cap: int | None = None,
    *,
    banner: bool = False,
) -> Json:
    """The executed notebook of a run as far as it has come, as nbformat-4 JSON.

    Args:
        batch_folder: of its batch.
        batch: the batch.
        run: the run, as its records tell it now.
        cap: bytes of output that a cell keeps, 0 for all; without it, what the batch says.
        banner: whether cells at the top, and where it ended, say what went wrong.
    """
    notebook = read_executable(batch_folder, run.arm)
    cells = notebook["cells"]
    budget = kept.Budget(run.id, kept.cap_of(batch.facts) if cap is None else cap)
    with files.Folder(run.folder) as folder:
        log = Log(folder)
        try:
            told = Told(log, budget, [cell["cell_type"] == "code" for cell in cells])
            told.read(folder)
        finally:
            log.close()
    hidden = secrets.values()
    for cell in told.cells.values():
        cells[cell.index]["execution_count"] = cell.count
        cells[cell.index]["outputs"] = cell.outputs.finished(hidden)
    papermill.mark_cells(cells, run, told.cells, told.skipped)
    about = {"papermill": papermill.of_run(run), "nbbg": _about(batch, run, told, log)}
    notebook["metadata"] = {**notebook.get("metadata", {}), **about}
    return papermill.with_banner(notebook, run, _last(told)) if banner else notebook


def read_executable(batch_folder: Path, arm: model.Arm) -> Json:
    """The notebook as the engine executes it: as it was at launch, with its parameters."""
    return inject(read_frozen(batch_folder, arm), arm.params, arm.injected)


def read_frozen(batch_folder: Path, arm: model.Arm) -> Json:
    """The notebook as it was at launch.

    Raises:
        StoreError: it can't be read.
    """
    path = batch_folder / arm.frozen
    try:
        frozen: Json = files.from_json(path.read_bytes())
        for part in (frozen, *frozen["cells"]):
            part["metadata"].keys()
        for cell in frozen["cells"]:
            "".join((cell["cell_type"], cell["source"]))  # texts
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        message = f"{path} can't be read: {error}"
        raise StoreError(message) from error
    return frozen


def to_bytes(notebook: Json) -> bytes:
    """The file's content, formatted as Jupyter does."""
    try:
        return _encoded(notebook)
    except ValueError:
        return _encoded(files.strict(notebook))


def _encoded(notebook: Json) -> bytes:
    encoder = json.JSONEncoder(indent=1, ensure_ascii=False, sort_keys=True, allow_nan=False)
    pieces = (piece.encode("utf-8", "replace") for piece in encoder.iterencode(notebook))
    return b"".join(pieces) + b"\n"


def notes(notebook: Json) -> list[str]:
    """Sentences about what the record of a composed notebook lacks."""
    found: list[str] = notebook["metadata"]["nbbg"].get("notes", [])
    return found


def _last(told: Told) -> int | None:
    return max(told.cells.values(), key=lambda cell: cell.began_at).index if told.cells else None


def _about(batch: model.Batch, run: model.Run, told: Told, log: Log) -> Json:
    about: Json = {
        "run": run.id,
        "batch": batch.id,
        "arm": run.arm.name,
        "number": run.number,
        "seed": run.seed,
        "attempt": run.attempt,
        "state": run.state.word,
        "reason": run.state.reason,
    }
    said = []
    if told.torn:
        about["torn_lines"] = told.torn
        said.append(f"its journal has {told.torn} torn lines; what they told is missing")
    if told.trimmed:
        said.append("its journal was cut (--log-max): displays of its middle are missing")
    if told.missing and log.had_bytes:
        said.append(f"its journal is missing; what was printed is in the log: nbbg logs {run.id}")
    if log.missing and told.cells:
        said.append("its log is missing; what was printed is not in here")
    return {**about, "notes": said} if said else about
