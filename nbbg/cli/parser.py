"""What can be typed. A function a command adds its options; none imports what a command needs."""

from __future__ import annotations

import argparse
import importlib
from typing import TYPE_CHECKING, Any, NoReturn

import nbbg
from nbbg.cli import mistakes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

IDS = "a run (7), a batch (b3) or an arm (train, train/lr=0.1)"


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
        epilog=_examples(
            "nbbg run train.ipynb --runs 20 --jobs 2    launch, and back at the prompt at once",
            "nbbg status                                what runs, waits and has ended",
            "nbbg logs 7 -f                             follow a run's output",
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"nbbg {nbbg.__version__}")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True, prog=parser.prog)
    commands = (
        *(_run, _status, _show, _logs, _notebook, _attach, _wait),
        *(_stop, _pause, _resume, _retry, _jobs, _results, _diff, _restore),
        *(_convert, _pair, _sync, _check, _settings, _completion),
    )
    names = [each.__name__[1:] for each in commands]
    if typed and not typed.startswith("-") and typed not in names:
        parser.error(mistakes.command(typed, names))
    for add in [each for each in commands if each.__name__ == f"_{typed}"] or commands:
        add(subparsers)
    return parser


def _run(subparsers: Subparsers) -> None:
    parser = _command(
        subparsers,
        "run",
        "launch notebooks in the background",
        "nbbg run train.ipynb --runs 20 --jobs 2",
        "nbbg run train.ipynb -p lr=0.1 --runs 5     an arm of its own: train/lr=0.1",
        "nbbg run train.ipynb -p lr=0.1,0.01 -p depth=2,4 --product --runs 10 -j 4    a grid",
        "nbbg run train.ipynb -f params.yaml         lr: 0.1 and the like; nbbg show train.ipynb",
        "nbbg run notebooks/ -f params.json --recursive --output-dir out --prepend x,results",
        "nbbg run -f configs.json -n                 what it would run, and where outputs would go",
        "nbbg run train.ipynb                        one more run, the next number",
        "nbbg run                                    NOTEBOOKS, RUN_TIMES, EXIT_FILE from .env",
    )
    add = parser.add_argument
    kinds = "an .ipynb, a percent-format .py, a folder of them, or a quoted glob"
    add("notebooks", nargs="*", metavar="NOTEBOOK", help=kinds)
    _add_selection(parser)
    runs = "runs 1..N shall succeed; +K: K more; without it: one more"
    add("--runs", "--repeat", metavar="N", help=runs)
    add("--seed", type=int, default=0, metavar="BASE", help="run k has the seed BASE + k")
    one = (
        "a parameter; commas separate values, one arm each; as JSON it is one: 'a=\"1,2\"', a=[1,2]"
    )
    add("-p", dest="params", action="append", default=[], metavar="NAME=VALUE", help=one)
    add(
        *("-f", "--params"),
        dest="files",
        action="append",
        default=[],
        metavar="FILE",
        help="a .yaml or .json of parameters, sets, lists, configurations; -p goes over each set",
    )
    grid = "every combination of the lists in -p and -f, instead of side by side"
    add("--product", action="store_true", help=grid)
    _add_outputs(parser)
    add("--allow-new-params", action="store_true", help="also those that no notebook declares")
    add("--allow-any-type", action="store_true", help="values of another type than declared")
    add("--name", metavar="ARM", help="the arm's name; of several: a template, base/{arm}")
    add("--mix", action="store_true", help="go on with an arm although its notebook has changed")
    add("--note", default="", metavar="TEXT", help="kept with the batch")
    add("--results", default="", metavar="NAMES", help="variables to keep at the end: a,b")
    add("--wait", action="store_true", help="show a bar until all have ended; Ctrl-C leaves it")
    add("--dry-run", "-n", action="store_true", help="show the plan, and create nothing")
    _add_settings(parser)
    _add_json(parser)


