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
        troubles = handing.withdraw(where, index, [*asked.waiting, *(run.id for run in live)])
        asked = steer.settled(index, asked)
        live = asked.live
        if asked.waiting:
            print(f"{ids.runs(asked.waiting)} will not start")
        for trouble in troubles:
            output.say(trouble)
        if arguments.after_run:
            if live:
                print(f"{ids.runs(run.id for run in live)}: to the end, then the batch stops")
            return 0
        left = _wait(index, live)
    for run in left:
        output.say(f"run {run.id} is still {run.state.word}: nbbg show {run.id}")
    return 0


def _wait(index: Index, live: list[model.Run]) -> list[model.Run]:
    """Wait for those that are reached; which of them still live."""
    far = [run.id for run in live if isinstance(run.state, model.Unknown)]
    near = [run for run in live if not isinstance(run.state, model.Unknown)]
    if far:
        output.say(f"{ids.runs(far)}: the stop is recorded, and told when they are reached")
    if not near:
        return []
    output.say(f"stopping {ids.runs(run.id for run in near)} (Ctrl-C leaves this view)")
    longest = max(index.batch(run.batch).grace for run in near)
    orphans.end(index, near)
    return steer.wait_for_end(index, near, 3 * longest + 10, _say)


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
