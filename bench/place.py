"""A project in a temporary folder: its notebooks, its records, its processes, and its end."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbbg import files, paths, process
from nbbg.classes import dataclass
from nbbg.model import Planned
from nbbg.store import plans

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.measure import Case
    from nbbg.model import Identity

NBBG = Path(sys.executable).with_name("nbbg")
LINKS = 50_000  # to one file; some file systems have no more than 65,000
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TMPDIR")
_GIT = ("git", "-c", "user.name=bench", "-c", "user.email=bench@localhost")
_PYTHON = {"name": "python3", "display_name": "Python 3", "language": "python"}


@dataclass(frozen=True)
class Place:
    """A project, in a git repository with one commit."""

    root: Path

    def call(self, *argv: str | Path, code: int = 0) -> str:
        """Carry out a command in the project; what it said.

        Raises:
            RuntimeError: it ended with another exit code.
        """
        passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        own = {"HOME": str(self.root.parent), "NBBG_PYTHON": sys.executable}
        done = subprocess.run(
            argv,
            cwd=self.root,
            env=passed | own,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        if done.returncode != code:
            raise RuntimeError(f"{argv}: {done.returncode}\n{done.stderr.decode()}")
        return done.stdout.decode()

    def case(self, *argv: str | Path) -> Case:
        """A command to its end, as a case."""

        def go() -> tuple[float]:
            began = time.perf_counter()
            self.call(*argv)
            return (time.perf_counter() - began,)

        return go

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
        (self.root / f"{name}.py").write_text("\n".join(sources) + "\n")
        (self.root / f"{name}.ipynb").write_text(json.dumps(notebook))

    def batch(self, name: str, count: int, *options: str) -> Path:
        """The folder of a batch with `count` runs of a notebook; the first is carried out.

        It is the only batch of its project.
        """
        self.call(NBBG, "run", f"{name}.ipynb", "--wait", *options)
        folder = self.root / paths.STORE / paths.BATCHES / "1"
        until(lambda: not _members(folder))
        record = json.loads((folder / paths.BATCH).read_bytes())
        (folder / paths.BATCH).write_bytes(files.to_json({**record, "last": count}))
        plan = (Planned(run, name, run, run) for run in range(1, count + 1))
        (folder / paths.PLAN).write_bytes(plans.to_bytes(plan))
        (self.root / paths.STORE / paths.INDEX).unlink()
        return folder


def make(root: Path) -> Place:
    """An empty project in a new folder."""
    root.mkdir(parents=True)
    made = Place(root)
    (root / "README").write_text("A project to measure in.\n")
    for words in (("init", "-q"), ("add", "."), ("commit", "-qm", "begin")):
        made.call(*_GIT, *words)
    return made


def finish(batch: Path, count: int) -> None:
    """Make all runs of a batch what the first is: finished. Their facts are links to its own."""
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
    events = list(files.read_lines((batch / paths.EVENTS).read_bytes()))
    with (batch / paths.EVENTS).open("ab") as file:
        for run in range(2, count + 1):
            file.writelines(files.to_line({**event, "run": run}) for event in events)


def until(true: Callable[[], bool], nap: float = 0.01) -> None:
    """Wait until something is true, at most a minute.

    Raises:
        TimeoutError: it does not come true.
    """
    deadline = time.monotonic() + 60
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(nap)


def remove(folder: Path) -> None:
    """End every process that has to do with a folder, by its id, and remove the folder."""

    def nobody_is_left() -> bool:
        members = _members(folder)
        for who in members:
            process.send(who, 9)
        return not members

    until(nobody_is_left, nap=0.1)
    shutil.rmtree(folder)


def _members(folder: Path) -> list[Identity]:
    others = (each.identity for each in process.processes() if each.identity.pid != os.getpid())
    return [who for who in others if _mentions(who.pid, os.fsencode(folder))]


def _mentions(pid: int, folder: bytes) -> bool:
    try:
        return any(folder in Path(f"/proc/{pid}/{n}").read_bytes() for n in ("cmdline", "environ"))
    except OSError:
        return False


def memory(pid: int) -> tuple[str, str]:
    """Resident and proportional set size, in MB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    size = {line.split()[0]: int(line.split()[1]) / 1024 for line in lines}
    return f"{size['Rss:']:.1f}", f"{size['Pss:']:.1f}"


def cpu_ms(pid: int) -> float:
    """CPU time that a process with one thread has taken."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e6
