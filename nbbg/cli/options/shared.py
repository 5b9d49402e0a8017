"""What the options of several commands have in common."""

from __future__ import annotations

import argparse
import gc
import importlib
from typing import TYPE_CHECKING, Any

from nbbg.cli import terminal

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbbg.cli.parser import Subparsers


class HelpText(argparse.RawDescriptionHelpFormatter):
    """As wide as the terminal; argparse makes one for each option, and would import `shutil`."""

    def __init__(self, prog: str, **more: Any) -> None:
        super().__init__(prog, width=terminal.columns(80) - 2, **more)


IDS = "a run (7), a batch (b3), an arm (train, train/lr=0.1) or a sweep (train/)"


def command(
    subparsers: Subparsers, name: str, help_text: str, *examples: str
) -> argparse.ArgumentParser:
    """The parser of a command, with its help text and examples."""
    parser = subparsers.add_parser(
        name,
        help=help_text,
        description=help_text[0].upper() + help_text[1:] + ".",
        epilog=epilog(*examples),
        formatter_class=HelpText,
        allow_abbrev=False,
    )
    parser.set_defaults(command=_late(name))
    return parser


def add_json(parser: argparse.ArgumentParser) -> None:
    """`--json`."""
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")


def add_selection(parser: argparse.ArgumentParser) -> None:
    """Which files of folders."""
    add = parser.add_argument
    add("--recursive", "-r", action="store_true", help="folders with all folders in them")
    add("--include", action="append", default=[], metavar="GLOB", help="of folders, these alone")
    add("--exclude", action="append", default=[], metavar="GLOB", help="of folders, not these")


def add_where(add: Callable[..., object]) -> None:
    """`--where` and `--reduce`: which runs, and which of the values that each has logged."""
    add(
        "--where",
        action="append",
        default=[],
        metavar="CONDITION",
        help="only runs of which it is true, such as 'lr < 0.1'; several: all of them",
    )
    add(
        "--reduce",
        default="last",
        metavar="HOW",
        help="the value of a metric that counts: last, best, mean:5 (of its last five); last",
    )


def add_output_cap(add: Callable[..., object]) -> None:
    """`--output-cap`."""
    add(
        "--output-cap",
        metavar="SIZE",
        help="output that a cell keeps in the notebook (10MB); 0: all",
    )


def _late(name: str) -> Callable[[argparse.Namespace], int]:
    """The command's function, imported when it is called."""

    def call(arguments: argparse.Namespace) -> int:
        gc.disable()  # nothing that is imported is garbage: a twentieth of a launch
        module: Any = importlib.import_module(f"nbbg.cli.{name}")
        gc.enable()
        code: int = module.command(arguments)
        return code

    return call


def epilog(*lines: str) -> str:
    """What stands at the end of a help text."""
    return "examples:\n" + "\n".join(f"  {line}" for line in lines)
