"""A person's terminal for a test: a pseudo-terminal, and the program that leads its session."""

from __future__ import annotations

import contextlib
import os
import re
import select
import subprocess
import time
from typing import TYPE_CHECKING, Self

from tests.project import PATIENCE, PYTHON

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_LEAD = """\
import fcntl, os, struct, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 180, 0, 0))
os.execvp(sys.argv[1], sys.argv[1:])
"""


class Terminal:
    """A terminal in which a program runs, as a window or `sshd` makes it.

    Args:
        argv: the program.
        cwd: its folder.
        environ: its environment.
    """

    def __init__(self, argv: Sequence[str], cwd: Path, environ: Mapping[str, str]) -> None:
        self.master, slave = os.openpty()
        self.program = subprocess.Popen(
            [PYTHON, "-S", "-E", "-c", _LEAD, *argv],
            cwd=cwd,
            env={"TERM": "xterm", **environ},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        self.seen = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.hang_up()
        self.program.kill()
        self.program.wait()

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self.master, text.encode())

    def until(self, pattern: str, patience: float = PATIENCE) -> re.Match[str]:
        """Read until what a regular expression says is on the screen."""
        deadline = time.monotonic() + patience
        while (found := re.search(pattern, self.shown())) is None:
            left = deadline - time.monotonic()
            assert left > 0, self.shown()
            assert self._read(left), self.shown()
        return found

    def ended(self, patience: float = PATIENCE) -> int:
        """Read until the program has ended; its exit code."""
        deadline = time.monotonic() + patience
        while self.program.poll() is None:
            assert time.monotonic() < deadline, self.shown()
            self._read(0.02)
        while self._read(0):
            pass
        return self.program.returncode

    def shown(self) -> str:
        """All that was seen so far."""
        return self.seen.decode(errors="replace")

    def hang_up(self) -> None:
        """What closing the window, or losing the connection, does."""
        if self.master >= 0:
            os.close(self.master)
            self.master = -1

    def _read(self, patience: float) -> bool:
        """Take in what was written meanwhile; False where nobody can write any more."""
        if not select.select([self.master], [], [], patience)[0]:
            return patience > 0
        with contextlib.suppress(OSError):  # EIO: the last program has closed it
            piece = os.read(self.master, 1 << 16)
            self.seen += piece
            return bool(piece)
        return False
