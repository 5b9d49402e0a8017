"""`nbbg jobs`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbbg import settings
from nbbg.cli import output, reading
from nbbg.ops import handing, steer

if TYPE_CHECKING:
    import argparse


def command(arguments: argparse.Namespace) -> int:
    """So many at a time from now on."""
    where = reading.here()
    jobs = settings.jobs(arguments.jobs)
    with reading.index(where) as index:
        for batch in steer.set_jobs(where, index, arguments.ids, jobs, steer.whoever()):
            print(f"{batch.name}: {jobs} at a time from now on")
            for trouble in handing.follow(where, batch):
                output.say(trouble)
    return 0
