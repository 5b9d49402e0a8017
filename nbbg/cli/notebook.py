"""`nbbg notebook`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from nbbg import settings
from nbbg.cli import output, placing, reading
from nbbg.errors import UsageError
from nbbg.ops import cleaning, selection
from nbbg.store import composed

if TYPE_CHECKING:
    import argparse

    from nbbg import model
    from nbbg.ops.project import Project


def command(arguments: argparse.Namespace) -> int:
    """Compose the executed notebook and put it where it was asked for."""
    _check(arguments)
    where = reading.here({"output_cap": arguments.output_cap})
    with reading.index(where) as index:
        run = selection.one(index, arguments.id)
        batch = index.batch(run.batch)
    if not run.attempt:
        message = f"run {run.id} is {run.state.word}: it has no executed notebook yet"
        raise UsageError(message)
    cleaning.require_files(run)
    if run.arm.log_only:
        message = f"run {run.id}: the plain engine keeps a log only: nbbg logs {run.id}"
        raise UsageError(message)
    folder = where.store.batch(batch.id)
    if arguments.into:
        from nbbg.ops import into

        output.say(str(into.put_back(folder, batch, run, Path(arguments.into), _cap(where))))
        return 0
    as_page = arguments.html
    notebook = composed.compose(folder, batch, run, _cap(where), banner=not as_page)
    for note in composed.notes(notebook):
        output.say(f"run {run.id}: {note}")
    data = _page(notebook, run) if as_page else composed.to_bytes(notebook)
    if arguments.output == "-":
        sys.stdout.buffer.write(data)
        return 0
    suffix = ".html" if as_page else ".ipynb"
    path = Path(arguments.output or f"{Path(run.arm.notebook).stem}_run{run.id}{suffix}")
    placing.put(path, data, "-o")
    so_far = f"cell {run.cell or 0} of {run.cells or '?'}"
    output.say(f"{path}: run {run.id}, {run.state.word}, {so_far}")
    return 0


def _check(arguments: argparse.Namespace) -> None:
    if arguments.into and (arguments.output or arguments.html):
        message = "--into puts the outputs into your notebook, and writes no other file"
        raise UsageError(f"{message}\nleave out -o and --html")


def _cap(where: Project) -> int | None:
    """The output cap where somebody has set it; else the batch's own holds."""
    setting = where.settings["output_cap"]
    return None if setting.source == settings.DEFAULT else where.settings.output_cap


def _page(notebook: composed.Json, run: model.Run) -> bytes:
    from nbbg.notebook import page

    state = f"{run.state.word}: {run.state.reason}".rstrip(": ")
    title = f"{run.arm.notebook}, run {run.id}"
    return page.render(notebook, title, f"{run.arm.name} {run.number}, seed {run.seed}, {state}")
