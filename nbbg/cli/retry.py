"""`nbbg retry`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbbg.cli import output, resume
from nbbg.errors import UsageError
from nbbg.index import Index
from nbbg.ops import project, selection, steer

if TYPE_CHECKING:
    import argparse


def command(arguments: argparse.Namespace) -> int:
    """Another attempt at what did not succeed."""
    if not arguments.ids and not arguments.failed:
        message = "which runs?\nnbbg retry 7, or nbbg retry --failed for all of them"
        raise UsageError(message)
    where = project.here()
    with Index(where.store) as index:
        chosen = steer.retriable(index, arguments.ids)
        for run in selection.select(index, arguments.ids):
            if run not in chosen and not arguments.failed:
                output.say(f"run {run.id} is {run.state.word}: nothing to retry")
        if not chosen:
            output.say("nothing has failed, exited, been killed or timed out")
            return 0
        resume.tell(steer.start_again(where, index, chosen))
    return 0
