"""Two job managers under the same kills as nbbg: what happens to jobs, and what is said of them.

`python -m bench.peers_killed [--report docs/reliability.md]`. Needs task-spooler (`tsp`) on the
PATH; submitit has an environment of its own. A job writes that it began, starts a
child in a session of its own, and writes that it ended. Each fault hits three jobs, one at a time
where the tool has a queue (submitit starts all at once).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from bench import peers, place
from nbbg import process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

JOBS, SECONDS = 3, 6.0
BEGIN, END = "<!-- peers: begin -->", "<!-- peers: end -->"
WORK = """\
import os, subprocess, sys, time
def note(what):
    with open("marks", "a") as file:
        file.write(f"{what} {os.getpid()}\\n")
child = subprocess.Popen(["sleep", "60"], start_new_session=True)
with open("children", "a") as file:
    file.write(f"{child.pid}\\n")
note("began")
time.sleep(SECONDS)
note("ended")
child.kill()
child.wait()
""".replace("SECONDS", str(SECONDS))


class Tool(ABC):
    """A job manager, in a folder of its own."""

    name = ""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def call(self, *words: str, check: bool = True) -> str:
        """Run a program in the folder; its stdout."""
        passed = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        return subprocess.run(
            words,
            cwd=self.folder,
            env={**passed, "HOME": str(self.folder), **self.environment()},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=check,
            timeout=60,
        ).stdout

    def environment(self) -> dict[str, str]:
        """What it needs beside."""
        return {}

    def members(self) -> list[int]:
        """All processes that work in the folder."""
        needle = os.fsencode(f"HOME={self.folder}")
        found = []
        for each in process.processes():
            with contextlib.suppress(OSError):
                pid = each.identity.pid
                if needle in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                    found.append(pid)
        return found

    def marks(self, what: str) -> list[int]:
        """The processes that have noted it."""
        path = self.folder / "marks"
        lines = path.read_text().splitlines() if path.exists() else []
        return [int(line.split()[1]) for line in lines if line.startswith(what)]

    def job(self) -> int:
        """The process that does the work of the first job."""
        return self.marks("began")[0]

    def worker(self) -> int:
        """What waits for the job."""
        return _parent(self.job())

    @abstractmethod
    def start(self) -> None:
        """Start the jobs; at least one is at work then."""

    @abstractmethod
    def manager(self) -> int:
        """What holds the queue, or has started the jobs."""

    @abstractmethod
    def states(self) -> list[str]:
        """What is said of the jobs, in order."""

    @abstractmethod
    def stop(self) -> None:
        """Stop the first job, as the tool has it."""

    @abstractmethod
    def resume(self) -> None:
        """The one command after which all should come to their end."""

    def clean(self) -> None:
        """End all that is left."""
        while left := self.members():
            for pid in left:
                _kill(pid)
            time.sleep(0.02)


class Nbbg(Tool):
    """nbbg, engine ipython, executor local."""

    name = "nbbg"

    def start(self) -> None:
        """Three runs of a notebook, one at a time."""
        (self.folder / ".git").mkdir()
        place.Place(self.folder).write("work", WORK)
        self.resume()
        place.until(lambda: bool(self.marks("began")))

    def environment(self) -> dict[str, str]:
        """Its interpreter."""
        return {"NBBG_PYTHON": sys.executable}

    def manager(self) -> int:
        """The supervisor."""
        said = json.loads(self.call(str(place.NBBG), "status", "--json"))
        return int(said["batches"][0]["supervisor_pid"])

    def states(self) -> list[str]:
        """State and reason."""
        runs = json.loads(self.call(str(place.NBBG), "status", "--json"))["runs"]
        return [
            f"{run['state']} ({run['reason']})" if run["reason"] else str(run["state"])
            for run in runs
        ]

    def stop(self) -> None:
        """`nbbg stop 1`."""
        self.call(str(place.NBBG), "stop", "1")

    def resume(self) -> None:
        """The same `nbbg run` again."""
        self.call(str(place.NBBG), "run", "work.ipynb", "--runs", str(JOBS))


class TaskSpooler(Tool):
    """task-spooler."""

    name = "task-spooler"

    def start(self) -> None:
        """Three scripts, one at a time."""
        (self.folder / "work.py").write_text(WORK)
        for _ in range(JOBS):
            self.call("tsp", sys.executable, "work.py")
        place.until(lambda: bool(self.marks("began")))

    def environment(self) -> dict[str, str]:
        """A server of its own."""
        return {"TS_SOCKET": f"{self.folder}/socket", "TMPDIR": str(self.folder)}

    def manager(self) -> int:
        """Its server: the first that was started."""
        return min(pid for pid in self.members() if _words(pid)[0] == "tsp")

    def states(self) -> list[str]:
        """The columns State and E-Level."""
        lines = self.call("tsp", "-l", check=False).splitlines()[1:]
        rows = [line.split() for line in lines]
        return [
            f"{row[1]}, E-Level {row[3]}" if row[1] == "finished" else row[1]
            for row in sorted(rows, key=lambda row: int(row[0]))
        ]

    def stop(self) -> None:
        """`tsp -k 0`."""
        self.call("tsp", "-k", "0", check=False)
        time.sleep(1)

    def resume(self) -> None:
        """It has none: any call starts its server anew."""
        self.call("tsp", "-l", check=False)


class Submitit(Tool):
    """submitit's LocalExecutor."""

    name = "submitit (local)"
    python = ""
    _SUBMIT = (
        "import submitit, time\n"
        "executor = submitit.LocalExecutor(folder='log')\n"
        "executor.update_parameters(timeout_min=5)\n"
        "from submitit.helpers import CommandFunction\n"
        "words = CommandFunction(['{python}', 'work.py'])\n"
        "jobs = [executor.submit(words) for _ in range({jobs})]\n"
        "open('ids', 'w').write(' '.join(job.job_id for job in jobs))\n"
        "time.sleep(60)\n"
    )
    _ASK = (
        "import submitit\n"
        "for name in open('ids').read().split():\n"
        "    job = submitit.LocalJob('log', name)\n"
        "    print(f'{job.state}, done() is {job.done()}')\n"
    )
    launcher: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Three functions; a process that waits for them, as a notebook or a script would."""
        (self.folder / "work.py").write_text(WORK)
        source = self._SUBMIT.format(python=sys.executable, jobs=JOBS)
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder)}
        self.launcher = subprocess.Popen(
            [self.python, "-c", source], cwd=self.folder, env=environment
        )
        place.until(lambda: len(self.marks("began")) == JOBS)

    def manager(self) -> int:
        """The process that submitted."""
        assert self.launcher  # noqa: S101 - it was started
        return self.launcher.pid

    def states(self) -> list[str]:
        """What another process is told."""
        return self.call(self.python, "-c", self._ASK, check=False).splitlines()

    def stop(self) -> None:
        """`job.cancel()`, from another process."""
        ask = "import submitit; submitit.LocalJob('log', open('ids').read().split()[0]).cancel()"
        self.call(self.python, "-c", ask, check=False)
        time.sleep(1)

    def resume(self) -> None:
        """It has none."""

    def clean(self) -> None:
        """Its process, too."""
        super().clean()
        if self.launcher:
            self.launcher.wait()


def killed_manager(tool: Tool) -> str:
    """SIGKILL to the queue's keeper."""
    tool.start()
    job = tool.job()
    _kill(tool.manager())
    time.sleep(0.5)
    lives = process.identity(job) is not None
    told = _told(tool.states())
    tool.resume()
    time.sleep((JOBS + 1.5) * SECONDS)
    ended = len(tool.marks("ended"))
    return (
        f"the job {'goes on' if lives else 'is dead'}; said at once: {told}; {_after(tool, ended)}"
    )


