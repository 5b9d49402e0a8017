"""What can be typed after `host` and `pull`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbbg.cli.options import shared

if TYPE_CHECKING:
    import argparse

    from nbbg.cli.parser import Subparsers


def host(subparsers: Subparsers) -> None:
    """`nbbg host`."""
    parser = shared.command(
        subparsers,
        "host",
        "the machines that runs are carried to over ssh",
        "nbbg host add gpu1 user@gpu1.lab:work/proj     as ssh takes it, and a folder there",
        "nbbg host check                sets up what is missing, and says what each has",
        "nbbg run train.ipynb --runs 20 --on gpu1,gpu2",
        "nbbg host give-up gpu1         it is gone for good: its runs are lost, nbbg resume",
        "nbbg host adopt gpu1           what clients have left there, to be taken over",
    )
    verbs = parser.add_subparsers(metavar="VERB", required=True, dest="verb", prog=parser.prog)
    add = _verb(verbs, "add", "write a host down")
    add.add_argument("name", metavar="NAME", help="what it is called here")
    place = "as ssh takes it, and the project's folder there; nbbg/PROJECT where none is named"
    add.add_argument("place", metavar="TARGET[:FOLDER]", help=place)
    python = "of the runs there: a path, an environment's folder, conda:NAME"
    add.add_argument("--python", default="", metavar="PATH", help=python)
    own = "a Python there that has nbbg, instead of one that is set up"
    add.add_argument("--nbbg", default="", metavar="PYTHON", help=own)
    wheels = "a folder of wheels to install there, where it has no package index"
    add.add_argument("--wheels", default="", metavar="FOLDER", help=wheels)
    shared.add_json(_verb(verbs, "list", "every host"))
    check = _verb(verbs, "check", "ask hosts what they have; set up what is missing")
    check.add_argument("names", nargs="*", metavar="NAME", help="all, where none is named")
    shared.add_json(check)
    for verb, about in (
        ("remove", "forget a host; what is there stays there"),
        ("give-up", "a host is gone for good: its runs without a result are lost"),
    ):
        _verb(verbs, verb, about).add_argument("name", metavar="NAME")
    adopt = _verb(verbs, "adopt", "see what clients have left on a host, and take it over")
    adopt.add_argument("name", metavar="NAME")
    adopt.add_argument(
        "store", nargs="?", default="", metavar="STORE", help="which, as it is shown"
    )


def pull(subparsers: Subparsers) -> None:
    """`nbbg pull`."""
    parser = shared.command(
        subparsers,
        "pull",
        "bring home what runs on other machines have written, now",
        "nbbg pull",
        "nbbg pull 7 --checkpoint       its checkpoint folder too",
        "nbbg pull --path models        what they wrote in the project, to pulled/gpu1/models",
    )
    parser.add_argument("ids", nargs="*", metavar="ID", help=shared.IDS)
    parser.add_argument("--checkpoint", action="store_true", help="checkpoint folders too")
    path = "of the project's folder there, to pulled/HOST/PATH here"
    parser.add_argument("--path", action="append", default=[], metavar="PATH", help=path)


def _verb(
    verbs: argparse._SubParsersAction[argparse.ArgumentParser], name: str, about: str
) -> argparse.ArgumentParser:
    return verbs.add_parser(
        name, help=about, description=f"{about[0].upper()}{about[1:]}.", allow_abbrev=False
    )
