"""`nbbg attach`."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from typing import TYPE_CHECKING

from nbbg import files, paths
from nbbg.cli import output, reading, table
from nbbg.errors import UsageError
from nbbg.index import Index
from nbbg.ops import looking, selection

if TYPE_CHECKING:
    import argparse
    from typing import Any

    from nbbg import model
    from nbbg.engines.kernel.subshell import Subshell

HEAD = ("NAME", "TYPE", "SIZE", "VALUE")


def command(arguments: argparse.Namespace) -> int:
    """Show the run's variables, or a prompt for more; 1 where what was asked raised."""
    where = reading.here()
    with Index(where.store) as index:
        run = selection.one(index, arguments.id)
    asked = arguments.code is not None or arguments.vars
    if arguments.pane or (not asked and run.arm.engine != "kernel" and _ticket(run)):
        _show_pane(run)
    looking.require_live(run)
    for number in (signal.SIGHUP, signal.SIGTERM):  # a closed window leaves nothing in the kernel
        signal.signal(number, _leave)
    try:
        with looking.into(run, _show) as kernel:
            return _look(run, kernel, arguments.code, prompt=not asked and sys.stdin.isatty())
    except looking.CannotLookError as error:
        raise UsageError(f"run {run.id} can't be looked into: {error}\n{_instead(run)}") from error


def _look(run: model.Run, kernel: Subshell, code: str | None, *, prompt: bool) -> int:
    if code is not None:
        raised, text = kernel.execute(code)
        if text:
            print(text, file=sys.stderr if raised else sys.stdout)
        return int(raised)
    if prompt:
        output.say(f"run {run.id} ({run.arm.name} {run.number}) {_where(run)}; Ctrl-D leaves it")
    _show_variables(kernel)
    if prompt:
        from nbbg.cli import prompting

        prompting.converse(kernel)
    return 0


def _show_variables(kernel: Subshell) -> None:
    rows = kernel.variables()
    table.show(HEAD, rows, numbers=("SIZE",))
    if not rows:
        output.say("no variables yet")


def _where(run: model.Run) -> str:
    at = looking.standing(run)
    since = table.duration(time.time() - at.since)
    if at.cell is None:
        return f"is before its first cell, for {since}"
    return f"{'is past' if at.between else 'is in'} cell {at.cell} of {at.cells}, for {since}"


def _instead(run: model.Run) -> str:
    """The line for a run that can't be looked into: where it stands, and what can be done."""
    another = "" if run.arm.engine == "kernel" else "; next time: --engine kernel"
    return f"it {_where(run)}; follow it: nbbg logs {run.id} -f{another}"


def _show(text: str) -> None:
    with contextlib.suppress(OSError):  # the window may be gone, and the kernel is tidied up yet
        sys.stdout.write(text)
        sys.stdout.flush()


def _leave(number: int, _: object) -> None:
    signal.signal(number, signal.SIG_IGN)
    sys.exit(128 + number)


def _ticket(run: model.Run) -> dict[str, Any] | None:
    """What the tmux executor noted, where the run has a pane."""
    with contextlib.suppress(FileNotFoundError), files.Folder(run.folder) as folder:
        ticket: dict[str, Any] | None = folder.read_json(paths.TICKET)
        return ticket if ticket and "pane" in ticket else None
    return None


def _show_pane(run: model.Run) -> None:
    """Replace this process by tmux, showing the run's pane."""
    ticket = _ticket(run) if run.attempt else None
    if ticket is None:
        message = f"run {run.id} is in no tmux pane\nfollow it: nbbg logs {run.id} -f"
        raise UsageError(message)
    from nbbg.executors import tmux

    argv = tmux.attach(ticket["pane"], ticket["session"], run.id)
    os.execvp(argv[0], argv)  # noqa: S606 - an argv list of our own