def killed_job(tool: Tool) -> str:
    """SIGKILL to the job's own process."""
    tool.start()
    _kill(tool.job())
    time.sleep(1)
    return f"said: {_told(tool.states())}"


def killed_worker(tool: Tool) -> str:
    """SIGKILL to what watches over the job."""
    tool.start()
    job, worker = tool.job(), tool.worker()
    _kill(worker)
    time.sleep(0.5)
    lives = process.identity(job) is not None
    told = _told(tool.states())
    time.sleep((JOBS + 1) * SECONDS)
    later = _told(tool.states())
    return f"the job {'goes on' if lives else 'is dead'}; said at once: {told}; later: {later}"


def killed_all(tool: Tool) -> str:
    """SIGKILL to everything, as a reboot does."""
    tool.start()
    Tool.clean(tool)
    told = _told(tool.states())
    tool.resume()
    time.sleep((JOBS + 1) * SECONDS)
    return f"said: {told}; {_after(tool, len(tool.marks('ended')))}"


def stopped(tool: Tool) -> str:
    """The tool's own stop of a job that has a child in a session of its own."""
    tool.start()
    job = tool.job()
    child = int((tool.folder / "children").read_text().split()[0])
    tool.stop()
    left = [what for what, pid in (("job", job), ("child", child)) if process.identity(pid)]
    return f"left alive: {', '.join(left) or 'nothing'}"


