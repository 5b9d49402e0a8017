"""A project of its own for a test: a folder with notebooks, and the `nbbg` command run in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbbg import process

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbbg.model import Identity

PYTHON = sys.executable
PATIENCE = 30.0  # seconds that a test waits for what must come
LONG = (
    "import time\nfor i in range(1200):\n    print(i)\n    time.sleep(0.05)"  # a minute, printing
)


def notebook(*cells: str, parameters: str = "", kernel: str = "python3") -> dict[str, Any]:
    """A notebook of code cells, with `parameters` in a tagged one before them."""
    sources = [*([parameters] if parameters else []), *cells]
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {
            "kernelspec": {"name": kernel, "display_name": "Python 3", "language": "python"}
        },
        "cells": [
            {
                "cell_type": "code",
                "id": f"cell-{index}",
                "metadata": {"tags": ["parameters"]} if parameters and not index else {},
                "source": source,
                "outputs": [],
                "execution_count": None,
            }
            for index, source in enumerate(sources)
        ],
    }


@dataclass
class Project:
    """A folder that is a project, with a home folder beside it."""

    root: Path
    home: Path
    environment: dict[str, str] = field(default_factory=dict)

    def write(self, name: str, *cells: str, parameters: str = "") -> Path:
        """Write a notebook into the project."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(notebook(*cells, parameters=parameters)))
        return path

    def environ(self) -> dict[str, str]:
        """What a command of this project sees: little of the tester's own environment."""
        passed = ("PATH", "LANG", "TMUX_TMPDIR", "TMPDIR", "COVERAGE_PROCESS_START", "NBBG_WARM")
        return {
            **{name: os.environ[name] for name in passed if name in os.environ},
            "HOME": str(self.home),
            "NBBG_PYTHON": PYTHON,
            **self.environment,
        }

    def nbbg(
        self,
        *arguments: str | Path,
        code: int | None = 0,
        timeout: float = 60,
        folder: Path | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run `nbbg` in the project, or a folder of it, and check its exit code."""
        done = subprocess.run(
            [PYTHON, "-P", "-m", "nbbg", *map(str, arguments)],
            cwd=folder or self.root,
            env=self.environ(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if code is not None:
            assert done.returncode == code, f"{done.args}\n{done.stdout}\n{done.stderr}"
        return done

    def status(self, *names: str) -> dict[str, Any]:
        """`nbbg status --json`."""
        found: dict[str, Any] = json.loads(self.nbbg("status", "--json", *names).stdout)
        return found

    def runs(self, *names: str) -> list[dict[str, Any]]:
        """The runs of `nbbg status --json`."""
        found: list[dict[str, Any]] = self.status(*names)["runs"]
        return found

    def run(self, number: int) -> dict[str, Any]:
        """One run of `nbbg status --json`."""
        return self.runs(str(number))[0]

    def state(self, number: int) -> str:
        """A run's state."""
        return str(self.run(number)["state"])

    def log(self, number: int) -> str:
        """A run's log so far."""
        path = self.run(number)["log"]
        return Path(path).read_text() if path and Path(path).exists() else ""

    def executed(self, number: int) -> dict[str, Any]:
        """The executed notebook of a run, composed now; without the note of what went wrong."""
        return _without_notes(self.nbbg("notebook", str(number), "-o", "-").stdout)

    def put_out(self, number: int) -> dict[str, Any]:
        """The executed notebook that a run put out when it ended; without that note too."""
        return _without_notes(Path(self.run(number)["output"]).read_bytes())

    def attempt(self, number: int) -> Path:
        """The folder of a run's newest attempt."""
        run = self.run(number)
        return self.batch(run["batch"]) / "runs" / str(number) / str(run["attempt"])

    def batch(self, name: str) -> Path:
        """The folder of a batch."""
        return self.root / ".nbbg" / "batches" / name.removeprefix("b")

    def supervisor(self, batch: str = "b1") -> int | None:
        """The pid of a batch's supervisor."""
        for report in self.status()["batches"]:
            if report["id"] == batch:
                pid: int | None = report["supervisor_pid"]
                return pid
        raise AssertionError(batch)

    def until_running(self, number: int, text: str = "") -> dict[str, Any]:
        """Wait until a run is in a cell, and its log holds a text."""

        def begun() -> bool:
            run = self.run(number)
            return run["state"] == "running" and bool(run["cell"]) and text in self.log(number)

        until(begun)
        return self.run(number)

    def end_all(self) -> None:
        """End every process that this project started."""
        deadline = time.monotonic() + PATIENCE
        while left := self.members():
            assert time.monotonic() < deadline, left
            for who in left:
                process.send(who, 9)
            time.sleep(0.02)

    def members(self) -> list[Identity]:
        """Every process that works for this project: its folder is in its words or environment."""
        needle = os.fsencode(self.root)
        return [
            each.identity
            for each in process.processes()
            if each.identity.pid != os.getpid() and _mentions(each.identity.pid, needle)
        ]


def until(true: Callable[[], bool], patience: float = PATIENCE) -> None:
    """Wait until something is true, or fail."""
    deadline = time.monotonic() + patience
    while not true():
        assert time.monotonic() < deadline, f"waited {patience} s in vain"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    """Whether a pid belongs to a living process; a zombie is dead."""
    return process.identity(pid) is not None


def _without_notes(text: str | bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    tag = "papermill-error-cell-tag"
    found["cells"] = [c for c in found["cells"] if tag not in c["metadata"].get("tags", ())]
    return found


def _mentions(pid: int, needle: bytes) -> bool:
    for name in ("cmdline", "environ"):
        try:
            if needle in Path(f"/proc/{pid}/{name}").read_bytes().replace(b"\0", b"/"):
                return True
        except OSError:
            continue
    return False
