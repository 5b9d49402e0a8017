"""A project in a temporary folder: its notebooks, its records, its processes, and its end."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import shlex
import shutil
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.measure import MEGABYTES, SECONDS, Case
from nbbg import files, paths, process
from nbbg.classes import dataclass
from nbbg.model import Planned
from nbbg.store import plans

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.measure import Figures
    from nbbg.model import Identity

NBBG = Path(sys.executable).with_name("nbbg")
LONGEST = 900  # seconds of a command
LINKS = 50_000  # to one file; some file systems have no more than 65,000
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TMPDIR")
_GIT = ("git", "-c", "user.name=bench", "-c", "user.email=bench@localhost")
_PYTHON = {"name": "python3", "display_name": "Python 3", "language": "python"}


_WEIGH = """
import os, shutil, sys, time
program = shutil.which(sys.argv[1])
quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
began = time.perf_counter()
pid = os.posix_spawn(program, sys.argv[1:], os.environ, file_actions=quiet)
_, status, used = os.wait4(pid, 0)
print(time.perf_counter() - began, used.ru_maxrss / 1024)
sys.exit(status != 0)
"""


@dataclass(frozen=True)
class Place:
    """A project, in a git repository with one commit."""

    root: Path

    python: str = sys.executable  # that its notebooks run in

    def environment(self) -> dict[str, str]:
        """What its commands find: little of this process's own."""
        passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        return passed | {"HOME": str(self.root.parent), "NBBG_PYTHON": self.python}

    def call(self, *argv: str | Path, code: int = 0) -> str:
        """Carry out a command in the project; what it said.

        Raises:
            RuntimeError: it ended with another exit code.
        """
        done = subprocess.run(
            argv,
            cwd=self.root,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=LONGEST,
        )
        if done.returncode != code:
            said = done.stderr.decode(errors="replace") or done.stdout.decode(errors="replace")
            raise RuntimeError(f"{argv[0]} ended with {done.returncode}\n{said}")
        return done.stdout.decode()

    def case(self, *argv: str | Path, runs: int = 1, typed: str = "") -> Case:
        """A command to its end, which is `runs` runs, as a case."""

        def go() -> Figures:
            began = time.perf_counter()
            self.call(*argv)
            return {SECONDS: (time.perf_counter() - began) / runs}

        return Case(go, typed or type_of(*argv), runs)

    def weighed(self, *argv: str | Path, typed: str = "") -> Case:
        """A command to its end, with the MB of its largest process."""

        def go() -> Figures:
            return self.weigh(*argv)

        return Case(go, typed or type_of(*argv))

    def weigh(self, *argv: str | Path) -> Figures:
        """Carry out a command; how long it took, and the MB of its largest process.

        A small program starts it, since a process begins with the size of the one it comes from.
        """
        said = self.call(sys.executable, "-S", "-E", "-c", _WEIGH, *argv).split()
        return {SECONDS: float(said[-2]), MEGABYTES: float(said[-1])}

    def on_terminal(self, *argv: str | Path, typed: str = "") -> Case:
        """A command to its end, on a terminal of 120 columns."""

        def go() -> Figures:
            began = time.perf_counter()
            terminal, inner = pty.openpty()
            termios.tcsetwinsize(inner, (40, 120))
            environment = self.environment() | {"TERM": "xterm-256color"}
            with subprocess.Popen(
                argv, cwd=self.root, env=environment, stdin=inner, stdout=inner, stderr=inner
            ) as program:
                os.close(inner)
                _drain(terminal)
            seconds = time.perf_counter() - began
            os.close(terminal)
            if program.returncode:
                raise RuntimeError(f"{argv[0]} ended with {program.returncode}")
            return {SECONDS: seconds}

        return Case(go, typed or type_of(*argv))

    def loop(self, count: int, *argv: str | Path, typed: str = "") -> Case:
        """A command again and again."""

        def go() -> Figures:
            began = time.perf_counter()
            for _ in range(count):
                self.call(*argv)
            return {SECONDS: (time.perf_counter() - began) / count}

        return Case(go, typed or type_of(*argv), count)

    def status(self) -> Any:
        """`nbbg status --json`."""
        return json.loads(self.call(NBBG, "status", "--json"))

    def write(self, name: str, *sources: str) -> None:
        """A notebook of code cells, and beside it the same as a script."""
        cells: list[dict[str, Any]] = [
            {
                "cell_type": "code",
                "id": f"cell-{number}",
                "metadata": {},
                "source": source,
                "outputs": [],
                "execution_count": None,
            }
            for number, source in enumerate(sources)
        ]
        notebook = {
            "nbformat": 4,
            "nbformat_minor": 5,
            "metadata": {"kernelspec": _PYTHON},
            "cells": cells,
        }
        script = "".join(f"# %%\n{source}\n\n" for source in sources)
        (self.root / f"{name}.py").write_text(script)
        (self.root / f"{name}.ipynb").write_text(json.dumps(notebook))

    def batch(self, name: str, count: int, *options: str) -> Path:
        """The folder of a batch with `count` runs of a notebook; the first is carried out.

        It is the only batch of its project.
        """
        self.call(NBBG, "run", f"{name}.ipynb", "--wait", *options)
        folder = self.root / paths.STORE / paths.BATCHES / "1"
        until(lambda: not members(folder))
        record = json.loads((folder / paths.BATCH).read_bytes())
        (folder / paths.BATCH).write_bytes(files.to_json({**record, "last": count}))
        plan = (Planned(run, name, run, run) for run in range(1, count + 1))
        (folder / paths.PLAN).write_bytes(plans.to_bytes(plan))
        (self.root / paths.STORE / paths.INDEX).unlink()
        return folder


