"""`nbbg notebook ID --into train.ipynb`: the outputs of a run, put into the user's own notebook.

Only where its code is what was run: the code cells are compared with those of the frozen notebook.
Of the notebook nothing changes but outputs and execution counts; the version before stays beside
it, and a script that it is paired with is not touched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbbg.classes import dataclass
from nbbg.errors import UsageError
from nbbg.notebook import ipynb, trust, userfiles
from nbbg.notebook.injection import INJECTED, tags_of
from nbbg.notebook.userfiles import NOTEBOOK, SCRIPT
from nbbg.store import composed

if TYPE_CHECKING:
    from pathlib import Path

    from nbbg import model

Json = dict[str, Any]
_IN_LINES = ("application/javascript", "image/svg+xml")  # besides text/*, as Jupyter writes them
_SHORT = 40  # characters of a source in a message


@dataclass(frozen=True)
class PutBack:
    """What was done; its text is the sentence for the person."""

    path: Path
    run: model.Run
    kept: Path | None  # the version before; None where it said the same already
    changed: bool

    def __str__(self) -> str:
        """Such as `train.ipynb: outputs of run 7; the version before is .train.ipynb.~1~`."""
        name = userfiles.shown(self.path)
        if not self.changed:
            return f"{name}: has the outputs of run {self.run.id} already"
        so_far = "" if self.run.ended else " so far"
        before = f"; the version before is {userfiles.shown(self.kept)}" if self.kept else ""
        return f"{name}: outputs of run {self.run.id}, {self.run.state.word}{so_far}{before}"


def put_back(
    batch_folder: Path, batch: model.Batch, run: model.Run, path: Path, cap: int | None
) -> PutBack:
    """Put the outputs of a run into a notebook.

    Args:
        batch_folder: of its batch.
        batch: its batch.
        run: the run.
        path: the user's notebook.
        cap: as for `composed.compose`.

    Raises:
        UsageError: it is no notebook, or its code is not what was run; nothing was changed.
        NotebookError: it can't be read or written.
    """
    if path.suffix != NOTEBOOK:
        raise UsageError(_no_place_for_outputs(path, run))
    file, notebook = ipynb.read(path.absolute(), upgrade=False)
    frozen = composed.read_frozen(batch_folder, run.arm)
    _check_same(path, run, ipynb.code_cells(notebook), ipynb.code_cells(frozen))
    executed = iter(_executed(composed.compose(batch_folder, batch, run, cap), frozen))
    cells = [
        _with_outputs(cell, next(executed)) if cell["cell_type"] == "code" else cell
        for cell in notebook["cells"]
    ]
    text = ipynb.dump({**notebook, "cells": cells}, file.text)
    if text == file.text:
        return PutBack(path, run, None, changed=False)
    kept, _ = file.replace(text, keep=True)
    trust.keep(file)
    return PutBack(path, run, kept, changed=True)


def _no_place_for_outputs(path: Path, run: model.Run) -> str:
    what = f"{path}: a script holds no outputs"
    notebook = path.with_suffix(NOTEBOOK)
    if path.suffix == SCRIPT and notebook.exists():
        return f"{what}; its notebook does\nnbbg notebook {run.id} --into {notebook}"
    if path.suffix == SCRIPT:
        return f"{what}; pair it with a notebook first\nnbbg pair {path}"
    return f"{path}: is no .ipynb\nnbbg notebook {run.id} -o FILE.ipynb writes a new one"


def _check_same(path: Path, run: model.Run, now: list[str], then: list[str]) -> None:
    if now == then:
        return
    cells = zip(now, then, strict=False)
    fewest = min(len(now), len(then))
    number = next((at for at, (one, other) in enumerate(cells) if one != other), fewest)
    source = now[number] if number < len(now) else then[number]
    first = source.strip().partition("\n")[0]
    shown = f" ({first[:_SHORT]})" if first else ""
    how = "has changed" if number < fewest else "is new" if number < len(now) else "is gone"
    message = (
        f"{path}: its code is not what run {run.id} has executed:"
        f" code cell {number + 1}{shown} {how}\n"
        f"nbbg notebook {run.id} -o FILE.ipynb writes the notebook of the run"
    )
    raise UsageError(message)


def _executed(notebook: Json, frozen: Json) -> list[Json]:
    """The executed code cells, without the parameters that were not in the notebook."""
    had = any(INJECTED in tags_of(cell) for cell in frozen["cells"])
    return [
        cell
        for cell in notebook["cells"]
        if cell["cell_type"] == "code" and (had or INJECTED not in tags_of(cell))
    ]


def _with_outputs(cell: Json, executed: Json) -> Json:
    outputs = [_in_lines(output) for output in executed["outputs"]]
    return {**cell, "outputs": outputs, "execution_count": executed["execution_count"]}


def _in_lines(output: Json) -> Json:
    """Texts as lists of lines, as Jupyter writes them, so that git shows what differs."""
    if output["output_type"] == "stream":
        return {**output, "text": output["text"].splitlines(keepends=True)}
    if "data" not in output:
        return output
    data = {
        kind: value.splitlines(keepends=True)
        if isinstance(value, str) and (kind.startswith("text/") or kind in _IN_LINES)
        else value
        for kind, value in output["data"].items()
    }
    return {**output, "data": data}
