"""`nbbg check`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nbbg.cli import many
from nbbg.errors import UsageError
from nbbg.ops import pairs

if TYPE_CHECKING:
    import argparse


def command(arguments: argparse.Namespace) -> int:
    """Say what is wrong with pairs and conversions; 1 where anything is."""
    if arguments.diff:
        return _diff(arguments)
    found = many.files(arguments)
    seen = many.tell(pairs.check(found), len(found), arguments, "")
    return 1 if many.refused(seen) else 0


def _diff(arguments: argparse.Namespace) -> int:
    if len(arguments.files) != 1 or arguments.json:
        raise UsageError("--diff takes one file, and prints text: nbbg check --diff train.ipynb")
    lines = pairs.diff(Path(arguments.files[0]))
    for line in lines:
        print(line)
    return 1 if lines else 0
