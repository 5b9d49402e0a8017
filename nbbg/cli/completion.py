"""`nbbg completion`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbbg.cli import parser

if TYPE_CHECKING:
    import argparse


def command(arguments: argparse.Namespace) -> int:
    """Print the completion script of a shell."""
    import shtab

    print(shtab.complete(parser.build(), shell=arguments.shell))
    return 0
