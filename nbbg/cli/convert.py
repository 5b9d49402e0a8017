"""`nbbg convert`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nbbg.cli import many
from nbbg.errors import UsageError
from nbbg.notebook import userfiles
from nbbg.ops import pairs

if TYPE_CHECKING:
    import argparse


def command(arguments: argparse.Namespace) -> int:
    """Convert each file to the other kind."""
    found = _meant(many.files(arguments), arguments)
    many.wanted(found, arguments)
    output = Path(arguments.output) if arguments.output else None
    if output and len(found) > 1:
        raise UsageError(f"-o names one file, and {len(found)} are to be converted")
    outcomes = pairs.convert(found, arguments.to or "", output, dry=arguments.dry_run)
    seen = many.tell(outcomes, len(found), arguments, "converted")
    if not many.refused(seen):
        return 0
    return 1 if len(found) > 1 else 2


def _meant(found: list[Path], arguments: argparse.Namespace) -> list[Path]:
    """Without the files of folders that are of the wanted kind already; into what, if not said."""
    named = {Path(name) for name in arguments.files}
    to = arguments.to or ("py" if named - set(found) else "")
    if to == "py":
        return [path for path in found if path in named or path.suffix == userfiles.NOTEBOOK]
    if to == "ipynb":
        return [path for path in found if path in named or path.suffix != userfiles.NOTEBOOK]
    return found
