"""`nbbg logs`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from nbbg import logs, model, paths, secrets
from nbbg.cli import output, reading, table
from nbbg.errors import UsageError
from nbbg.index import Index
from nbbg.ops import asking, cleaning, selection

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from nbbg.index import Index

ASK = 1.0  # seconds between two questions about a run that is elsewhere


def command(arguments: argparse.Namespace) -> int:
    """Print the log of each run; with `-f`, of one, until it has ended."""
    where = reading.here()
    with reading.index(where) as index:
        runs = selection.select(index, arguments.ids)
        if arguments.follow:
            runs = [selection.one(index, arguments.ids[0])]
        for run in runs:
            path = _log(run, arguments.attempt)
            if len(runs) > 1:
                print(
                    f"==> run {run.id} ({table.one_line(run.arm.name)} {run.number}) <==",
                    flush=True,
                )
            elif not path.exists() and not arguments.follow:
                _say_without_log(run, path)
            if why := cleaning.gone(run):
                output.say(why)
                continue
            over = _ended(index, run.id) if arguments.follow else None
            _print(path, over, arguments)
            _say_untrimmed(path)
            _say_how_it_ended(index.run(run.id) or run)
    return 0


def _say_without_log(run: model.Run, path: Path) -> None:
    attempt = int(path.parent.name)
    if attempt == 1:
        output.say(f"run {run.id} is {run.state.word}: it has no log yet")
    elif not run.cleaned_at:
        output.say(f"run {run.id} is {run.state.word}: attempt {attempt} has no log yet")
        output.say(f"  nbbg logs {run.id} --attempt {attempt - 1}")


def _log(run: model.Run, attempt: int | None) -> Path:
    folder = Path(run.folder).parent if run.attempt else Path(run.folder)
    if attempt is not None and not 1 <= attempt <= run.attempt:
        message = f"run {run.id} has {run.attempt} attempts, and no attempt {attempt}"
        raise UsageError(message)
    return folder / str(attempt or run.attempt or 1) / paths.LOG


def _say_untrimmed(path: Path) -> None:
    """Where the file system could not free the middle of a log that is too long."""
    record = path.with_name(paths.TRIMMING)
    if record.exists():
        output.say(f"--log-max has no effect here: {path} can't be cut on this file system")


def _say_how_it_ended(run: model.Run) -> None:
    """The traceback of a failed cell is in its notebook, not in what it printed."""
    if run.ended and run.state.word != model.Succeeded.word:
        reason = table.one_line(run.state.reason, 100)
        output.say(f"run {run.id} {run.state.word}: {reason}\n  nbbg show {run.id}")


def _ended(index: Index, number: int) -> Callable[[], bool]:
    def ended() -> bool:
        index.refresh()
        asking.refresh(index, fresh=ASK)
        run = index.run(number)
        return run is None or run.ended

    return ended


def _print(path: Path, over: Callable[[], bool] | None, arguments: argparse.Namespace) -> None:
    """On a terminal as it was written; elsewhere what a terminal would show in the end.

    What is there now is shown, or with `over` what follows too: a flood never comes to its end.
    """
    lines, end = arguments.lines, logs.size(path)
    start = 0 if lines is None else logs.start_of_tail(path, lines, end)
    hidden = secrets.encoded(secrets.values())
    written = logs.follow(path, start, over) if over else logs.between(path, start, end)
    pieces = secrets.mask_pieces(written, hidden)
    if not arguments.raw and not sys.stdout.isatty():
        texts = logs.readable(pieces, live=arguments.follow)
        pieces = (text.encode("utf-8", "replace") for text in texts)
    for piece in pieces:
        sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
