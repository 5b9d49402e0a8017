"""Processes: who they are, whether they live, how they are started and how whole trees end.

A process is its pid plus its start time: a bare pid is never trusted, and a zombie is dead.
Linux is read from /proc; elsewhere psutil is asked.
"""

from __future__ import annotations

import contextlib
import functools
import os
import select
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nbbg import paths
from nbbg.model import Identity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

PROC = Path("/proc")
LINUX = sys.platform == "linux"
STUBBORN = 10.0  # seconds
_STDERR = 2
_OURS = (b"nbbg.supervisor", b"nbbg.runner")
_PR_SET_CHILD_SUBREAPER = 36
_DEFAULT = [
    *(signal.SIGINT, signal.SIGQUIT, signal.SIGTERM),
    *(signal.SIGHUP, signal.SIGPIPE, signal.SIGCHLD),
]
_spawned: set[int] = set()


@dataclass(frozen=True)
class Process:
    """One line of the process table."""

    identity: Identity
    parent: int
    group: int
    session: int


@functools.cache
def boot_id() -> str:
    """What tells this boot from every other."""
    if LINUX:
        return (PROC / "sys/kernel/random/boot_id").read_text().strip()
    import psutil

    return str(int(psutil.boot_time()))


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
            or (marker and needle in _read(pid, "environ").split(b"\0"))
        ):
            inside |= {pid} | _descend([pid], children, ours)
    return [p.identity for p in table if p.identity.pid in inside and p.identity.pid != os.getpid()]


def marker(pid: int) -> str | None:
    """The marker of the run that a process belongs to, empty: of none; None: it can't be seen."""
    prefix = f"{paths.MARKER}=".encode()
    for variable in _read(pid, "environ").split(b"\0"):
        if variable.startswith(prefix):
            return variable.removeprefix(prefix).decode(errors="replace")
    return "" if identity(pid) else None


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
    for line in _read(who.pid, "status").splitlines():
        if line.startswith(b"SigCgt:"):
            return bool(int(line.split()[1], 16) >> (number - 1) & 1)
    return False


def send(who: Identity, number: int) -> None:
    """Send a signal to exactly that process; harmless when it is gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "pidfd_open"):
            fd = os.pidfd_open(who.pid)
            try:
                if alive(who):
                    signal.pidfd_send_signal(fd, number)
            finally:
                os.close(fd)
        elif alive(who):
            os.kill(who.pid, number)


def signal_name(number: int) -> str:
    """SIGKILL for 9; `signal 64` for one without a name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def end_tree(roots: Sequence[int], marker: str, session: int, grace: float) -> None:
    """End all that is left of an attempt: SIGTERM, at most `grace` seconds, SIGKILL, until gone.

    What outlives SIGKILL by `STUBBORN` seconds (another user's, or stuck in the kernel) can't be
    ended from here; the record of the run does not wait for it.

    No dead child is collected: other children of this process are not ours, and as long as a dead
    one with the pid `session` is there, no stranger can get that number.
    """
    left = tree(roots, marker, session)
    for who in left:
        send(who, signal.SIGTERM)
    deadline = time.monotonic() + grace
    while left and time.monotonic() < deadline:
        time.sleep(0.02)
        left = tree(roots, marker, session)
    deadline = time.monotonic() + STUBBORN
    while left and time.monotonic() < deadline:
        for who in left:
            send(who, signal.SIGKILL)
        time.sleep(0.01)
        left = tree(roots, marker, session)


def reap_others(child: int) -> bool:
    """Collect dead children up to `child`; whether that one is dead, and not collected yet."""
    with contextlib.suppress(ChildProcessError):
        while found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            if found.si_pid == child:
                return True
            os.waitpid(found.si_pid, os.WNOHANG)
    return False


def is_alone_with(child: int) -> bool:
    """Whether this process, of one thread, certainly has no other child; False where unknown.

    To a subreaper, what its descendants leave behind comes as children: it has no descendants then.
    """
    me = os.getpid()
    with contextlib.suppress(OSError):
        return (PROC / f"{me}/task/{me}/children").read_bytes().split() == [b"%d" % child]
    return False


