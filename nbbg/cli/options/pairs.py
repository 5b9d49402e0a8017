"""What can be typed after the commands for notebooks and scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbbg.cli.options import shared

if TYPE_CHECKING:
    import argparse

    from nbbg.cli.parser import Subparsers


def convert(subparsers: Subparsers) -> None:
    """`nbbg convert`."""
    parser = shared.command(
        subparsers,
        "convert",
        "convert notebooks to scripts, and scripts to notebooks, without loss",
        "nbbg convert train.ipynb                    makes train.py",
        "nbbg convert train.py -o copy.ipynb",
        "nbbg convert notebooks/ --to py --recursive --exclude 'old/*'",
    )
    parser.add_argument("--to", choices=("py", "ipynb"), help="by default the other kind")
    parser.add_argument("-o", "--output", metavar="FILE", help="where the one file goes")
    _add_files(parser, "+")


def pair(subparsers: Subparsers) -> None:
    """`nbbg pair`."""
    parser = shared.command(
        subparsers,
        "pair",
        "pair notebooks with percent-format scripts, through jupytext",
        "nbbg pair train.ipynb    makes train.py",
        "nbbg pair train.py       makes train.ipynb",
        "nbbg pair notebooks/ --scripts scripts/",
    )
    parser.add_argument("--scripts", metavar="FOLDER", help="where the scripts go")
    parser.add_argument("--formats", metavar="FORMATS", help="as in jupytext: ipynb,py:percent")
    _add_files(parser, "+")


def sync(subparsers: Subparsers) -> None:
    """`nbbg sync`."""
    parser = shared.command(
        subparsers,
        "sync",
        "bring pairs into step: the side that was edited since they were the same wins",
        "nbbg sync    every pair in and below this folder",
        "nbbg sync train.ipynb",
        "nbbg sync train.py --from script    it wins; the other version stays beside",
    )
    sides = ("script", "notebook")
    parser.add_argument("--from", dest="side", choices=sides, help="the side that wins")
    _add_files(parser, "*")


def check(subparsers: Subparsers) -> None:
    """`nbbg check`."""
    parser = shared.command(
        subparsers,
        "check",
        "check that every pair is in step and every conversion lossless; exit code 1 when not",
        "nbbg check",
        "nbbg check --diff train.ipynb    what differs between the two, cell by cell",
    )
    parser.add_argument("--diff", action="store_true", help="show what differs")
    _add_files(parser, "*", dry_run=False)
    parser.set_defaults(dry_run=False)


def _add_files(parser: argparse.ArgumentParser, number: str, *, dry_run: bool = True) -> None:
    add = parser.add_argument
    add("files", nargs=number, metavar="PATH", help="notebooks, scripts and folders")
    shared.add_selection(parser)
    if dry_run:
        add("--dry-run", "-n", action="store_true", help="say what would be written")
    shared.add_json(parser)
