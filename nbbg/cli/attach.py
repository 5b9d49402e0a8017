"""`nbbg attach`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nbbg import files, paths
from nbbg.cli import reading
from nbbg.errors import UsageError
from nbbg.index import Index
from nbbg.ops import selection

if TYPE_CHECKING:
    import argparse


def command(arguments: argparse.Namespace) -> int:
    """Replace this process by tmux, showing the run's pane."""
    where = reading.here()
    with Index(where.store) as index:
        run = selection.one(index, arguments.id)
    ticket = None
    if run.attempt:
        with files.Folder(run.folder) as folder:
            ticket = folder.read_json(paths.TICKET)
    if not ticket or "pane" not in ticket:
        message = f"run {run.id} is in no tmux pane\nfollow it: nbbg logs {run.id} -f"
        raise UsageError(message)
    from nbbg.executors import tmux

    argv = tmux.attach(ticket["pane"], ticket["session"], run.id)
    os.execvp(argv[0], argv)  # noqa: S606 - an argv list of our own
