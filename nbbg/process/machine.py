"""What tells this machine, this boot and this pid namespace from others; what it says of itself."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import time
from pathlib import Path

PROC = Path("/proc")
LINUX = sys.platform == "linux"


@functools.cache
def boot_id() -> str:
    """What tells this boot from every other."""
    if LINUX:
        return (PROC / "sys/kernel/random/boot_id").read_text().strip()
    import psutil

    return str(int(psutil.boot_time()))


def booted_at() -> float:
    """When this machine was started, in seconds since the epoch, by its clock of now."""
    if LINUX:
        return time.time() - up()
    import psutil

    return float(psutil.boot_time())


def up() -> float:
    """Seconds on a clock of this boot that nobody sets, and that goes on in sleep."""
    return time.clock_gettime(time.CLOCK_BOOTTIME if LINUX else time.CLOCK_MONOTONIC)


@functools.cache
def pid_namespace() -> str:
    """What tells whether two pids can be compared."""
    return str(os.stat("/proc/self/ns/pid").st_ino) if LINUX else ""


@functools.cache
def host() -> str:
    """The machine's name."""
    return os.uname().nodename


@functools.cache
def machine() -> str:
    """What tells machines of the same name apart; empty where there is nothing."""
    for file in ("/etc/machine-id", "/var/lib/dbus/machine-id"):
        with contextlib.suppress(OSError):
            return Path(file).read_text().strip()
    return ""


def is_this_machine(name: str, identifier: str) -> bool:
    """Whether a record with that host name, and machine if it has one, was written here."""
    return name == host() and identifier in ("", machine())


def oom_kills() -> int:
    """How often the kernel has killed for memory here: this cgroup's count, else the machine's."""
    for file, key in ((_cgroup_events(), b"oom_kill"), (PROC / "vmstat", b"oom_kill")):
        with contextlib.suppress(OSError):
            for line in file.read_bytes().splitlines():
                name, _, value = line.partition(b" ")
                if name == key:
                    return int(value)
    return 0


def of_proc(pid: int, name: str) -> bytes:
    """What /proc has in a file of a process; nothing where that is gone."""
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            return file.read()
    except OSError:
        return b""


def _cgroup_events() -> Path:
    own = of_proc(os.getpid(), "cgroup").decode(errors="replace").rpartition("::")[2].strip()
    return Path("/sys/fs/cgroup", own.lstrip("/"), "memory.events")
