"""`nbbg resume`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbbg.cli import ids, output, reading
from nbbg.errors import UsageError
from nbbg.ops import again, arms, deciding, hosts, project, selection, steer

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from nbbg import model
    from nbbg.index import Index
    from nbbg.ops.again import Started
    from nbbg.ops.project import Project


def command(arguments: argparse.Namespace) -> int:
    """Go on with what is queued, stopped or lost."""
    if arguments.at_boot or arguments.after_boot:
        return _at_boot(arguments)
    where = project.here()
    by = steer.whoever()
    with reading.index(where) as index:
        moved = _move(where, index, arguments)
        chosen = again.resumable(index, arguments.ids)
        continued = again.go_on(where, index, arguments.ids, by)
        named = selection.numbers(index, arguments.ids) if arguments.ids else index.ids("1")
        continued += deciding.look_again(where, index, index.batches_of(named), by)
        if moved and not chosen and not continued:
            return 0
        if not chosen and not continued:
            output.say("nothing is queued, stopped or lost")
            if again.retriable(index, (), failed_alone=True):
                output.say("what failed: nbbg retry --failed")
            _say_decided(index, arguments.ids)
            return 0
        say_what_differs(where, index, chosen)
        tell(again.start_again(where, index, chosen, by=by, also=continued))
        for run in chosen:
            if run.again and str(run.id) in arguments.ids:
                output.say(f"run {run.id}: {run.again}\nwithout the delay: nbbg retry {run.id}")
    return 0


def _say_decided(index: Index, names: Sequence[str]) -> None:
    """Of the named batches, those that wait for nothing since they are decided."""
    for number in index.batches_of(selection.numbers(index, names)):
        if over := index.verdict(number):
            output.say(f"b{number}: {over.why}")


def _at_boot(arguments: argparse.Namespace) -> int:
    from nbbg.cli import booting

    if arguments.ids:
        message = f"--at-boot is about the whole project\nleave out {' '.join(arguments.ids)}"
        raise UsageError(message)
    if arguments.after_boot:
        return booting.after_boot(arguments.after_boot)
    return booting.set_up(arguments.at_boot)


def _move(where: Project, index: Index, arguments: argparse.Namespace) -> bool:
    """Deal what waits to other hosts, where that is asked."""
    if not arguments.on:
        return False
    to = [name.strip() for name in arguments.on.split(",") if name.strip()]
    for trouble in hosts.move(where, index, arguments.ids, to):
        output.say(trouble)
    print(f"what was not started goes to {', '.join(to)}\n  nbbg status")
    return True


def say_what_differs(where: Project, index: Index, chosen: Sequence[model.Run]) -> None:
    """What is not as it was at launch: notebooks, secrets."""
    for note in arms.changed(where, chosen):
        output.say(note)
    if missing := again.missing_secrets(where, index, chosen):
        output.say(f"set at launch, and not now: {', '.join(missing)}")


def tell(started: Started) -> None:
    """Which runs go on, and in which batches."""
    names = ", ".join(batch.name for batch in started.batches)
    runs = f"{ids.runs(run.id for run in started.runs)} of " if started.runs else ""
    print(f"going on: {runs}{names}")
    print("  nbbg status")
