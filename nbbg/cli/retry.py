"""`nbbg retry`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbbg import model
from nbbg.cli import output, reading, resume
from nbbg.errors import UsageError
from nbbg.index import Index
from nbbg.ops import again, cleaning, project, selection, steer

if TYPE_CHECKING:
    import argparse

    from nbbg.index import Index


def command(arguments: argparse.Namespace) -> int:
    """Another attempt at what did not succeed."""
    if not arguments.ids and not arguments.failed:
        message = "which runs?\nnbbg retry 7, or nbbg retry --failed for all of them"
        raise UsageError(message)
    where = project.here()
    with reading.index(where) as index:
        chosen = again.retriable(index, arguments.ids, failed_alone=arguments.failed)
        told = [] if arguments.failed else selection.select(index, arguments.ids)
        for run in told:
            if run not in chosen:
                _say_why_not(index, run)
        if not chosen:
            if not told:
                output.say(_nothing(index))
            return 0
        resume.say_what_differs(where, index, chosen)
        resume.tell(again.start_again(where, index, chosen, by=steer.whoever(), at_once=True))
    return 0


def _nothing(index: Index) -> str:
    words = "', '".join(model.UNSUCCESSFUL)
    failed = [run for run in index.each(f"word IN ('{words}')") if run.cleaned_at is not None]
    if failed:
        return "nothing to retry: what failed was cleaned\nits numbers anew: the same launch again"
    return "nothing to retry: nothing failed, exited, was killed or timed out"


def _say_why_not(index: Index, run: model.Run) -> None:
    if index.has_newer(run):
        output.say(f"run {run.id}: its number {run.number} was run anew since")
    elif why := cleaning.gone(run):
        output.say(why)
    elif run.state.word in model.RESUMABLE:
        output.say(f"run {run.id} is {run.state.word}: nbbg resume {run.id}")
    else:
        output.say(f"run {run.id} is {run.state.word}: nothing to retry")
