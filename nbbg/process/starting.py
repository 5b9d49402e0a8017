"""How nbbg starts its own programs, apart from the terminal and from what it was handed down."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_STDERR = 2
_KILLED = -signal.SIGKILL
_DEFAULT = [
    *(signal.SIGINT, signal.SIGQUIT, signal.SIGTERM),
    *(signal.SIGHUP, signal.SIGPIPE, signal.SIGCHLD),
]
IGNORED = (signal.SIGPIPE, signal.SIGXFSZ)  # by Python itself, and not by what it starts
_spawned: set[int] = set()


def spawn_detached(
    argv: Sequence[str],
    log: str,
    environment: Mapping[str, str],
    stdin: int = -1,
    *,
    collected: bool = True,
) -> int:
    """Start a program in a session of its own, its streams in the file `log`; return its pid.

    It keeps no other file open: somebody may wait for the end of a pipe, or for a lock, that a
    caller of ours has handed down (`( flock 9; nbbg run train.ipynb ) 9>lock`).

    Args:
        argv: the program.
        log: path of the file.
        environment: of the program.
        stdin: descriptor of its standard input; without one it has none.
        collected: its end is, by the next start; else it is the caller's to collect.

    Raises:
        OSError: it can't be started.
    """
    _collect_spawned()
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
    pid = os.posix_spawn(
        argv[0],
        list(argv),
        dict(environment),
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
            if stdin < 0
            else (os.POSIX_SPAWN_DUP2, stdin, 0),
            (os.POSIX_SPAWN_OPEN, 1, log, append, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
            *((os.POSIX_SPAWN_CLOSE, fd) for fd in _handed_down()),
        ],
        setsid=True,
        setsigmask=[],
        setsigdef=_DEFAULT,
    )
    if collected:
        _spawned.add(pid)
    return pid


def spawn_within(
    argv: Sequence[str],
    folder: str,
    environment: Mapping[str, str],
    log: int,
    kept: Sequence[int],
) -> int:
    """Start a program in a session of its own, which keeps some of our open files; return its pid.

    For a process of one thread: meanwhile it is in the program's working folder itself.

    Args:
        argv: the program.
        folder: in which it works.
        environment: of the program.
        log: descriptor of the file that its streams go to.
        kept: descriptors that it has under the same numbers.

    Raises:
        OSError: it can't be started, or there is no such folder.
    """
    before = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    strangers = [fd for fd in _handed_down() if fd not in kept]
    try:
        os.chdir(folder)
        for fd in kept:
            os.set_inheritable(fd, True)
        return os.posix_spawn(
            argv[0],
            list(argv),
            dict(environment),
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, log, 1),
                (os.POSIX_SPAWN_DUP2, log, 2),
                *((os.POSIX_SPAWN_CLOSE, fd) for fd in strangers),
            ],
            setsid=True,
            setsigdef=IGNORED,
        )
    finally:
        for fd in kept:
            os.set_inheritable(fd, False)
        os.fchdir(before)
        os.close(before)


def ask(module: str, *arguments: str, given: str = "", seconds: float) -> tuple[int, str]:
    """Run one of nbbg's own programs to its end.

    Args:
        module: its name.
        arguments: on its command line.
        given: what it reads from stdin.
        seconds: after which it is killed.

    Returns:
        Its exit code, and what it wrote to stdout, or where it failed to stderr.
    """
    import subprocess

    try:
        done = subprocess.run(
            own_program(module, *arguments),
            input=given,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return _KILLED, f"it took longer than {seconds:g} s"
    except OSError as error:
        return _KILLED, f"it can't be started: {error.strerror}"
    if done.returncode and not done.stderr:
        return done.returncode, f"its process ended with {done.returncode}"
    return done.returncode, done.stderr if done.returncode else done.stdout


def own_program(module: str, *arguments: str) -> list[str]:
    """The argv of one of nbbg's own programs, safe from what lies in the current folder."""
    return [sys.executable, "-P", "-m", module, *arguments]


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
