"""A program that is asked something, and works while we do something else.

As `subprocess` would do it, whose import a launch would pay for.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from typing import TYPE_CHECKING, Self

from nbbg.process.starting import IGNORED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PIECE = 1 << 16  # bytes, what a pipe holds
_NAP = 0.002  # seconds


class Asked:
    """A program at work, without stdin and stderr; it is ended where nobody waits for its answer.

    Args:
        argv: the program, found as a shell finds it.
        environment: of the program.

    Raises:
        OSError: it can't be started.
    """

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str]) -> None:
        self._status: int | None = None
        self._said: bytes | None = None
        self._out, end = os.pipe()
        try:
            self._pid = os.posix_spawnp(
                argv[0],
                list(argv),
                dict(environment),
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, end, 1),
                    (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
                ],
                setsigdef=IGNORED,
            )
        except OSError:
            os.close(self._out)
            raise
        finally:
            os.close(end)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._status is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            self._reap(0)
        os.close(self._out)

    def answer(self, seconds: float) -> bytes:
        """What it writes to stdout; empty where it fails, or is not through by then."""
        if self._said is None:
            until = time.monotonic() + seconds
            said = self._read(until)
            while not self._reap(os.WNOHANG) and time.monotonic() < until:
                time.sleep(_NAP)
            self._said = said if self._status == 0 else b""
        return self._said

    def _read(self, until: float) -> bytes:
        poll, parts = select.poll(), []
        poll.register(self._out)
        while poll.poll(max(0.0, until - time.monotonic()) * 1000):
            data = os.read(self._out, _PIECE)
            if not data:
                break
            parts.append(data)
        return b"".join(parts)

    def _reap(self, how: int) -> bool:
        """Whether it has ended."""
        try:
            pid, status = os.waitpid(self._pid, how)
        except ChildProcessError:  # where SIGCHLD is ignored, nobody is told how
            pid, status = self._pid, 0
        if pid:
            self._status = status
        return bool(pid)
