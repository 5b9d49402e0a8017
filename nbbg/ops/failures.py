"""The card of a run that did not succeed: where it stood, what was said last, what to type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbbg import files, journal, logs, model, paths, screen, secrets
from nbbg.store import composed

if TYPE_CHECKING:
    from nbbg.index import Index

LINES = 20


@dataclass(frozen=True)
class Card:
    """What a person wants to see first."""

    ordinal: int | None  # of the cell, among the code cells
    source: str
    traceback: str
    last_lines: list[str]
    advice: str


def card(index: Index, run: model.Run) -> Card:
    """The card of a run that has ended without success."""
    verb = "retry" if run.state.word in model.UNSUCCESSFUL else "resume"
    advice = f"nbbg {verb} {run.id}"
    if not run.attempt:
        return Card(None, "", "", [], advice)
    with files.Folder(run.folder) as folder:
        cell = journal.find_last(folder, paths.CELLS, "cell") or {}
        display = journal.find_last(folder, paths.CELLS, "display") or {}
    error = display.get("output", {})
    traceback = "\n".join(error.get("traceback", [])) if _belongs(display, cell) else ""
    return Card(
        ordinal=cell.get("ordinal"),
        source=_source(index, run, cell.get("cell")),
        traceback=secrets.mask(traceback, secrets.values()),
        last_lines=_last_lines(f"{run.folder}/{paths.LOG}"),
        advice=advice,
    )


def _belongs(display: dict[str, object], cell: dict[str, object]) -> bool:
    return bool(display) and display.get("cell", cell.get("cell")) == cell.get("cell")


def _source(index: Index, run: model.Run, cell: int | None) -> str:
    if cell is None:
        return ""
    notebook = composed.read_executable(index.store.batch(run.batch), run.arm)
    source = notebook["cells"][cell]["source"]
    return source if isinstance(source, str) else "".join(source)


def _last_lines(log: str) -> list[str]:
    text = screen.shown(logs.tail(log, LINES).decode("utf-8", "replace"))
    return secrets.mask(text, secrets.values()).splitlines()
