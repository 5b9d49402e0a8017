"""Places of a test's own: mounts, processes, host name and boot id that nobody else sees.

A `World` is one sleeping process in namespaces of its own; commands enter it by nsenter, and the
test looks into it through `/proc/PID/root`. When its processes are gone, so are its mounts.
"""

from __future__ import annotations

import contextlib
import functools
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.project import PYTHON, Project

if TYPE_CHECKING:
    from collections.abc import Iterator

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_FIRST = (  # like a real init, it leaves no zombies
    "import signal, time; signal.signal(signal.SIGCHLD, signal.SIG_IGN);"
    "print('ready', flush=True); time.sleep(600)"
)
_WAYS = (("--mount",), ("--user", "--map-root-user", "--mount"))
_ENTER = {"--mount": "-m", "--pid": "-p", "--uts": "-u", "--user": "-U"}


@functools.cache
def _way() -> tuple[str, ...] | None:
    for way in _WAYS:
        mounts = ["unshare", *way, "mount", "-t", "tmpfs", "none", "/mnt"]
        if not subprocess.run(mounts, capture_output=True, check=False).returncode:
            return way
    return None


@dataclass
class World:
    """Namespaces that live as long as their first process."""

    holder: subprocess.Popen[bytes]
    first: int  # the pid, outside, of a process in them
    enter: tuple[str, ...]

    def command(self, *words: str, folder: Path | None = None) -> list[str]:
        """The words that run a command in here."""
        where = ["env", "-C", str(folder)] if folder else []
        return ["nsenter", "-t", str(self.first), *self.enter, *where, *words]

    def do(self, *words: str | Path, code: int | None = 0) -> str:
        """Run a command in here; what it says."""
        done = subprocess.run(
            self.command(*map(str, words)), capture_output=True, text=True, check=False
        )
        assert code is None or done.returncode == code, f"{words}: {done.stderr}"
        return done.stdout

    def see(self, path: Path) -> Path:
        """A path in here, as a path out there."""
        return Path(f"/proc/{self.first}/root{path}")

    def mount_disk(self, where: Path, size: str, *options: str) -> None:
        """An empty disk of that size (`800k`) over a folder."""
        words = ",".join((f"size={size}", "mode=0700", *options))
        self.do("mount", "-t", "tmpfs", "-o", words, "none", where)

    def reboot(self, folder: Path) -> None:
        """Another boot id, as after a restart of the machine."""
        file = folder / f"boot-{uuid.uuid4().hex}"
        file.write_text(f"{uuid.uuid4()}\n")
        self.do("mount", "--bind", file, BOOT_ID)


@contextlib.contextmanager
def a_world(*more: str) -> Iterator[World]:
    """Mounts of its own; with `--pid`, `--uts` also those. Whatever lives in it ends with it."""
    way = _way()
    if way is None:
        pytest.skip("no mount namespaces for this user")
    words = [*way, *more]
    if "--pid" in more:
        words += ["--fork", "--kill-child", "--mount-proc"]
    holder = subprocess.Popen(["unshare", *words, PYTHON, "-c", _FIRST], stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"ready\n"
        first = holder.pid
        if "--pid" in more:
            children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
            first = int(children[0])
        enter = tuple(short for long, short in _ENTER.items() if long in words)
        yield World(holder, first, enter)
    finally:
        holder.kill()
        holder.communicate()


@dataclass
class Housed(Project):
    """A project whose commands run in a world, under the path that they see there."""

    world: World | None = None
    before: tuple[str, ...] = ()  # words before each command: limits, another user

    def nbbg(
        self,
        *arguments: str | Path,
        code: int | None = 0,
        timeout: float = 60,
        folder: Path | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run `nbbg` in the project, in that world, and check its exit code."""
        words = [*self.before, PYTHON, "-P", "-m", "nbbg", *map(str, arguments)]
        where = folder or self.root
        done = subprocess.run(
            self.world.command(*words, folder=where) if self.world else words,
            cwd=None if self.world else where,
            env=self.environ(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if code is not None:
            assert done.returncode == code, f"{done.args}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def see(self, path: Path | str) -> Path:
        """A path in that world, as the test reaches it."""
        return self.world.see(Path(path)) if self.world else Path(path)

    def log(self, number: int) -> str:
        """A run's log so far."""
        path = self.run(number)["log"]
        return self.see(path).read_text() if path and self.see(path).exists() else ""
