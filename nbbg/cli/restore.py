"""`nbbg restore`: the frozen code of a run, given back."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nbbg.cli import output, reading
from nbbg.index import Index
from nbbg.ops import restoring, selection

if TYPE_CHECKING:
    import argparse


def command(arguments: argparse.Namespace) -> int:
    """Write it, and say where it is."""
    where = reading.here()
    with Index(where.store) as index:
        run = selection.one(index, arguments.id)
        batch = index.batch(run.batch)
    made = restoring.restore(where, batch, run, arguments.output or "", tree=arguments.tree)
    print(os.path.relpath(made.path))
    for note in made.notes:
        output.say(note)
    return 0
