"""Who works for a project: its processes by the process table alone, and faults for them.

Nothing of nbbg is asked: what a process is, is read from its words and its environment in /proc.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from dataclasses import dataclass
from pathlib import Path

LAUNCHER, SUPERVISOR, RUNNER = "launcher", "supervisor", "runner"
ENGINE, KERNEL, TMUX, OTHER = "engine", "kernel", "tmux server", "other"
TEMPLATE = "template"  # and what it has forked ahead
_ATTEMPT = re.compile(rb"/batches/(\d+)/runs/(\d+)/(\d+)(?:\0|$)")
_RUN_DIR = re.compile(rb"(?:^|\0)NBBG_RUN_DIR=([^\0]*)")
_ATTEMPT_NUMBER = re.compile(rb"(?:^|\0)NBBG_ATTEMPT=(\d+)")
_BATCH = re.compile(rb"/batches/(\d+)\0")


@dataclass(frozen=True)
class Actor:
    """A living process of a project."""

    pid: int
    start: int  # time, in ticks since the boot: with the pid, who it is
    role: str
    batch: int = 0
    run: int = 0
    attempt: int = 0

    @property
    def who(self) -> tuple[int, int]:
        """What tells it from all others."""
        return self.pid, self.start

    def send(self, number: int) -> bool:
        """Send a signal to exactly this process; whether it was there."""
        with contextlib.suppress(ProcessLookupError):
            fd = os.pidfd_open(self.pid)
            try:
                if alive(self.pid, self.start):
                    signal.pidfd_send_signal(fd, number)
                    return True
            finally:
                os.close(fd)
        return False

    @property
    def halted(self) -> bool:
        """Whether a signal has stopped it."""
        return _stat(self.pid)[:1] == [b"T"]


def find(home: Path) -> list[Actor]:
    """All processes whose environment says that this is their home."""
    needle = b"HOME=" + os.fsencode(home)
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            environment = _read(name, "environ")
            if needle in environment.split(b"\0") and (actor := _actor(int(name), environment)):
                found.append(actor)
    return found


def alive(pid: int, start: int) -> bool:
    """Whether that very process lives; a zombie is dead."""
    fields = _stat(pid)
    return bool(fields) and fields[0] not in (b"Z", b"X") and int(fields[19]) == start


def kill_all(home: Path, patience: float = 20.0) -> int:
    """SIGKILL to all of them until nobody is left; how many there were.

    Raises:
        TimeoutError: somebody outlives it.
    """
    deadline, killed = time.monotonic() + patience, 0
    while left := find(home):
        if time.monotonic() > deadline:
            raise TimeoutError(left)
        killed += sum(actor.send(signal.SIGKILL) for actor in left)
        time.sleep(0.01)
    return killed


def _actor(pid: int, environment: bytes) -> Actor | None:
    words = _read(pid, "cmdline")
    fields = _stat(pid)
    if not words or not fields or fields[0] in (b"Z", b"X"):
        return None
    start = int(fields[19])
    if words.startswith(b"tmux\0"):  # whose words are those of the first pane, too
        return Actor(pid, start, TMUX if b"new-session" in words else OTHER)
    if b"nbbg.supervisor\0" in words and (match := _BATCH.search(words)):
        return Actor(pid, start, SUPERVISOR, int(match[1]))
    if b"nbbg.runner\0" in words and (match := _ATTEMPT.search(words)):
        return Actor(pid, start, RUNNER, *map(int, match.groups()))
    if b"/guest\0" in words and (match := _ATTEMPT.search(words)):  # of a fork, these are its own
        return Actor(pid, start, ENGINE, *map(int, match.groups()))
    if b"\0nbbg.template\0" in words:
        return Actor(pid, start, TEMPLATE)
    if (folder := _RUN_DIR.search(environment)) and (number := _ATTEMPT_NUMBER.search(environment)):
        match = _ATTEMPT.search(folder[1] + b"/" + number[1])
        role = ENGINE if _ATTEMPT.search(words) else KERNEL
        return Actor(pid, start, role, *map(int, match.groups())) if match else None
    watched = b"\0-m\0nbbg\0" in words and b"\0NBBG_FAULTS=/" in environment
    return Actor(pid, start, LAUNCHER if watched else OTHER)


def _stat(pid: int) -> list[bytes]:
    return _read(pid, "stat").rpartition(b")")[2].split()


def _read(pid: int | str, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""
