"""`nbbg pull`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nbbg.cli import ids, output, reading
from nbbg.errors import EnvironmentFault
from nbbg.index import Index
from nbbg.ops import asking, pulling
from nbbg.store import hosts

if TYPE_CHECKING:
    import argparse


def command(arguments: argparse.Namespace) -> int:
    """Bring home what there is, now; 1 where a machine could not be reached, or lacks it."""
    where = reading.here()
    with Index(where.store) as index:
        troubles = asking.refresh(index, fresh=0)
        found = pulling.where(index, arguments.ids)
    for trouble in troubles:
        output.say(trouble)
    for name, runs in sorted(found.items()):
        if hosts.given_up(where.store.folder, name)[1]:
            continue
        host = hosts.read(where.store.folder, name)
        if arguments.checkpoint:
            pulling.checkpoints(where, host, runs)
            print(f"{name}: the checkpoints of {ids.runs(run for _, run in runs)}")
        for path in arguments.path:
            try:
                print(f"{name}: {os.path.relpath(pulling.path(where, host, path))}")
            except EnvironmentFault as fault:  # of the other machines there may be such a thing
                troubles.append(str(fault))
                output.say(str(fault))
    if not found:
        output.say("no runs are on other machines, over ssh\nnbbg run NOTEBOOK --on gpu1")
    return int(bool(troubles))
