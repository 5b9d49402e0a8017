"""Where the code of a run stands, or stood before a limit of time ended it.

`stacks.txt` holds what faulthandler wrote; shown is the newest answer, of each thread that is in
a cell, from the cell on: what lies below is the engine's. The last line is the innermost call, as
in a traceback.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nbbg import files, model, paths, stacks
from nbbg.errors import UsageError
from nbbg.runner import stacks as asking
from nbbg.store import state

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_FRAME = re.compile(r'^  File "(?P<file>.*)", line (?P<line>\d+) in (?P<name>.*)$')
_CELL = re.compile(r"<ipython-input-\d+-|[/\\]ipykernel_\d+[/\\]\d+\.py$")
_MODULE = "<module>"

Frame = tuple[str, str, str]  # file, line, function


def recorded(run: model.Run) -> str:
    """What was recorded last; empty where nothing was."""
    if not run.attempt or run.cleaned_at:
        return ""
    with files.Folder(run.folder) as folder:
        text = (folder.read(paths.STACKS) or b"").decode("utf-8", "replace")
    return shown(text, run.cell)


def ask(run: model.Run) -> str:
    """Where a live run stands now.

    Raises:
        UsageError: it does not run, or its code can't be asked from here.
    """
    if not isinstance(run.state, model.Running):
        message = (
            f"run {run.id} is {run.state.word}: only what runs has a stack\nnbbg show {run.id}"
        )
        raise UsageError(message)
    with files.Folder(run.folder) as folder:
        claim = state.read_claim(folder)
        engine = state.engine_of(folder)
        here = claim is not None and state.is_here(claim)
        answered = here and engine is not None and asking.ask(folder, engine)
    if not answered:
        why = run.state.reason or f"the {run.arm.engine} engine, {run.executor}"
        message = f"run {run.id} does not say where it stands ({why})\nnbbg logs {run.id}"
        raise UsageError(message)
    return recorded(run)


def shown(text: str, ordinal: int | None) -> str:
    """The newest answer in the text, as a person wants to see it.

    Args:
        text: the content of `stacks.txt`.
        ordinal: the cell that ran.
    """
    newest = text.rpartition(f"\n{stacks.HEAD}")[2] if f"\n{stacks.HEAD}" in text else text
    threads = list(_threads(newest))
    in_cells = [kept for _, frames in threads if (kept := _from_cell(frames))]
    found = in_cells or [frames for head, frames in threads if head.startswith("Current")]
    return "\n\n".join("\n".join(_lines(frames, ordinal)) for frames in found)


def _threads(text: str) -> Iterator[tuple[str, list[Frame]]]:
    """The head and the frames, outermost first, of each thread."""
    for block in re.split(r"\n(?=(?:Current thread|Thread) )", text):
        frames = [match.groups() for line in block.split("\n") if (match := _FRAME.match(line))]
        yield block.lstrip(), [(file, line, name) for file, line, name in frames[::-1]]


def _from_cell(frames: Sequence[Frame]) -> list[Frame]:
    first = next((n for n, frame in enumerate(frames) if _CELL.search(frame[0])), len(frames))
    return list(frames[first:])


def _lines(frames: Sequence[Frame], ordinal: int | None) -> Iterator[str]:
    running = next((file for file, _, name in frames if name == _MODULE), "")
    for file, line, name in frames:
        if not _CELL.search(file):
            yield f'File "{file}", line {line}, in {name}'
        elif file == running and ordinal:
            yield f"cell {ordinal}, line {line}, in {name}"
        else:
            yield f"an earlier cell, line {line}, in {name}"
