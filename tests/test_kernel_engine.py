"""The `kernel` engine, with real kernels and a small stand-in for the runner."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from nbbg import files, journal, paths, process
from nbbg.engines import commands
from nbbg.store import locks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Json = dict[str, Any]
SOON = 20.0  # seconds that a loaded machine may take for what takes one
MARKER = "a-test-of-the-kernel-engine"


class Attempt:
    """One attempt of a notebook, as the runner makes and starts it."""

    def __init__(self, folder: Path, cells: list[str | Json], **given: Any) -> None:
        self.folder = folder / "runs" / "1" / "1"
        self.folder.mkdir(parents=True)
        (self.folder.parent / paths.CHECKPOINT).mkdir()
        self._lock = os.open(self.folder / paths.LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        assert locks.take(self._lock)
        for name, content in commands.guest().items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        notebook = folder / "notebook.ipynb"
        notebook.write_text(json.dumps(_notebook(cells)))
        spec = {
            "notebook": str(notebook),
            "path": "notebook.ipynb",
            "params": {},
            "lock_fd": self._lock,
            "results": [],
            "engine": "kernel",
            "python": sys.executable,
            "kernel": "",
            "guest": str(folder / paths.GUEST),
            **given,
        }
        (self.folder / paths.ENGINE).write_text(json.dumps(spec))
        self.engine = self._start(folder)

    def _start(self, cwd: Path) -> subprocess.Popen[bytes]:
        environment = {
            **os.environ,
            "PYTHONUNBUFFERED": "1",
            "IPYTHONDIR": str(cwd / "ipython"),
            "A_TOKEN": "correcthorse",
            paths.RUN_DIR: str(self.folder.parent),
            paths.ATTEMPT: "1",
            paths.SEED: "7",
            paths.CHECKPOINT_DIR: str(self.folder.parent / paths.CHECKPOINT),
            paths.MARKER: MARKER,
        }
        with (self.folder / paths.LOG).open("ab") as log:
            engine = subprocess.Popen(
                commands.argv("kernel", sys.executable, cwd, self.folder),
                cwd=cwd,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[self._lock],
                start_new_session=True,
            )
        os.close(self._lock)
        return engine

    @property
    def log(self) -> str:
        return (self.folder / paths.LOG).read_text()

    @property
    def events(self) -> list[Json]:
        with files.Folder(self.folder) as folder:
            return journal.read(folder, paths.CELLS)

    @property
    def end(self) -> Json:
        return journal.last(self.events, "end") or {}

    def wait(self) -> int:
        """The engine's wait status; negative for a signal."""
        return self.engine.wait(60)

    def kernel(self) -> int:
        """The pid of the kernel."""
        engine = self.engine.pid
        return wait_for(lambda: [p for p in process.processes() if p.parent == engine])[
            0
        ].identity.pid

    def lock_is_held(self) -> bool:
        fd = os.open(self.folder / paths.LOCK, os.O_RDONLY)
        try:
            return locks.is_held(fd)
        finally:
            os.close(fd)

    def outputs(self, ordinal: int) -> list[Json]:
        """The outputs of one cell as a reader composes them; text as `{"stdout": ...}`."""
        log, found = (self.folder / paths.LOG).read_bytes(), _Outputs()
        current, at = 0, 0
        for event in self.events:
            if "log" in event:
                start, end = event["log"] if event["event"] == "stream" else (event["log"],) * 2
                if current == ordinal:
                    found.text("stdout", log[at:start])
                    found.text(event.get("name", ""), log[start:end])
                    found.take(event)
                at = end
            current = event.get("ordinal", current) if event["event"] == "cell" else current
        return found.all

    def finish(self) -> None:
        process.end_tree([self.engine.pid], MARKER, self.engine.pid, 0)
        self.engine.wait()


class _Outputs:
    def __init__(self) -> None:
        self.all: list[Json] = []

    def text(self, name: str, data: bytes) -> None:
        if data and self.all and name in self.all[-1]:
            self.all[-1][name] += data.decode()
        elif data:
            self.all.append({name: data.decode()})

    def take(self, event: Json) -> None:
        if event["event"] == "display":
            self.all.append(event["output"])
        elif event["event"] == "clear" and not event["wait"]:
            self.all.clear()


def _notebook(cells: list[str | Json]) -> Json:
    made = [
        {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": []}
        | (cell if isinstance(cell, dict) else {"source": cell})
        for cell in cells
    ]
    return {"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}


def wait_for(look: Callable[[], Any]) -> Any:
    """What `look` finds, as soon as it finds something."""
    deadline = time.monotonic() + SOON
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)
    return found


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Attempt]]:
    started: list[Attempt] = []

    def start_one(*cells: str | Json, **given: Any) -> Attempt:
        folder = tmp_path / str(len(started))
        folder.mkdir()
        started.append(Attempt(folder, list(cells), **given))
        return started[-1]

    yield start_one
    for attempt in started:
        attempt.finish()