CASES: dict[str, Callable[[Tool], str]] = {
    "SIGKILL to the manager (server, launcher, supervisor)": killed_manager,
    "SIGKILL to the job": killed_job,
    "SIGKILL to its worker (what watches over it)": killed_worker,
    "SIGKILL to everything, as by a reboot": killed_all,
    "stop of a job whose child has called setsid": stopped,
}
TOOLS = (Nbbg, TaskSpooler, Submitit)


def main() -> None:
    """Measure, print the table, and put it into the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--report", type=Path)
    page = parser.parse_args().report
    top = Path(tempfile.mkdtemp(prefix="nbbg-peers-"))
    try:
        versions = _install()
        lines = [f"| fault | {' | '.join(tool.name for tool in TOOLS)} |", "|---|---|---|---|"]
        for number, (name, case) in enumerate(CASES.items()):
            folders = [top / f"{tool.__name__}-{number}" for tool in TOOLS]
            with ThreadPoolExecutor() as pool:
                cells = list(pool.map(_measure, TOOLS, folders, [case] * len(TOOLS)))
            lines.append(f"| {name} | {' | '.join(cells)} |")
            print(lines[-1], flush=True)
    finally:
        shutil.rmtree(top)
    date = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    text = f"`python -m bench.peers_killed` on {date}; {versions}.\n\n" + "\n".join(lines)
    if page:
        _put(page, text)


def _install() -> str:
    """The versions of the two.

    Raises:
        RuntimeError: one of them can't be had.
    """
    there = peers.Peers(peers.cache())
    there.install(["submitit"])
    for name in ("submitit", "task-spooler"):
        if not there.has(name):
            raise RuntimeError(f"no {name}: {there.missing[name]}")
    Submitit.python = there.program("submitit")
    return f"task-spooler {there.versions['task-spooler']}, submitit {there.versions['submitit']}"


def _measure(tool: type[Tool], folder: Path, case: Callable[[Tool], str]) -> str:
    folder.mkdir()
    with _cleaned(tool(folder)) as made:
        return case(made)


@contextlib.contextmanager
def _cleaned(tool: Tool) -> Iterator[Tool]:
    try:
        yield tool
    finally:
        tool.clean()


def _told(states: list[str]) -> str:
    return "; ".join(dict.fromkeys(states)) or "nothing, all is forgotten"


def _after(tool: Tool, ended: int) -> str:
    began = len(tool.marks("began"))
    again = f", {began} starts" if began > JOBS else ""
    return f"after one command {ended} of {JOBS} came to their end{again}"


def _put(page: Path, text: str) -> None:
    before = page.read_text()
    first, last = before.index(BEGIN), before.index(END)
    page.write_text(f"{before[:first]}{BEGIN}\n{text}\n{before[last:]}")


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _parent(pid: int) -> int:
    return next(each.parent for each in process.processes() if each.identity.pid == pid)


def _words(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")


if __name__ == "__main__":
    main()
