"""`nbbg notebook`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from nbbg.cli import output, reading
from nbbg.errors import UsageError
from nbbg.index import Index
from nbbg.ops import selection
from nbbg.store import composed

if TYPE_CHECKING:
    import argparse


def command(arguments: argparse.Namespace) -> int:
    """Compose the executed notebook and put it where it was asked for."""
    where = reading.here()
    with Index(where.store) as index:
        run = selection.one(index, arguments.id)
        batch = index.batch(run.batch)
    if not run.attempt:
        message = f"run {run.id} is {run.state.word}: it has no executed notebook yet"
        raise UsageError(message)
    if run.arm.log_only:
        message = f"run {run.id}: the plain engine keeps a log only: nbbg logs {run.id}"
        raise UsageError(message)
    data = composed.to_bytes(composed.compose(where.store.batch(batch.id), batch, run))
    if arguments.output == "-":
        sys.stdout.buffer.write(data)
        return 0
    path = Path(arguments.output or f"{Path(run.arm.notebook).stem}_run{run.id}.ipynb")
    _write(path, data)
    so_far = f"cell {run.cell or 0} of {run.cells or '?'}"
    output.say(f"{path}: run {run.id}, {run.state.word}, {so_far}")
    return 0


def _write(path: Path, data: bytes) -> None:
    """Write a new file; one that nbbg wrote before is replaced, any other is refused."""
    from nbbg import files

    if path.exists() and not _is_ours(path):
        message = f"{path} is there, and nbbg did not make it\nname another file with -o"
        raise UsageError(message)
    with files.Folder(path.parent) as folder:
        folder.replace(path.name, data)


def _is_ours(path: Path) -> bool:
    import json

    try:
        return "nbbg" in json.loads(path.read_bytes())["metadata"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
