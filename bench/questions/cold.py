"""What one run of a notebook costs, without a warm start, beside what anybody else offers."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from functools import partial
from subprocess import Popen
from typing import TYPE_CHECKING

from bench import place, tables
from bench.measure import MEGABYTES, SECONDS, Case
from bench.pictures import bars
from bench.questions.loops import NUMPY
from nbbg import paths, process

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.bench import Bench
    from bench.kept import Kept
    from bench.measure import Figures
    from bench.pictures import Drawing

TITLE = "One run"
KEY, MEMORY = "cold/time", "cold/memory"
PLAIN = "`python -u script.py`"
RUN = "nbbg's run: runner, engine, records"
MOST = 10_000  # runs that a place has in its plan
_SUBMITIT = """
import sys, submitit
from submitit.helpers import CommandFunction
executor = submitit.LocalExecutor(folder="submitit")
executor.submit(CommandFunction([sys.argv[1], "-u", "it.py"], verbose=False)).result()
"""
_TEXT = """\
One run of a small notebook (print, import NumPy, compute), by each tool's own command, or of the
same as a script where the tool knows no notebooks. *MB* is the most that all processes of it held
together (proportional set size, in three other rounds).

![What does one run of a small notebook cost?](benchmarks/cold.svg)

{table}
"""


def measure(bench: Bench) -> None:
    """Times, and in other rounds the memory of the whole tree."""
    if bench.is_done(KEY) and bench.is_done(MEMORY, 3):
        return
    where = place.make(bench.top / "cold")
    where.write("it", *NUMPY)
    commands = _commands(bench, where)
    timed = {name: where.case(*argv, typed=_typed(argv)) for name, argv in commands.items()}
    own = {
        RUN: Runner(bench, "ipython"),
        "nbbg's run, engine `kernel`": Runner(bench, "kernel"),
    }
    timed |= {name: one.case() for name, one in own.items()}
    bench.take(KEY, timed)
    weighed = {
        name: Case(partial(weighed_run, where, argv))
        for name, argv in commands.items()
        if "--wait" not in argv  # its processes are not of its tree
    }
    weighed |= {name: one.weighed() for name, one in own.items()}
    bench.take(MEMORY, weighed, 3, trial=False)


class Runner:
    """A nbbg run as a program: the runner, which starts the engine and writes record and notebook.

    That is all of it but the launch.
    """

    def __init__(
        self, bench: Bench, engine: str, sources: Sequence[str] = NUMPY, name: str = "run"
    ) -> None:
        self.where = place.make(bench.top / f"{name}-{engine}")
        self.where.write("it", *sources)
        self.batch = self.where.batch("it", MOST, "--engine", engine, "--warm", "off")
        self.next = 2

    def attempt(self) -> Sequence[str]:
        """The command of the next run."""
        folder = self.batch / paths.RUNS / str(self.next) / "1"
        folder.mkdir(parents=True)
        self.next += 1
        return process.own_program("nbbg.runner", str(folder))

    def case(self) -> Case:
        """Timed."""

        def go() -> Figures:
            argv = self.attempt()
            began = time.perf_counter()
            self.where.call(*argv)
            return {SECONDS: time.perf_counter() - began}

        return Case(go, "python -m nbbg.runner .nbbg/batches/1/runs/2/1")

    def weighed(self) -> Case:
        """Its memory."""
        return Case(lambda: weighed_run(self.where, self.attempt()))


def _commands(bench: Bench, where: place.Place) -> dict[str, Sequence[str]]:
    """Each tool's own command for one notebook or script."""
    python, peers = sys.executable, bench.peers
    nohup = f"nohup {python} -u it.py >it.log 2>&1 & wait $!"
    found: dict[str, Sequence[str]] = {
        PLAIN: (python, "-u", "it.py"),
        "`nohup python`": ("sh", "-c", nohup),
        "nbbg, launch to end": (str(place.NBBG), "run", "it.ipynb", "--warm", "off", "--wait"),
    }
    if peers.has("task-spooler"):
        found["task-spooler"] = ("tsp", "-f", python, "-u", "it.py")
    if peers.has("submitit"):
        (where.root / "by_submitit.py").write_text(_SUBMITIT.lstrip())
        found["submitit, local"] = (peers.program("submitit"), "by_submitit.py", python)
    (where.root / "sets.json").write_text(json.dumps([{"number": "1"}]))
    for name, peer, words in (
        ("execnb", "execnb", ("exec_nb", "it.ipynb", "--dest", "out.ipynb")),
        ("ploomber-engine", "ploomber-engine", ("ploomber-engine", "it.ipynb", "out.ipynb")),
        ("nbclient", "nbclient", ("jupyter-execute", "it.ipynb", "--output=out")),
        ("papermill", "papermill", ("papermill", "it.ipynb", "out.ipynb", *_QUICK)),
        ("millrun", "millrun", ("millrun", "run", "it.ipynb", "sets.json", *_OUT)),
    ):
        if peers.has(peer):
            found[name] = (peers.program(peer, words[0]), *words[1:])
    return found


_QUICK = (
    *("--no-progress-bar", "--no-request-save-on-cell-execute"),
    *("--autosave-cell-every", "0"),
)
_OUT = ("--output-dir", "out", "--prepend", "number")


def _typed(argv: Sequence[str]) -> str:
    if argv[0] == "sh":
        return argv[-1].replace(sys.executable, "python")
    return place.type_of(*(word.replace(sys.executable, "python") for word in argv))


def weighed_run(where: place.Place, argv: Sequence[str]) -> Figures:
    """The most MB (PSS) that a program and all that it started held together.

    Raises:
        RuntimeError: it failed.
    """
    environment, silent = where.environment(), subprocess.DEVNULL
    most = 0.0
    with Popen(
        argv, cwd=where.root, env=environment, stdin=silent, stdout=silent, stderr=silent
    ) as program:
        while program.poll() is None:
            most = max(most, sum(place.memory(pid)[1] for pid in place.tree(program.pid)))
            time.sleep(0.002)
    if program.returncode:
        raise RuntimeError(f"{argv[0]} ended with {program.returncode}")
    return {MEGABYTES: most}


def tell(kept: Kept) -> str:
    """A table and a picture."""
    return _TEXT.format(table=tables.beside(kept, KEY, PLAIN, memory=MEMORY))


def draw(kept: Kept) -> list[Drawing]:
    """Each tool's time."""
    panels = {"": kept.table(KEY)}
    return [bars("cold", "What does one run of a small notebook cost?", panels, PLAIN, unit="ms")]
