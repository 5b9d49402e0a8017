"""`nbbg pair`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nbbg.notebook import pairing

if TYPE_CHECKING:
    import argparse


def command(arguments: argparse.Namespace) -> int:
    """Make the other half of each pair."""
    for name in arguments.files:
        tell(pairing.pair(Path(name), arguments.formats or pairing.FORMATS))
    return 0


def tell(report: pairing.PairReport) -> None:
    """What became of a pair, and the sentences about single lines."""
    print(report)
    for note in report.notes:
        print(f"  {note}")