class Watch:
    """Waits for the exit of one process, child or not, without being asked to collect it."""

    def __init__(self, who: Identity) -> None:
        self.who = who
        self.fd = -1
        if hasattr(os, "pidfd_open"):
            with contextlib.suppress(OSError, ValueError):
                self.fd = os.pidfd_open(who.pid)

    def wait(self, timeout: float) -> bool:
        """Whether it has exited, after at most `timeout` seconds."""
        wait_any([self], timeout)
        return not alive(self.who)

    def close(self) -> None:
        """Close the descriptor."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def wait_any(watches: Sequence[Watch], timeout: float) -> None:
    """Return when one of them has exited, or after `timeout` seconds."""
    poller = select.poll()
    known = [watch.fd for watch in watches if watch.fd >= 0]
    for fd in known:
        poller.register(fd, select.POLLIN)
    # Without pidfds (macOS) a short nap stands in for the event.
    poller.poll(1000 * (timeout if len(known) == len(watches) else min(timeout, 0.05)))


def become_subreaper() -> None:
    """Inherit orphaned grandchildren, so that a double fork can't hide from a stop."""
    if LINUX:
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def spawn_detached(argv: Sequence[str], log: str, environment: Mapping[str, str]) -> int:
    """Start a program in a session of its own, its streams in the file `log`; return its pid.

    It keeps no other file open: somebody may wait for the end of a pipe, or for a lock, that a
    caller of ours has handed down (`( flock 9; nbbg run train.ipynb ) 9>lock`).

    Raises:
        OSError: it can't be started.
    """
    _collect_spawned()
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    pid = os.posix_spawn(
        argv[0],
        list(argv),
        dict(environment),
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, log, append, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
            *((os.POSIX_SPAWN_CLOSE, fd) for fd in _handed_down()),
        ],
        setsid=True,
        setsigmask=[],
        setsigdef=_DEFAULT,
    )
    _spawned.add(pid)
    return pid


def own_program(module: str, *arguments: str) -> list[str]:
    """The argv of one of nbbg's own programs, safe from what lies in the current folder."""
    return [sys.executable, "-P", "-m", module, *arguments]


def oom_kills() -> int:
    """How often the kernel has killed for memory here: this cgroup's count, else the machine's."""
    for file, key in ((_cgroup_events(), b"oom_kill"), (PROC / "vmstat", b"oom_kill")):
        with contextlib.suppress(OSError):
            for line in file.read_bytes().splitlines():
                name, _, value = line.partition(b" ")
                if name == key:
                    return int(value)
    return 0


def _cgroup_events() -> Path:
    own = _read(os.getpid(), "cgroup").decode(errors="replace").rpartition("::")[2].strip()
    return Path("/sys/fs/cgroup", own.lstrip("/"), "memory.events")


def _handed_down() -> list[int]:
    """The descriptors that a child would inherit, but for the three standard ones."""
    found = []
    for fd in sorted(int(name) for name in os.listdir("/dev/fd")):
        with contextlib.suppress(OSError):
            if fd > _STDERR and os.get_inheritable(fd):
                found.append(fd)
    return found


def _collect_spawned() -> None:
    for pid in list(_spawned):
        try:
            done = os.waitpid(pid, os.WNOHANG)[0]
        except ChildProcessError:
            done = pid
        if done:
            _spawned.discard(pid)


def _look_up(pid: int) -> Process | None:
    if not LINUX:
        return _ask_psutil(pid)
    fields = _fields(pid)
    if not fields or fields[0] in (b"Z", b"X"):
        return None
    return Process(Identity(pid, int(fields[19])), *(int(field) for field in fields[1:4]))


def _fields(pid: int) -> list[bytes]:
    """What /proc says of a process, from its state on; nothing where it is gone."""
    return _read(pid, "stat").rpartition(b")")[2].split()


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
    arguments = _read(pid, "cmdline").split(b"\0")
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


def _read(pid: int, name: str) -> bytes:
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            return file.read()
    except OSError:
        return b""