def _add_outputs(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--output-dir", metavar="DIR", help="where the outputs go, instead of outputs/")
    template = "their paths: {arm}, {notebook}, {number}, {seed}, {run}, parameters"
    add("--output", default="", metavar="TEMPLATE", help=template)
    parts = "and their names: parameters, or words as they are, {} the notebook's name: x,y,results"
    add("--prepend", metavar="NAMES", help=parts.format("before"))
    add("--append", metavar="NAMES", help=parts.format("after"))


def _add_settings(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--jobs", "-j", metavar="K", help="how many run at a time (1, or as many as GPU slots)")
    limit = "how many of all your batches with such a limit run at a time on this machine"
    add("--machine-jobs", metavar="K", help=limit)
    add("--gpus", metavar="LIST", help="one of these for each run: 0,1 or UUIDs, or all")
    add("--per-gpu", metavar="K", help="how many runs share a GPU (1)")
    free = "start on a GPU with so much memory free, and no stranger's process: 8GiB"
    add("--gpu-free", metavar="SIZE", help=free)
    add("--engine", metavar="NAME", help="ipython (the default for Python), kernel or plain")
    add("--executor", metavar="NAME", help="local (the default), tmux or inline")
    add("--python", metavar="PATH", help="an interpreter, an environment's folder, or conda:NAME")
    add("--grace", metavar="SECONDS", help="between the steps of a stop (10)")
    add("--timeout", metavar="T", help="end a run that takes longer: 90s, 10m, 2h, 1h30m, 1d")
    add("--cell-timeout", metavar="T", help="end a run when one of its cells takes longer")
    add("--watchdog", metavar="T", help="end a run that neither prints nor computes for so long")
    add("--quiet-after", metavar="T", help="status says so when it does neither (10m)")
    add("--retries", metavar="K", help="up to K more attempts of a run that did not succeed (0)")
    add("--retry-delay", metavar="T", help="before the second; doubled up to 10m (10s)")
    endings = "only after these: failed,exited,killed,timed-out,lost (all of them)"
    add("--retry-on", metavar="ENDINGS", help=endings)
    add("--max-failures", metavar="N", help="when N runs have failed, retries too, start no more")
    allow = "go on after a cell that raised; the run succeeds, and says which"
    add("--allow-errors", action="store_true", default=None, help=allow)
    add(
        "--exit-file",
        metavar="FILE",
        help="when it is there, the batch stops after its runs; NAME means ~/.NAME",
    )
    freeze = "what is copied at launch: notebook (the default), or tree, with the project's sources"
    add("--freeze", metavar="WHAT", help=freeze)
    _add_output_cap(add)


def _add_output_cap(add: Callable[..., object]) -> None:
    add(
        "--output-cap",
        metavar="SIZE",
        help="output that a cell keeps in the notebook (10MB); 0: all",
    )


def _status(subparsers: Subparsers) -> None:
    parser = _command(
        subparsers,
        "status",
        "what runs, waits, and has ended",
        "nbbg status",
        "nbbg status b3 train    these alone, every run of them",
        "nbbg status --watch     until Ctrl-C",
    )
    parser.add_argument("ids", nargs="*", metavar="ID", help=IDS)
    parser.add_argument("--watch", action="store_true", help="show it anew until Ctrl-C")
    parser.add_argument("--all", action="store_true", help="every project of yours")
    _add_json(parser)


def _show(subparsers: Subparsers) -> None:
    parser = _command(
        subparsers,
        "show",
        "everything about a run, or the parameters of a notebook",
        "nbbg show 7",
        "nbbg show 7 --json",
        "nbbg show 7 --stack             where the code of a live run stands, now",
        "nbbg show 7 --result table      a variable that it kept; a pickle with --trust alone",
        "nbbg show train.ipynb           its parameters: type, default, comment",
    )
    parser.add_argument("ids", nargs="+", metavar="ID", help=f"{IDS}; a notebook (train.ipynb)")
    parser.add_argument("--stack", action="store_true", help="ask a live run where its code stands")
    parser.add_argument("--result", metavar="NAME", help="this kept result alone")
    trust = "unpickle it, which can execute anything that its writer liked"
    parser.add_argument("--trust", action="store_true", help=trust)
    _add_json(parser)


def _logs(subparsers: Subparsers) -> None:
    parser = _command(
        subparsers, "logs", "a run's output", "nbbg logs 7", "nbbg logs 7 -f", "nbbg logs 7 -n 20"
    )
    parser.add_argument("ids", nargs="+", metavar="ID", help=IDS)
    parser.add_argument("-f", "--follow", action="store_true", help="until the run has ended")
    parser.add_argument("-n", "--lines", type=int, metavar="N", help="the last N lines alone")
    parser.add_argument("--raw", action="store_true", help="every byte, also off a terminal")
    parser.add_argument("--attempt", type=int, metavar="K", help="of an earlier attempt")


def _notebook(subparsers: Subparsers) -> None:
    parser = _command(
        subparsers,
        "notebook",
        "the executed notebook, as far as it has come",
        "nbbg notebook 7 -o so-far.ipynb",
        "nbbg notebook 7 -o - | jq .metadata",
        "nbbg notebook 7 --html -o run7.html    a page to send around; nothing in it can run",
        "nbbg notebook 7 --into train.ipynb     its outputs, into your notebook",
    )
    add = parser.add_argument
    add("id", metavar="ID", help=IDS)
    add("-o", "--output", metavar="FILE", help="`-` for stdout")
    add("--html", action="store_true", help="a page for a browser, in one file")
    add("--into", metavar="NOTEBOOK", help="put the outputs there, if its code is what was run")
    _add_output_cap(add)


def _attach(subparsers: Subparsers) -> None:
    parser = _command(
        subparsers,
        "attach",
        "look into a live run: its variables while a cell runs (engine kernel), or its tmux pane",
        "nbbg attach 7                    a prompt in its notebook; Ctrl-D leaves, the run goes on",
        "nbbg attach 7 -c 'len(losses)'   one answer",
        "nbbg attach 7 --vars             its variables",
        "nbbg attach 7 --pane             its tmux pane",
    )
    parser.add_argument("id", metavar="ID", help=IDS)
    how = parser.add_mutually_exclusive_group()
    how.add_argument("-c", dest="code", metavar="CODE", help="execute it there, show its value")
    how.add_argument("--vars", action="store_true", help="name, type, size, value of each variable")
    how.add_argument("--pane", action="store_true", help="the tmux pane that shows its output")


def _wait(subparsers: Subparsers) -> None:
    parser = _command(
        subparsers,
        "wait",
        "until runs have ended; exit code 0 when all succeeded, 1 when not, 124 after --timeout",
        "nbbg wait b1 && make report",
        "nbbg wait 7 8 --timeout 10m",
    )
    parser.add_argument("ids", nargs="+", metavar="ID", help=IDS)
    parser.add_argument(
        "--timeout", metavar="T", help="at most so long: 90s, 10m, 2h; 0: only look"
    )
    _add_json(parser)


def _stop(subparsers: Subparsers) -> None:
    parser = _command(
        subparsers,
        "stop",
        "interrupt runs, or whole batches",
        "nbbg stop 7",
        "nbbg stop b1                the batch and its runs",
        "nbbg stop b1 --after-run    what runs goes to its end, nothing more starts",
    )
    parser.add_argument("ids", nargs="+", metavar="ID", help=IDS)
    parser.add_argument("--after-run", action="store_true", help="let what runs go to its end")


def _pause(subparsers: Subparsers) -> None:
    parser = _command(
        subparsers,
        "pause",
        "start nothing more of a batch until `nbbg resume`; what runs goes on",
        "nbbg pause b3      its waiting runs stay queued, and `nbbg wait b3` goes on waiting",
        "nbbg resume b3",
        "nbbg stop b3 --after-run    instead: they are stopped, and `nbbg wait b3` ends",
    )
    parser.add_argument("ids", nargs="+", metavar="BATCH", help="such as b3")


def _jobs(subparsers: Subparsers) -> None:
    parser = _command(
        subparsers,
        "jobs",
        "change how many runs of a batch go on at a time; with fewer, nothing is stopped",
        "nbbg jobs b3 8",
        "nbbg jobs b3 b4 1",
    )
    parser.add_argument("ids", nargs="+", metavar="BATCH", help="such as b3")
    parser.add_argument("jobs", metavar="K", help="1 or more")


def _resume(subparsers: Subparsers) -> None:
    parser = _command(
        subparsers,
        "resume",
        "go on with what is queued, stopped or lost, and with paused batches",
        "nbbg resume",
        "nbbg resume b1",
    )
    parser.add_argument("ids", nargs="*", metavar="ID", help=IDS)


def _retry(subparsers: Subparsers) -> None:
    parser = _command(
        subparsers,
        "retry",
        "another attempt, now, at what failed, exited, was killed or timed out",
        "nbbg retry 7",
        "nbbg retry --failed",
        "nbbg retry --failed b1",
    )
    parser.add_argument("ids", nargs="*", metavar="ID", help=IDS)
    parser.add_argument("--failed", action="store_true", help="all of them")


def _results(subparsers: Subparsers) -> None:
    parser = _command(
        subparsers,
        "results",
        "one row a run, with its metrics",
        "nbbg results b1",
        "nbbg results --best accuracy                  best first, runs and then arms",
        "nbbg results --best loss --lower-is-better",
        "nbbg results --csv runs.csv",
    )
    add = parser.add_argument
    add("ids", nargs="*", metavar="ID", help=IDS)
    add("--best", metavar="METRIC", help="in the order of this metric, arms by its mean")
    add("--lower-is-better", action="store_true", help="the smallest first")
    add("--csv", metavar="FILE", help="as CSV, with parameters; `-` for stdout")
    _add_json(parser)


def _diff(subparsers: Subparsers) -> None:
    parser = _command(
        subparsers,
        "diff",
        "what differs between two runs: code, parameters, commit, packages, environment, metrics",
        "nbbg diff 12 15",
        "nbbg diff 12 15 --full    every line, and what was not committed",
    )
    parser.add_argument("ids", nargs=2, metavar="ID", help="a run, or what means one run")
    parser.add_argument("--full", action="store_true", help="all lines of what differs")
    _add_json(parser)


def _restore(subparsers: Subparsers) -> None:
    parser = _command(
        subparsers,
        "restore",
        "give back the code of a run as it was at launch; nothing is overwritten",
        "nbbg restore 12              makes train_frozen12.ipynb beside train.ipynb",
        "nbbg restore 12 -o then/     makes then/train.ipynb",
        "nbbg restore 12 --tree       all sources that --freeze tree kept, in restored-12/",
    )
    add = parser.add_argument
    add("id", metavar="ID", help=IDS)
    add("-o", "--output", metavar="FOLDER", help="where it goes")
    add("--tree", action="store_true", help="the whole tree that was frozen")


def _convert(subparsers: Subparsers) -> None:
    parser = _command(
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


def _pair(subparsers: Subparsers) -> None:
    parser = _command(
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


def _sync(subparsers: Subparsers) -> None:
    parser = _command(
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


def _check(subparsers: Subparsers) -> None:
    parser = _command(
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
    _add_selection(parser)
    if dry_run:
        add("--dry-run", "-n", action="store_true", help="say what would be written")
    _add_json(parser)


def _add_selection(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--recursive", "-r", action="store_true", help="folders with all folders in them")
    add("--include", action="append", default=[], metavar="GLOB", help="of folders, these alone")
    add("--exclude", action="append", default=[], metavar="GLOB", help="of folders, not these")


def _settings(subparsers: Subparsers) -> None:
    parser = _command(
        subparsers,
        "settings",
        "each setting with its source",
        "nbbg settings",
        "nbbg settings --jobs 4    as it would be with that option",
    )
    _add_settings(parser)
    _add_json(parser)


def _completion(subparsers: Subparsers) -> None:
    parser = _command(
        subparsers,
        "completion",
        "shell completion",
        "nbbg completion bash > ~/.local/share/bash-completion/completions/nbbg",
        'nbbg completion zsh > "${fpath[1]}/_nbbg"',
    )
    parser.add_argument("shell", choices=("bash", "zsh", "tcsh"))


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")


def _command(
    subparsers: Subparsers, name: str, help_text: str, *examples: str
) -> argparse.ArgumentParser:
    parser = subparsers.add_parser(
        name,
        help=help_text,
        description=help_text[0].upper() + help_text[1:] + ".",
        epilog=_examples(*examples),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(command=_late(name))
    return parser


def _late(name: str) -> Callable[[argparse.Namespace], int]:
    """The command's function, imported when it is called."""

    def call(arguments: argparse.Namespace) -> int:
        module: Any = importlib.import_module(f"nbbg.cli.{name}")
        code: int = module.command(arguments)
        return code

    return call


def _examples(*lines: str) -> str:
    return "examples:\n" + "\n".join(f"  {line}" for line in lines)
