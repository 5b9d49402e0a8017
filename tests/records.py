"""Records for tests, made as nbbg makes them: a store, batches, and attempts in every state."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbbg import files, journal, model, paths, process
from nbbg.store import batches, locks, place, runs, state

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Json = dict[str, Any]
HOST = "a-host-that-is-elsewhere"
EARLIER_BOOT = "00000000-0000-0000-0000-000000000000"


def make_store(root: Path) -> place.Store:
    """The store of a new project."""
    (root / ".git").mkdir(parents=True)
    store = place.open_store(root)
    place.make(store)
    return store


@contextlib.contextmanager
def quick_folder() -> Iterator[Path]:
    """A folder in memory, for tests of what happens at one instant or very often."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder of its own in it
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


def an_arm(name: str = "train", **more: Any) -> model.Arm:
    """An arm that is never executed."""
    given = {
        "notebook": f"{name}.ipynb",
        "params": {},
        "seed": 0,
        "source": "0",
        "frozen": f"frozen/{name}.ipynb",
        "engine": "ipython",
        "python": sys.executable,
        "kernel": "",
        "output": f"/nowhere/{name}_{{number}}.ipynb",
        "cwd": "/",
    }
    return model.Arm(name, **{**given, **more})


def a_draft(
    number: int,
    first: int,
    numbers: Sequence[int],
    arm: model.Arm | None = None,
    content: dict[str, bytes] | None = None,
    **more: Any,
) -> batches.Draft:
    """A batch of one arm with these run numbers, to be published."""
    arm = arm or an_arm()
    given = {
        "jobs": 1,
        "executor": "local",
        "created_at": time.time(),
        "command": ("nbbg", "run"),
        "note": "",
        "grace": 0.2,
        "results": (),
        "exit_file": "",
        "host": process.host(),
        "facts": {"environment": {}},
    }
    batch = model.Batch(
        id=number,
        first=first,
        last=first + len(numbers) - 1,
        arms={arm.name: arm},
        **{**given, **more},
    )
    plan = [
        model.Planned(first + offset, arm.name, each, arm.seed + each)
        for offset, each in enumerate(numbers)
    ]
    return batches.Draft(batch, plan, content or {})


def publish(store: place.Store, count: int = 1, **more: Any) -> model.Batch:
    """Publish a batch of so many runs."""
    made = batches.publish(
        store, lambda number, first: a_draft(number, first, range(1, count + 1), **more)
    )
    assert made is not None
    return made


def gone() -> model.Identity:
    """A process that was, and is no more."""
    with subprocess.Popen(["sleep", "60"]) as child:
        who = process.identity(child.pid)
        child.kill()
    assert who is not None
    return who


def me() -> model.Identity:
    """This process."""
    who = process.identity(os.getpid())
    assert who is not None
    return who


@dataclass
class Attempt:
    """The folder of one attempt, in which a test plays runner and engine."""

    path: Path
    held: list[int] = field(default_factory=list)

    def write(self, name: str, record: Json) -> None:
        """Put a fact in place."""
        with files.Folder(self.path) as folder:
            folder.write_once(name, files.to_json(record))

    def garbage(self, name: str, data: bytes = b'{"pid": 1') -> None:
        """Put something in place that is no record."""
        (self.path / name).write_bytes(data)

    def ticket(self, who: model.Identity, **changes: Any) -> None:
        """What an executor writes."""
        here = {"host": process.host(), "boot": process.boot_id(), "at": time.time()}
        self.write(paths.TICKET, {"pid": who.pid, "start_time": who.start_time, **here, **changes})

    def claim(
        self, who: model.Identity | None = None, *, hold: bool = True, **changes: Any
    ) -> None:
        """What a runner does first; `hold` keeps the lock until `let_go`."""
        with files.Folder(self.path) as folder:
            lock = folder.open(paths.LOCK, os.O_RDWR | os.O_CREAT)
            assert locks.take(lock)
            status = os.fstat(lock)
            given = {
                "runner": who or me(),
                "host": process.host(),
                "boot": process.boot_id(),
                "namespace": process.pid_namespace(),
                "lock_device": status.st_dev,
                "lock_inode": status.st_ino,
                "marker": f"marker of {self.path}",
                "at": time.time(),
            }
            state.write_claim(folder, model.Claim(**{**given, **changes}))
        self.held.append(lock)
        if not hold:
            self.let_go()

    def let_go(self) -> None:
        """The end of every process that held the lock."""
        while self.held:
            os.close(self.held.pop())

    def tell(self, event: str, **fields: Any) -> None:
        """Append an event to the journal."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        with files.Folder(self.path) as folder:
            fd = folder.open(paths.CELLS, flags)
            journal.Journal(fd).write(event, **fields)
            os.close(fd)

    def print(self, data: bytes) -> int:
        """Append to the log; its size then."""
        with (self.path / paths.LOG).open("ab") as log:
            log.write(data)
            return log.tell()

    def end(self, **record: Any) -> None:
        """Write how it ended, and let the lock go."""
        self.write(paths.RESULT, {"state": "succeeded", "ended_at": time.time(), **record})
        self.let_go()

    def state(self) -> model.RunState:
        """What is derived of it now."""
        with files.Folder(self.path) as folder:
            return state.derive(folder)


@contextlib.contextmanager
def an_attempt(store: place.Store, batch: int = 1, run: int = 1) -> Iterator[Attempt]:
    """The next attempt of a run, empty as a supervisor makes it."""
    number = runs.newest_attempt(store.run(batch, run)) + 1
    attempt = Attempt(runs.new_attempt(store, batch, run, number))
    yield attempt
    attempt.let_go()


def python(code: str, *arguments: str | Path) -> list[str]:
    """The command line of a small Python program."""
    return [sys.executable, "-P", "-c", code, *map(str, arguments)]


def start(code: str, *arguments: str | Path, **more: Any) -> subprocess.Popen[str]:
    """Start a small Python program and wait for its first line."""
    child = subprocess.Popen(
        python(code, *arguments), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **more
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    return child


def end(child: subprocess.Popen[str]) -> None:
    """Kill it, and do not wait for what it has started."""
    child.kill()
    child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe:
            pipe.close()
