"""`nbbg sync`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbbg.cli import many, output
from nbbg.notebook.pairing import Side
from nbbg.ops import pairs

if TYPE_CHECKING:
    import argparse


def command(arguments: argparse.Namespace) -> int:
    """Bring pairs into step: those named, or all below the current folder."""
    found = many.files(arguments)
    side = Side(arguments.side) if arguments.side else None
    outcomes = pairs.sync(found, side, dry=arguments.dry_run)
    if not arguments.files:
        outcomes = (one for one in outcomes if one.refused or (one.report and one.report.paired))
    seen = many.tell(outcomes, len(found), arguments, "synced")
    if not seen and not arguments.json:
        output.say("no notebook here is paired\npair one: nbbg pair NOTEBOOK")
    if not many.refused(seen):
        return 0
    return 2 if len(found) == 1 and not found[0].exists() else 1
