"""The card of a run that did not succeed: where it stood, what was said last, what to type."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbbg import files, journal, logs, model, paths, screen, secrets
from nbbg.classes import dataclass
from nbbg.errors import StoreError
from nbbg.notebook import injection
from nbbg.ops import missing, stack
from nbbg.store import composed

if TYPE_CHECKING:
    from nbbg.index import Index

LINES = 20
CRASH = 500  # lines within which a crash is looked for: faulthandler writes 100 frames a thread
_CRASH = "Fatal Python error: "


@dataclass(frozen=True)
class Card:
    """What a person wants to see first."""

    ordinal: int | None  # of the cell, among the code cells
    source: str
    traceback: str
    last_lines: list[str]
    advice: str
    stack: str = ""  # where the code stood when a limit of time was over, or when it crashed
    install: str = ""  # the line that installs a module that was missing


def card(index: Index, run: model.Run) -> Card:
    """The card of a run that has ended without success, or of its newest attempt that has."""
    verb = "retry" if run.again or run.state.word in model.UNSUCCESSFUL else "resume"
    advice = f"nbbg {verb} {run.id}"
    if not run.attempt or run.cleaned_at:
        return Card(None, "", "", [], advice)
    with files.Folder(run.folder) as folder:
        cell = journal.find_last(folder, paths.CELLS, "cell") or {}
        display = journal.find_last(folder, paths.CELLS, "display") or {}
    failed = run.state.error if isinstance(run.state, model.Failed) else None
    ordinal = cell.get("ordinal") or (failed.cell if failed else None)
    error = display.get("output", {})
    traceback = "\n".join(error.get("traceback", [])) if _belongs(display, cell) else ""
    last_lines, crash = _last_said(f"{run.folder}/{paths.LOG}", run)
    return Card(
        ordinal=ordinal,
        source=_source(index, run, ordinal),
        traceback=secrets.mask(traceback, secrets.values()),
        last_lines=last_lines,
        advice=advice,
        stack=stack.recorded(run) if isinstance(run.state, model.TimedOut) else crash,
        install=_install(run),
    )


def _install(run: model.Run) -> str:
    error = run.state.error if isinstance(run.state, model.Failed) else None
    return missing.install(error.name, error.value, run.arm.python) if error else ""


def _belongs(display: dict[str, object], cell: dict[str, object]) -> bool:
    return bool(display) and display.get("cell", cell.get("cell")) == cell.get("cell")


def _source(index: Index, run: model.Run, ordinal: int | None) -> str:
    if ordinal is None:
        return ""
    try:
        notebook = composed.read_executable(index.store.batch(run.batch), run.arm)
        position = injection.code_cells(notebook)[ordinal - 1]
    except (StoreError, IndexError, TypeError) as error:
        return f"({error})"
    return injection.source_of(notebook["cells"][position])


def _last_said(log: str, run: model.Run) -> tuple[list[str], str]:
    """The last lines; and of a crash the stack, whose frames of the engine would hide them."""
    killed = isinstance(run.state, model.Killed)
    text = screen.shown(logs.tail(log, CRASH if killed else LINES).decode("utf-8", "replace"))
    said, head, crash = text.rpartition(_CRASH)
    at = stack.shown(crash, run.cell) if killed and head else ""
    if at:
        text = f"{said}{head}{crash.partition(chr(10))[0]}"
    return secrets.mask(text, secrets.values()).splitlines()[-LINES:], at
