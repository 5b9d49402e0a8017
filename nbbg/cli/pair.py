"""`nbbg pair`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from nbbg.cli import many
from nbbg.errors import UsageError
from nbbg.notebook import userfiles
from nbbg.ops import pairs

if TYPE_CHECKING:
    import argparse


def command(arguments: argparse.Namespace) -> int:
    """Make the other half of each pair."""
    if arguments.formats and arguments.scripts:
        raise UsageError("--formats says where the scripts go; leave --scripts out")
    named = {Path(name) for name in arguments.files}
    found = many.files(arguments)
    found = [path for path in found if path in named or path.suffix == userfiles.NOTEBOOK]
    many.wanted(found, arguments)
    folders = [name for name in named if name.is_dir()]

    def formats(path: Path) -> str:
        if not arguments.scripts:
            return str(arguments.formats or "")
        return _formats(path, Path(arguments.scripts), folders)

    outcomes = pairs.pair(found, formats, dry=arguments.dry_run)
    seen = many.tell(outcomes, len(found), arguments, "paired")
    if not many.refused(seen):
        return 0
    return 1 if len(found) > 1 else 2


def _formats(path: Path, scripts: Path, folders: list[Path]) -> str:
    """jupytext's words for: the script of this notebook goes into that folder.

    Below a folder that was named, the scripts' folder has the same folders; the script of a
    notebook that was named itself goes right into it.
    """
    book, scripts = Path(os.path.abspath(path)), Path(os.path.abspath(scripts))
    tops = [Path(os.path.abspath(folder)) for folder in folders]
    top = next((folder for folder in tops if book.is_relative_to(folder)), None)
    root = Path(os.path.commonpath([top or book.parent, scripts]))
    if top is None or root in (top, scripts):
        return f"ipynb,{os.path.relpath(scripts, book.parent)}//auto:percent"
    inner, other = top.relative_to(root), scripts.relative_to(root)
    return f"{inner}///ipynb,{other}///auto:percent"
