"""The process table: who lives, what belongs to whom, what each has spent.

Linux is read from /proc; elsewhere psutil is asked.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from nbbg import paths
from nbbg.classes import dataclass
from nbbg.model import Identity
from nbbg.process.machine import LINUX, PROC, of_proc

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_OURS = (b"nbbg.supervisor", b"nbbg.runner", b"nbbg.template")


@dataclass(frozen=True)
class Process:
    """One line of the process table."""

    identity: Identity
    parent: int
    group: int
    session: int


def identity(pid: int) -> Identity | None:
    """Who has this pid now; None where nobody lives under it."""
    process = _look_up(pid)
    return process.identity if process else None


def alive(who: Identity) -> bool:
    """Whether exactly that process lives."""
    return identity(who.pid) == who


def group(pid: int) -> int:
    """The process group of a pid; 0 where nobody lives under it."""
    process = _look_up(pid)
    return process.group if process else 0


def processes() -> list[Process]:
    """Every living process."""
    if LINUX:
        pids = [int(name) for name in os.listdir(PROC) if name.isdigit()]
    else:
        import psutil

        pids = psutil.pids()
    return [process for pid in pids if (process := _look_up(pid))]


def tree(roots: Iterable[int], marker: str, session: int = 0) -> list[Identity]:
    """All that belongs to an attempt: descendants of the roots, its session, its marker.

    A batch that was launched from inside a run is not part of it: nbbg's own supervisors and
    runners, and what descends from them, are left out.
    """
    table = processes()
    needle = f"{paths.MARKER}={marker}".encode()
    ours = {p.identity.pid for p in table if _is_ours(p.identity.pid)}
    children: dict[int, list[int]] = {}
    for process in table:
        children.setdefault(process.parent, []).append(process.identity.pid)
    inside = _descend(roots, children, ours)
    for process in table:
        pid = process.identity.pid
        if pid not in ours and (
            (session and process.session == session)
            or (marker and needle in of_proc(pid, "environ").split(b"\0"))
        ):
            inside |= {pid} | _descend([pid], children, ours)
    return [p.identity for p in table if p.identity.pid in inside and p.identity.pid != os.getpid()]


def running(argv: Sequence[str]) -> Identity | None:
    """A process with just these words; None where there is none, or where words can't be seen."""
    words = b"\0".join(map(os.fsencode, argv)) + b"\0"
    for each in processes():
        if of_proc(each.identity.pid, "cmdline") == words:
            return each.identity
    return None


def marker(pid: int) -> str | None:
    """The marker of the run that a process belongs to, empty: of none; None: it can't be seen."""
    prefix = f"{paths.MARKER}=".encode()
    for variable in of_proc(pid, "environ").split(b"\0"):
        if variable.startswith(prefix):
            return variable.removeprefix(prefix).decode(errors="replace")
    return "" if identity(pid) else None


def opened(pid: int) -> set[tuple[int, int]] | None:
    """Device and inode of all that a process has open; None where that can't be seen."""
    found = set()
    try:
        for name in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(FileNotFoundError):
                status = os.stat(f"/proc/{pid}/fd/{name}")
                found.add((status.st_dev, status.st_ino))
    except OSError:
        return None
    return found


def name(pid: int) -> bytes:
    """The name of a program; nothing where it is gone or can't be seen."""
    return of_proc(pid, "comm").rstrip(b"\n")


def zombies_of(pid: int) -> int:
    """How many dead processes a parent has not collected; 0 where that can't be seen."""
    if not LINUX:
        return 0
    table = (_fields(int(name)) for name in os.listdir(PROC) if name.isdigit())
    return sum(fields[:2] == [b"Z", b"%d" % pid] for fields in table)


def threads_of(user: int) -> int:
    """How many threads a user has, which the limit of processes counts; 0 where not to be seen."""
    found = 0
    for name in os.listdir(PROC) if LINUX else ():
        with contextlib.suppress(OSError):
            if name.isdigit() and os.stat(PROC / name).st_uid == user:
                found += int((_fields(int(name)) or [b"0"] * 18)[17])
    return found


def cpu_seconds(who: Identity) -> float:
    """The processor time of a process and of its children that have ended; 0 where it is gone."""
    if LINUX:
        fields = _fields(who.pid)
        ticks = sum(int(field) for field in fields[11:15])
        return ticks / os.sysconf("SC_CLK_TCK")
    import psutil

    with contextlib.suppress(psutil.Error):
        return float(sum(psutil.Process(who.pid).cpu_times()))
    return 0.0


def is_halted(who: Identity) -> bool:
    """Whether a signal has stopped it, so that it waits for SIGCONT."""
    if LINUX:
        return _fields(who.pid)[:1] == [b"T"] and alive(who)
    import psutil

    with contextlib.suppress(psutil.Error):
        return bool(psutil.Process(who.pid).status() == psutil.STATUS_STOPPED)
    return False


def catches(who: Identity, number: int) -> bool:
    """Whether a process has a handler of its own for a signal; False where that can't be known."""
    for line in of_proc(who.pid, "status").splitlines():
        if line.startswith(b"SigCgt:"):
            return bool(int(line.split()[1], 16) >> (number - 1) & 1)
    return False


def _look_up(pid: int) -> Process | None:
    if not LINUX:
        return _ask_psutil(pid)
    fields = _fields(pid)
    if not fields or fields[0] in (b"Z", b"X"):
        return None
    return Process(Identity(pid, int(fields[19])), *(int(field) for field in fields[1:4]))


def _fields(pid: int) -> list[bytes]:
    """What /proc says of a process, from its state on; nothing where it is gone."""
    return of_proc(pid, "stat").rpartition(b")")[2].split()


def _ask_psutil(pid: int) -> Process | None:
    import psutil

    with contextlib.suppress(psutil.Error, ProcessLookupError):
        process = psutil.Process(pid)
        if process.status() != psutil.STATUS_ZOMBIE:
            started = int(process.create_time() * 100)
            group, session = os.getpgid(pid), os.getsid(pid)
            return Process(Identity(pid, started), process.ppid(), group, session)
    return None


def _is_ours(pid: int) -> bool:
    arguments = of_proc(pid, "cmdline").split(b"\0")
    return any(name in arguments for name in _OURS)


def _descend(roots: Iterable[int], children: Mapping[int, list[int]], spared: set[int]) -> set[int]:
    found: set[int] = set()
    waiting = [child for root in roots for child in children.get(root, [])]
    while waiting:
        pid = waiting.pop()
        if pid not in found and pid not in spared:
            found.add(pid)
            waiting += children.get(pid, [])
    return found
