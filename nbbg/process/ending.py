"""How processes end: signals to exactly one, whole trees, and who waits for an end."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from typing import TYPE_CHECKING, Protocol

from nbbg.process.machine import LINUX, PROC
from nbbg.process.table import alive, tree

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbbg.model import Identity

STUBBORN = 10.0  # seconds
_PR_SET_CHILD_SUBREAPER = 36


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


def become_subreaper() -> None:
    """Inherit orphaned grandchildren, so that a double fork can't hide from a stop."""
    if LINUX:
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


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


class Watched(Protocol):
    """What can be waited for."""

    fd: int  # that is ready to be read when it has come; negative: there is none


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


def wait_any(watches: Sequence[Watched], timeout: float) -> set[int]:
    """Return when one of them has exited, or has something to say, or after so many seconds.

    Returns:
        The descriptors of those; a watch without one has to be looked at.
    """
    poller = select.poll()
    known = [watch.fd for watch in watches if watch.fd >= 0]
    for fd in known:
        poller.register(fd, select.POLLIN)
    # Without pidfds (macOS) a short nap stands in for the event.
    ready = poller.poll(1000 * (timeout if len(known) == len(watches) else min(timeout, 0.05)))
    return {fd for fd, _ in ready}
