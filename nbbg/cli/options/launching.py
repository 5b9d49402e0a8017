"""What can be typed after `run`, `settings` and `completion`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbbg.cli.options import shared

if TYPE_CHECKING:
    import argparse

    from nbbg.cli.parser import Subparsers


def run(subparsers: Subparsers) -> None:
    """`nbbg run`."""
    parser = shared.command(
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
        "nbbg run a.ipynb b.ipynb --until decided --metric accuracy --max-runs 30",
        "nbbg run                                    NOTEBOOKS, RUN_TIMES, EXIT_FILE from .env",
    )
    add = parser.add_argument
    kinds = "an .ipynb, a percent-format .py, a folder of them, or a quoted glob"
    add("notebooks", nargs="*", metavar="NOTEBOOK", help=kinds)
    shared.add_selection(parser)
    runs = "runs 1..N shall succeed; +K: K more; without it: one more"
    add("--runs", "--repeat", metavar="N", help=runs)
    _add_until(parser)
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
    shared.add_json(parser)


def settings(subparsers: Subparsers) -> None:
    """`nbbg settings`."""
    parser = shared.command(
        subparsers,
        "settings",
        "each setting with its source",
        "nbbg settings",
        "nbbg settings --jobs 4    as it would be with that option",
    )
    _add_settings(parser)
    shared.add_json(parser)


def completion(subparsers: Subparsers) -> None:
    """`nbbg completion`."""
    parser = shared.command(
        subparsers,
        "completion",
        "shell completion",
        "nbbg completion bash > ~/.local/share/bash-completion/completions/nbbg",
        'nbbg completion zsh > "${fpath[1]}/_nbbg"',
    )
    parser.add_argument("shell", choices=("bash", "zsh", "tcsh"))


def _add_until(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    until = "run the arms side by side until one is better, at most --max-runs of each"
    add("--until", choices=("decided",), help=until)
    add("--metric", metavar="METRIC", help="with --until: what they are compared by")
    add("--max-runs", type=int, metavar="N", help="with --until: the most runs of each arm")
    add("--lower-is-better", action="store_true", help="with --until: less of it is better")
    add("--baseline", metavar="ARM", help="with --until: tell each from this one alone")


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
    add("--executor", metavar="NAME", help="local (the default), tmux, ssh, slurm or inline")
    add("--on", metavar="HOSTS", help="these machines, over ssh: gpu1,gpu2; see nbbg host")
    send = "data that goes along to them, beside the code: data/small,config.yaml"
    add("--send", metavar="PATHS", help=send)
    slurm = "sbatch's options, for the executor slurm: partition=gpu,time=4:00:00,gres=gpu:1"
    add("--slurm", action="append", metavar="LIST", help=slurm)
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
    warm = (
        "fork runs from a process that has imported what they import: auto (the default), on, off"
    )
    add("--warm", metavar="WHEN", help=warm)
    preload = "modules, such as torch,scipy.stats, that it imports too; -NAME: that it does not"
    add("--preload", metavar="NAMES", help=preload)
    scratch = "runs get a folder there, on the disk of their machine, and it is kept: '$TMPDIR'"
    add("--scratch", metavar="DIR", help=scratch)
    shared.add_output_cap(add)
    add("--log-max", metavar="SIZE", help="a longer log loses its middle (1GB); 0: none does")
