"""`nbbg stop`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbbg import model
from nbbg.cli import ids, output, reading, table
from nbbg.ops import handing, orphans, selection, steer

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from nbbg.index import Index


def command(arguments: argparse.Namespace) -> int:
    """Ask, and wait until it has happened, saying each; Ctrl-C leaves the view alone."""
    where = reading.here()
    with reading.index(where) as index:
        asked = steer.stop(
            where, index, arguments.ids, after_run=arguments.after_run, by="nbbg stop"
        )
        live = asked.live
        if not asked.waiting and not live:
            _say_ended(index, arguments.ids)
            return 0
        if asked.waiting:
            print(f"{ids.runs(asked.waiting)} will not start")
        for trouble in handing.withdraw(where, index, [*asked.waiting, *(run.id for run in live)]):
            output.say(trouble)
        if arguments.after_run:
            if live:
                print(f"{ids.runs(run.id for run in live)}: to the end, then the batch stops")
            return 0
        if far := [run.id for run in live if isinstance(run.state, model.Unknown)]:
            output.say(f"{ids.runs(far)}: the stop is recorded, and told when they are reached")
        longest = max((index.batch(run.batch).grace for run in live), default=0.0)
        if live:
            output.say(f"stopping {ids.runs(run.id for run in live)} (Ctrl-C leaves this view)")
        live = [run for run in live if not isinstance(run.state, model.Unknown)]
        orphans.end(index, live)
        left = steer.wait_for_end(index, live, 3 * longest + 10, _say)
    for run in left:
        output.say(f"run {run.id} is still {run.state.word}: nbbg show {run.id}")
    return 0


def _say(run: model.Run) -> None:
    reason = f" ({table.one_line(run.state.reason)})" if run.state.reason else ""
    print(f"run {run.id} {run.state.word}{reason}", flush=True)


def _say_ended(index: Index, names: Sequence[str]) -> None:
    found = selection.numbers(index, names)
    ended: dict[str, list[int]] = {}
    for run in filter(None, map(index.run, found)):
        if run.ended:
            ended.setdefault(run.state.word, []).append(run.id)
        else:
            output.say(f"run {run.id} is {run.state.word}: {run.state.reason}")
    for word, runs in ended.items():
        output.say(f"{ids.runs(runs)} {'has' if len(runs) == 1 else 'have'} ended already: {word}")