def make(root: Path, python: str = sys.executable) -> Place:
    """An empty project in a new folder."""
    root.mkdir(parents=True)
    made = Place(root, python)
    (root / "README").write_text("A project to measure in.\n")
    for words in (("init", "-q"), ("add", "."), ("commit", "-qm", "begin")):
        made.call(*_GIT, *words)
    return made


def finish(batch: Path, count: int, *, folders: bool = True) -> None:
    """Make all runs of a batch what the first is: finished. Their facts are links to its own."""
    if folders:
        _copy_folders(batch, count)
    events = list(files.read_lines((batch / paths.EVENTS).read_bytes()))
    with (batch / paths.EVENTS).open("ab") as file:
        for run in range(2, count + 1):
            file.writelines(files.to_line({**event, "run": run}) for event in events)


def _copy_folders(batch: Path, count: int) -> None:
    first = batch / paths.RUNS / "1" / "1"
    facts = {path.name: path for path in first.iterdir() if path.is_file()}
    for run in range(2, count + 1):
        folder = batch / paths.RUNS / str(run) / "1"
        folder.mkdir(parents=True)
        for name, path in facts.items():
            if run % LINKS:
                os.link(path, folder / name)
            else:
                facts[name] = Path(shutil.copyfile(path, folder / name))


def _drain(terminal: int) -> None:
    """Read what is shown, until nobody has the terminal open any more."""
    with contextlib.suppress(OSError):
        while os.read(terminal, 65536):
            pass


def type_of(*argv: str | Path) -> str:
    """A command as it is typed: programs without their folders, scripts by their beginning."""
    words = [Path(argv[0]).name, *map(str, argv[1:])]
    return shlex.join(word.strip() for word in words)


def until(true: Callable[[], bool], nap: float = 0.01, most: float = 60) -> None:
    """Wait until something is true, `most` seconds at most.

    Raises:
        TimeoutError: it does not come true.
    """
    deadline = time.monotonic() + most
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(nap)


def remove(folder: Path) -> None:
    """End every process that has to do with a folder, by its id, and remove the folder."""

    def nobody_is_left() -> bool:
        left = members(folder)
        for who in left:
            process.send(who, 9)
        return not left

    until(nobody_is_left, nap=0.1)
    shutil.rmtree(folder)


def members(folder: Path) -> list[Identity]:
    """All processes whose command or environment names a folder; not this one."""
    others = (each.identity for each in process.processes() if each.identity.pid != os.getpid())
    return [who for who in others if _mentions(who.pid, os.fsencode(folder))]


def _mentions(pid: int, folder: bytes) -> bool:
    try:
        return any(folder in Path(f"/proc/{pid}/{n}").read_bytes() for n in ("cmdline", "environ"))
    except OSError:
        return False


def memory(pid: int) -> tuple[float, float]:
    """Resident and proportional set size, in MB; none of a process that has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    except OSError:
        return 0.0, 0.0
    size = {line.split()[0]: int(line.split()[1]) / 1024 for line in lines}
    return size.get("Rss:", 0.0), size.get("Pss:", 0.0)


def all_memory(folder: Path) -> float:
    """MB (proportional set size) of all processes that have to do with a folder."""
    return sum(memory(who.pid)[1] for who in members(folder))


def cpu_ms(pid: int) -> float:
    """CPU time that a process with one thread has taken."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e6


def tree(pid: int) -> list[int]:
    """A process and its descendants."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(each for child in children for each in tree(int(child)))]
