"""`nbbg sync`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nbbg.cli import output
from nbbg.cli.pair import tell
from nbbg.notebook import pairing

if TYPE_CHECKING:
    import argparse


def command(arguments: argparse.Namespace) -> int:
    """Bring pairs into step: those named, or all in the current folder."""
    files = [Path(name) for name in arguments.files] or pairing.paired_in(Path.cwd())
    if not files:
        output.say("no notebook here is paired\npair one: nbbg pair NOTEBOOK")
    for report in pairing.sync(files):
        tell(report)
    return 0
