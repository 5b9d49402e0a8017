"""What can be typed, and what is said where it makes no sense."""

from __future__ import annotations

import argparse
import importlib
from typing import TYPE_CHECKING, Any, NoReturn

import nbbg
from nbbg.cli import mistakes
from nbbg.cli.options import shared

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = {  # in the order of the help text -> where its options are
    "run": "launching",
    "status": "looking",
    "show": "looking",
    "logs": "looking",
    "notebook": "looking",
    "attach": "looking",
    "wait": "looking",
    "stop": "steering",
    "pause": "steering",
    "resume": "steering",
    "retry": "steering",
    "jobs": "steering",
    "host": "machines",
    "pull": "machines",
    "results": "looking",
    "compare": "looking",
    "report": "looking",
    "diff": "looking",
    "restore": "steering",
    "clean": "steering",
    "convert": "pairs",
    "pair": "pairs",
    "sync": "pairs",
    "check": "pairs",
    "doctor": "looking",
    "settings": "launching",
    "completion": "launching",
}


class Parser(argparse.ArgumentParser):
    """Says in two lines what can't be meant, where argparse would print all options first.

    Options may stand among the names (`run a.ipynb --runs 2 b.ipynb`), and are typed in full: what
    is short for one option today could be another's tomorrow.
    """

    def parse_known_args(  # type: ignore[override] # of its overloads one is used
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Take names from everywhere; leave with exit code 2 and the nearest option at others."""
        found, left = super().parse_known_args(args, namespace)
        taken = (each for each in self._actions if each.nargs in {"*", "+"})
        names = next((each for each in taken if not each.option_strings), None)
        if left and (names is None or any(word.startswith("-") for word in left)):
            self.error(mistakes.unknown(left, self._option_string_actions))
        if left and names is not None:
            setattr(found, names.dest, [*(getattr(found, names.dest) or ()), *left])
        return found, []

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        """argparse drops the value of `--note=--`, and hands on an empty list."""
        found = super()._get_values(action, arg_strings)
        if found == [] and action.nargs is None and action.option_strings:
            found = self._get_value(action, "--")
            self._check_value(action, found)
        return found

    def error(self, message: str) -> NoReturn:
        """Leave with exit code 2."""
        more = "; see" if "\n" in message else "\nsee"
        self.exit(2, f"{self.prog}: {message}{more}: {self.prog} --help\n")


if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[Parser]  # noqa: SLF001 - its only name


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The parsed command line; leaves with exit code 2 and a line where it makes no sense."""
    return build(argv[0] if argv else "").parse_args(list(argv))


def build(typed: str = "") -> argparse.ArgumentParser:
    """The parser of the command that is typed first, or of all where that is none."""
    parser = Parser(
        prog="nbbg",
        description="Turns a Jupyter notebook into a durable background experiment.",
        epilog=shared.epilog(
            "nbbg run train.ipynb --runs 20 --jobs 2    launch, and back at the prompt at once",
            "nbbg status                                what runs, waits and has ended",
            "nbbg logs 7 -f                             follow a run's output",
        ),
        formatter_class=shared.HelpText,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"nbbg {nbbg.__version__}")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True, prog=parser.prog)
    if typed and not typed.startswith("-") and typed not in COMMANDS:
        parser.error(mistakes.command(typed, list(COMMANDS)))
    for name in [typed] if typed in COMMANDS else COMMANDS:
        module = importlib.import_module(f"nbbg.cli.options.{COMMANDS[name]}")
        getattr(module, name)(subparsers)
    return parser
