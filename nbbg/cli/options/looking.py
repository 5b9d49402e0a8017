"""What can be typed after the commands that only read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbbg.cli.options import shared

if TYPE_CHECKING:
    from nbbg.cli.parser import Subparsers


def status(subparsers: Subparsers) -> None:
    """`nbbg status`."""
    parser = shared.command(
        subparsers,
        "status",
        "what runs, waits, and has ended",
        "nbbg status",
        "nbbg status b3 train    these alone, every run of them",
        "nbbg status --watch     until nothing goes on any more, or Ctrl-C",
    )
    parser.add_argument("ids", nargs="*", metavar="ID", help=shared.IDS)
    parser.add_argument(
        "--watch", action="store_true", help="until nothing goes on; in a pipe: each change"
    )
    parser.add_argument("--all", action="store_true", help="every project of yours")
    shared.add_json(parser)


def show(subparsers: Subparsers) -> None:
    """`nbbg show`."""
    parser = shared.command(
        subparsers,
        "show",
        "everything about a run, or the parameters of a notebook",
        "nbbg show 7",
        "nbbg show 7 --json",
        "nbbg show 7 --stack             where the code of a live run stands, now",
        "nbbg show 7 --result table      a variable that it kept; a pickle with --trust alone",
        "nbbg show train.ipynb           its parameters: type, default, comment",
    )
    parser.add_argument(
        "ids", nargs="+", metavar="ID", help=f"{shared.IDS}; a notebook (train.ipynb)"
    )
    parser.add_argument("--stack", action="store_true", help="ask a live run where its code stands")
    parser.add_argument("--result", metavar="NAME", help="this kept result alone")
    trust = "unpickle it, which can execute anything that its writer liked"
    parser.add_argument("--trust", action="store_true", help=trust)
    shared.add_json(parser)


def logs(subparsers: Subparsers) -> None:
    """`nbbg logs`."""
    parser = shared.command(
        subparsers, "logs", "a run's output", "nbbg logs 7", "nbbg logs 7 -f", "nbbg logs 7 -n 20"
    )
    parser.add_argument("ids", nargs="+", metavar="ID", help=shared.IDS)
    parser.add_argument("-f", "--follow", action="store_true", help="until the run has ended")
    parser.add_argument("-n", "--lines", type=int, metavar="N", help="the last N lines alone")
    parser.add_argument("--raw", action="store_true", help="every byte, also off a terminal")
    parser.add_argument("--attempt", type=int, metavar="K", help="of an earlier attempt")


def notebook(subparsers: Subparsers) -> None:
    """`nbbg notebook`."""
    parser = shared.command(
        subparsers,
        "notebook",
        "the executed notebook, as far as it has come",
        "nbbg notebook 7 -o so-far.ipynb",
        "nbbg notebook 7 -o - | jq .metadata",
        "nbbg notebook 7 --html -o run7.html    a page to send around; nothing in it can run",
        "nbbg notebook 7 --into train.ipynb     its outputs, into your notebook",
    )
    add = parser.add_argument
    add("id", metavar="ID", help=shared.IDS)
    add("-o", "--output", metavar="FILE", help="`-` for stdout")
    add("--html", action="store_true", help="a page for a browser, in one file")
    add("--into", metavar="NOTEBOOK", help="put the outputs there, if its code is what was run")
    shared.add_output_cap(add)


def attach(subparsers: Subparsers) -> None:
    """`nbbg attach`."""
    parser = shared.command(
        subparsers,
        "attach",
        "look into a live run: its variables while a cell runs (engine kernel), or its tmux pane",
        "nbbg attach 7                    a prompt in its notebook; Ctrl-D leaves, the run goes on",
        "nbbg attach 7 -c 'len(losses)'   one answer",
        "nbbg attach 7 --vars             its variables",
        "nbbg attach 7 --pane             its tmux pane",
    )
    parser.add_argument("id", metavar="ID", help=shared.IDS)
    how = parser.add_mutually_exclusive_group()
    how.add_argument("-c", dest="code", metavar="CODE", help="execute it there, show its value")
    how.add_argument("--vars", action="store_true", help="name, type, size, value of each variable")
    how.add_argument("--pane", action="store_true", help="the tmux pane that shows its output")


def wait(subparsers: Subparsers) -> None:
    """`nbbg wait`."""
    parser = shared.command(
        subparsers,
        "wait",
        "until runs have ended; exit code 0 when all succeeded, 1 when not, 124 after --timeout",
        "nbbg wait b1 && make report",
        "nbbg wait 7 8 --timeout 10m",
    )
    parser.add_argument("ids", nargs="+", metavar="ID", help=shared.IDS)
    parser.add_argument(
        "--timeout", metavar="T", help="at most so long: 90s, 10m, 2h; 0: only look"
    )
    shared.add_json(parser)


def results(subparsers: Subparsers) -> None:
    """`nbbg results`."""
    parser = shared.command(
        subparsers,
        "results",
        "one row a run, with its metrics",
        "nbbg results b1",
        "nbbg results --best accuracy                  best first, runs and then arms",
        "nbbg results --best loss --lower-is-better",
        "nbbg results --csv runs.csv",
    )
    add = parser.add_argument
    add("ids", nargs="*", metavar="ID", help=shared.IDS)
    add("--best", metavar="METRIC", help="in the order of this metric, arms by its mean")
    add("--lower-is-better", action="store_true", help="the smallest first")
    add("--csv", metavar="FILE", help="as CSV, with parameters; `-` for stdout")
    shared.add_json(parser)


def diff(subparsers: Subparsers) -> None:
    """`nbbg diff`."""
    parser = shared.command(
        subparsers,
        "diff",
        "what differs between two runs: code, parameters, commit, packages, environment, metrics",
        "nbbg diff 12 15",
        "nbbg diff 12 15 --full    every line, and what was not committed",
    )
    parser.add_argument("ids", nargs=2, metavar="ID", help="a run, or what means one run")
    parser.add_argument("--full", action="store_true", help="all lines of what differs")
    shared.add_json(parser)
