"""`nbbg settings`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbbg.cli import output, table
from nbbg.cli.run import flags
from nbbg.ops import project

if TYPE_CHECKING:
    import argparse


def command(arguments: argparse.Namespace) -> int:
    """Each setting with its source."""
    where = project.here(flags(arguments))
    shown = where.settings.all
    if arguments.json:
        output.document([{"name": s.name, "value": s.value, "source": s.source} for s in shown])
        return 0
    table.show(("setting", "value", "source"), [(s.name, _text(s.value), s.source) for s in shown])
    return 0


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return " ".join(value)
    return "" if value is None else str(value)
