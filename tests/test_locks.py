"""The lock: held as long as anything that has inherited it lives, and no longer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from nbbg import process
from nbbg.store import locks
from tests import records
from tests.project import until

if TYPE_CHECKING:
    from pathlib import Path

HOLD = """
import os, subprocess, sys
from nbbg.store import locks
lock = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
assert locks.take(lock)
os.set_inheritable(lock, True)
child = None
if sys.argv[2] == "popen":
    child = subprocess.Popen(["sleep", "60"], pass_fds=[lock]).pid
elif sys.argv[2] == "fork":
    child = os.fork()
    if not child:
        os.execlp("sleep", "sleep", "60")
print("ready", flush=True)
print(child, flush=True)
sys.stdin.readline()
"""


def open_lock(path: Path) -> int:
    """The lock as a reader opens it."""
    return os.open(path, os.O_RDONLY)


def test_one_takes_it(tmp_path: Path) -> None:
    """Of two that open the same file one gets the lock; when it lets go the other does."""
    first, second = (os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT) for _ in range(2))
    assert locks.take(first)
    assert not locks.take(second)
    locks.release(first)
    assert locks.take(second)
    os.close(first)
    os.close(second)


def test_a_probe_never_takes_it(tmp_path: Path) -> None:
    """While others probe a free lock without a pause, taking it always succeeds."""
    path = tmp_path / "lock"
    path.touch()
    probe = (
        "import os, sys; from nbbg.store import locks; fd = os.open(sys.argv[1], 0)\n"
        "print('ready', flush=True)\nwhile True: locks.is_held(fd)"
    )
    children = [records.start(probe, path) for _ in range(2)]
    lock, reader = os.open(path, os.O_RDWR), open_lock(path)
    for _ in range(5000):
        assert not locks.is_held(reader)
        assert locks.take(lock)
        assert locks.is_held(reader)
        locks.release(lock)
    for child in children:
        records.end(child)
    os.close(lock)
    os.close(reader)


@pytest.mark.parametrize("how", ["popen", "fork"])
def test_a_child_that_inherited_it_keeps_it(tmp_path: Path, how: str) -> None:
    """The lock outlives the process that took it, and is gone with the last that has it open."""
    holder = records.start(HOLD, tmp_path / "lock", how)
    assert holder.stdout is not None
    child = int(holder.stdout.readline())
    lock = open_lock(tmp_path / "lock")
    records.end(holder)
    assert locks.is_held(lock)
    os.kill(child, signal.SIGKILL)
    until(lambda: not locks.is_held(lock))
    os.close(lock)


def test_sigkill_frees_it(tmp_path: Path) -> None:
    """A killed holder is noticed at once; its zombie holds nothing."""
    holder = records.start(HOLD, tmp_path / "lock", "alone")
    lock = open_lock(tmp_path / "lock")
    assert locks.is_held(lock)
    holder.send_signal(signal.SIGKILL)
    until(lambda: process.identity(holder.pid) is None)
    assert not locks.is_held(lock)
    records.end(holder)
    os.close(lock)


def test_a_child_without_it_does_not_keep_it(tmp_path: Path) -> None:
    """A child that did not inherit the descriptor does not keep the lock."""
    lock = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    assert locks.take(lock)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        os.close(lock)
        reader = open_lock(tmp_path / "lock")
        assert not locks.is_held(reader)
        os.close(reader)
        child.communicate(b"\n")
