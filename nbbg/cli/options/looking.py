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
        "nbbg results --where 'lr < 0.1 and state == \"succeeded\"'",
        "nbbg results --best accuracy                  best first, runs and then arms",
        "nbbg results --best loss --lower-is-better --reduce best",
        "nbbg results --csv runs.csv",
        "nbbg results --json runs.json",
        "nbbg results --to mlflow http://127.0.0.1:5000",
    )
    add = parser.add_argument
    add("ids", nargs="*", metavar="ID", help=shared.IDS)
    add("--best", metavar="METRIC", help="in the order of this metric, arms by its mean")
    add("--lower-is-better", action="store_true", help="the smallest first")
    shared.add_where(add)
    add("--sort", metavar="COLUMN", help="in the order of a column")
    add("--reverse", action="store_true", help="the largest first")
    add("--csv", metavar="FILE", help="as CSV, with parameters; `-` for stdout")
    add("--json", action="store_true", help="one JSON document on stdout, or into FILE.json")
    add(
        "--to",
        nargs=2,
        metavar=("mlflow", "URI"),
        help="send runs, parameters, metrics with steps, notebook and log to MLflow",
    )


def compare(subparsers: Subparsers) -> None:
    """`nbbg compare`."""
    parser = shared.command(
        subparsers,
        "compare",
        "which arm is better, by a metric over their seeds; or that it can't be told",
        "nbbg compare --metric accuracy",
        "nbbg compare resnet vit --metric loss --lower-is-better",
        "nbbg compare --metric accuracy --baseline resnet    each with resnet alone",
        "nbbg compare --metric accuracy --last 5             the mean of each run's last 5 values",
        "nbbg compare --metric accuracy --plot compare.png   a picture too; or .svg, .pdf",
    )
    add = parser.add_argument
    add("ids", nargs="*", metavar="ARM", help="arms, batches or runs; none: all with the metric")
    add("--metric", metavar="METRIC", required=True, help="what they are compared by")
    add("--lower-is-better", action="store_true", help="less of it is better")
    add("--baseline", metavar="ARM", help="compare each with this one, not each with each")
    add("--reduce", metavar="HOW", help="a run's value: last (the default), best, or mean:K")
    add("--last", type=int, metavar="K", help="as --reduce mean:K, the mean of its last K values")
    add("--by", metavar="COLUMN", default="", help="split each arm: by machine, engine, batch")
    add("--plot", metavar="FILE", help="a picture of it: FILE.png, .svg or .pdf")
    shared.add_json(parser)


def report(subparsers: Subparsers) -> None:
    """`nbbg report`."""
    parser = shared.command(
        subparsers,
        "report",
        "one page to send to somebody: what was run, what came out, and what went wrong",
        "nbbg report b3 -o report.html",
        "nbbg report resnet vit --metric loss --lower-is-better",
    )
    add = parser.add_argument
    add("ids", nargs="*", metavar="ID", help=shared.IDS)
    add("--metric", metavar="NAME", help="compare by this one; may be left out where there is one")
    add("--lower-is-better", action="store_true", help="the smallest wins")
    add("--baseline", metavar="ARM", help="the arm that the others are compared with")
    output = "report.html unless said; `-` for stdout"
    add("-o", "--output", metavar="FILE", default="report.html", help=output)


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


def doctor(subparsers: Subparsers) -> None:
    """`nbbg doctor`."""
    parser = shared.command(
        subparsers,
        "doctor",
        "say what would end or harm the runs here, and the line that mends it",
        "nbbg doctor",
        "nbbg doctor train.ipynb    also its interpreter and its kernel",
        "nbbg doctor && nbbg run train.ipynb --runs 20",
    )
    kinds = "whose interpreter and kernel are looked at too"
    parser.add_argument("notebooks", nargs="*", metavar="NOTEBOOK", help=kinds)
    shared.add_json(parser)
