"""What can be typed after the commands that change what runs, or give code back."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from nbbg.cli.options import shared

if TYPE_CHECKING:
    from nbbg.cli.parser import Subparsers


def stop(subparsers: Subparsers) -> None:
    """`nbbg stop`."""
    parser = shared.command(
        subparsers,
        "stop",
        "interrupt runs, or whole batches",
        "nbbg stop 7",
        "nbbg stop b1                the batch and its runs",
        "nbbg stop b1 --after-run    what runs goes to its end, nothing more starts",
    )
    parser.add_argument("ids", nargs="+", metavar="ID", help=shared.IDS)
    parser.add_argument("--after-run", action="store_true", help="let what runs go to its end")


def pause(subparsers: Subparsers) -> None:
    """`nbbg pause`."""
    parser = shared.command(
        subparsers,
        "pause",
        "start nothing more of a batch until `nbbg resume`; what runs goes on",
        "nbbg pause b3      its waiting runs stay queued, and `nbbg wait b3` goes on waiting",
        "nbbg resume b3",
        "nbbg stop b3 --after-run    instead: they are stopped, and `nbbg wait b3` ends",
    )
    parser.add_argument("ids", nargs="+", metavar="BATCH", help="such as b3")


def resume(subparsers: Subparsers) -> None:
    """`nbbg resume`."""
    parser = shared.command(
        subparsers,
        "resume",
        "go on with what is queued, stopped or lost, and with paused batches",
        "nbbg resume",
        "nbbg resume b1",
        "nbbg resume b1 --on gpu2,gpu3    what waits goes to these machines",
        "nbbg resume --at-boot        from now on also by itself, when the machine was restarted",
        "nbbg resume --at-boot off    no more",
    )
    parser.add_argument("ids", nargs="*", metavar="ID", help=shared.IDS)
    on = "deal what was not started anew, to these hosts; see nbbg host"
    parser.add_argument("--on", default="", metavar="HOSTS", help=on)
    ways = ("auto", "systemd", "cron", "off")
    at_boot = "resume this project at boot, by systemd or an @reboot line of cron; off: no more"
    parser.add_argument("--at-boot", nargs="?", const="auto", choices=ways, help=at_boot)
    parser.add_argument("--after-boot", metavar="FOLDER", help=argparse.SUPPRESS)


def retry(subparsers: Subparsers) -> None:
    """`nbbg retry`."""
    parser = shared.command(
        subparsers,
        "retry",
        "another attempt, now, at what failed, exited, was killed or timed out",
        "nbbg retry 7",
        "nbbg retry --failed",
        "nbbg retry --failed b1",
    )
    parser.add_argument("ids", nargs="*", metavar="ID", help=shared.IDS)
    parser.add_argument("--failed", action="store_true", help="all of them")


def jobs(subparsers: Subparsers) -> None:
    """`nbbg jobs`."""
    parser = shared.command(
        subparsers,
        "jobs",
        "change how many runs of a batch go on at a time; with fewer, nothing is stopped",
        "nbbg jobs b3 8",
        "nbbg jobs b3 b4 1",
    )
    parser.add_argument("ids", nargs="+", metavar="BATCH", help="such as b3")
    parser.add_argument("jobs", metavar="K", help="1 or more")


def restore(subparsers: Subparsers) -> None:
    """`nbbg restore`."""
    parser = shared.command(
        subparsers,
        "restore",
        "give back the code of a run as it was at launch; nothing is overwritten",
        "nbbg restore 12              makes train_frozen12.ipynb beside train.ipynb",
        "nbbg restore 12 -o then/     makes then/train.ipynb",
        "nbbg restore 12 --tree       all sources that --freeze tree kept, in restored-12/",
    )
    add = parser.add_argument
    add("id", metavar="ID", help=shared.IDS)
    add("-o", "--output", metavar="FOLDER", help="where it goes")
    add("--tree", action="store_true", help="the whole tree that was frozen")


def clean(subparsers: Subparsers) -> None:
    """`nbbg clean`."""
    parser = shared.command(
        subparsers,
        "clean",
        "remove the files of runs that are over; what they came to stays in the records",
        "nbbg clean --older-than 30d          what would go, and how much room that would make",
        "nbbg clean --older-than 30d --yes    remove it",
        "nbbg clean --keep 50                 all but the last 50 of each arm",
        "nbbg clean b3 --state failed,killed",
        "nbbg clean                           what dead processes have left behind, alone",
    )
    add = parser.add_argument
    add("ids", nargs="*", metavar="ID", help=shared.IDS)
    add("--older-than", metavar="T", help="that ended so long ago: 12h, 30d")
    add("--keep", metavar="N", help="but for those of each arm that ended last")
    add("--state", metavar="STATES", help="that are: succeeded,failed,... (all but lost)")
    add("--checkpoints", action="store_true", help="their checkpoints too, which else stay")
    add("--outputs", action="store_true", help="and their executed notebooks in outputs/")
    unused = "environments of notebooks' headers that were not used for a month, or --older-than"
    add("--environments", action="store_true", help=unused)
    add("--yes", "-y", action="store_true", help="remove it; else it is only told")
    shared.add_json(parser)
