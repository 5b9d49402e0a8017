"""`nbbg pause`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbbg.cli import output, reading
from nbbg.ops import handing, steer

if TYPE_CHECKING:
    import argparse


def command(arguments: argparse.Namespace) -> int:
    """Nothing more starts of these batches."""
    where = reading.here()
    with reading.index(where) as index:
        paused = steer.pause(where, index, arguments.ids, steer.whoever())
        for batch in paused:
            print(f"{batch.name} is paused: what runs goes on, nothing more starts")
            print(f"  nbbg resume {batch.name}")
            for trouble in handing.follow(where, batch):
                output.say(trouble)
        if not paused:
            output.say("nothing to pause: paused already, or nothing is left to start")
    return 0
