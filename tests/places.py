"""Where a test's runs are carried to: the executors, tmux with a server of its own, and a gate."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nbbg import paths
from nbbg.store import batches
from tests import machines
from tests.project import PATIENCE, PYTHON, Project, alive, until

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.cluster import Cluster

NBBG = (PYTHON, "-P", "-m", "nbbg")
GATE = """\
import os, time
print('at the gate')
while not os.path.exists('go'):
    time.sleep(0.02)"""  # a cell that goes on when its folder has a file `go`
COUNTS = "import os\nopen('numbers', 'a').write(os.environ['RUN_NUMBER'] + '\\n')"


@dataclass
class Place:
    """A project whose runs are carried by one executor."""

    executor: str
    project: Project
    home: Path | None = None  # of the machine that they work on, where it is another
    command: subprocess.Popen[bytes] | None = None

    @property
    def folder(self) -> Path:
        """The project's folder where they work."""
        return self.home / machines.FOLDER if self.home else self.project.root

    @property
    def store(self) -> Path:
        """The folder of the records that a runner writes."""
        if self.home is None:
            return self.project.root / paths.STORE
        (found,) = (self.folder / paths.STORE / paths.FROM).iterdir()
        return found

    def numbers(self) -> list[int]:
        """The numbers of the runs that were executed, in the order of their start."""
        return [int(line) for line in (self.folder / "numbers").read_text().split()]

    def supervisor(self) -> int | None:
        """The pid of the first batch's supervisor."""
        return batches.supervisor_pid(self.store / paths.BATCHES / "1")

    def open_gate(self) -> None:
        """Let what stands at a GATE go on."""
        (self.folder / "go").touch()

    def launch(self, *arguments: str) -> None:
        """`nbbg run`; the command of `inline`, which executes the runs itself, is left at work."""
        words = ("run", *arguments, "--executor", self.executor, "--grace", "0.5")
        if self.executor == "ssh":
            words += ("--on", "gpu1")
        if self.executor != "inline":
            self.project.nbbg(*words)
            return
        self.command = subprocess.Popen(
            [*NBBG, *words],
            cwd=self.project.root,
            env=self.project.environ(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        until((self.project.batch("b1") / paths.BATCH).exists)

    def end(self) -> None:
        """Wait until all runs of the first batch have ended, and the command too."""
        if self.command is not None:
            self.command.wait(PATIENCE)
        self.project.nbbg("wait", "b1", code=None)


@dataclass
class TmuxServer:
    """tmux with sockets in a folder of its own, for as long as a test."""

    folder: Path

    def __call__(self, *arguments: str) -> str:
        """The output of a tmux command; empty where there is no server."""
        environ = {**os.environ, "TMUX_TMPDIR": str(self.folder)}
        environ.pop("TMUX", None)
        words = ["tmux", *arguments]
        return subprocess.run(
            words, env=environ, capture_output=True, text=True, check=False
        ).stdout

    @property
    def pid(self) -> int | None:
        """The server's pid, while there is one."""
        said = self("display-message", "-p", "#{pid}").strip()
        return int(said) if said else None

    def end(self) -> None:
        """End the server, by its pid."""
        pid = self.pid
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
            until(lambda: not alive(pid))


@contextlib.contextmanager
def at(executor: str, project: Project, cluster: Cluster | None = None) -> Iterator[Place]:
    """A project whose runs are carried by that executor, and ended with the test.

    Args:
        executor: its name.
        project: in which nothing was launched.
        cluster: for `slurm`.
    """
    place = Place(executor, project)
    with contextlib.ExitStack() as stack:
        if executor == "tmux":
            stack.enter_context(tmux_of(project))
        if executor == "ssh":
            made = stack.enter_context(machines.machines(project, "gpu1", shared=True))
            machines.add(project, "gpu1")
            place.home = made["gpu1"].home
        if cluster:
            stack.enter_context(cluster.login(project))
        try:
            yield place
        finally:
            project.end_all()
            if place.command is not None:
                place.command.wait()


@contextlib.contextmanager
def tmux_of(project: Project) -> Iterator[TmuxServer]:
    """The tmux server of a project, which ends with the test."""
    if shutil.which("tmux") is None:
        pytest.skip("there is no tmux: scripts/setup-system")
    folder = Path(tempfile.mkdtemp(prefix="t"))  # a socket's path must be short
    project.environment["TMUX_TMPDIR"] = str(folder)
    server = TmuxServer(folder)
    try:
        yield server
    finally:
        project.end_all()
        server.end()
        shutil.rmtree(folder)


def open_gate(project: Project) -> None:
    """Let what stands at a GATE go on."""
    (project.root / "go").touch()


def indented(source: str) -> str:
    """The source as a block of its own."""
    return "\n".join(f"    {line}" for line in source.splitlines())


def files_with(folder: Path, texts: Iterable[str]) -> set[str]:
    """The names of the files in a folder, at any depth, that hold one of the texts."""
    found = set()
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            if path.is_file() and any(text.encode() in path.read_bytes() for text in texts):
                found.add(path.name)
    return found


def numbers(project: Project) -> list[int]:
    """The numbers of the runs that were executed, in the order of their start."""
    return [int(line) for line in (project.root / "numbers").read_text().split()]


def states(project: Project, *names: str) -> list[str]:
    """The state of each run, by id."""
    return [run["state"] for run in project.runs(*names)]


def kill(*pids: int | None) -> None:
    """SIGKILL to each, and wait until they are dead."""
    for pid in pids:
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
    until(lambda: not any(alive(pid) for pid in pids if pid is not None))
