"""A template seen from its supervisor: started, told what to import, asked for runs.

Nothing depends on it: where it does not answer, a run is started without it.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import time
from typing import TYPE_CHECKING, Any

from nbbg import model, paths, process
from nbbg.engines import commands, packets
from nbbg.executors import Ticket

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

ANSWERS = 8.0  # seconds for a fork; its own patience is shorter
BEGINS = 60.0  # seconds for which runs wait for a template that begins


class Template:
    """One process, and the forks that serve in its place.

    Args:
        python: the interpreter.
        batch: the batch's folder.
        environment: of the runs, but for what each has for itself.
        order: what to import at first, and where.

    Attributes:
        fd: ready to be read when it has something to say.
        loaded: what it has imported.
        left_out: what not, and why.
        never: why it forks nothing, for good.
        ready: whether its first imports are done.

    Raises:
        OSError: it can't be started.
    """

    def __init__(
        self, python: str, batch: Path, environment: Mapping[str, str], order: Mapping[str, Any]
    ) -> None:
        self._socket, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.fd = self._socket.fileno()
        self.loaded: list[str] = []
        self.left_out: dict[str, str] = {}
        self.never = ""
        self.ready = self.busy = False
        self._began = time.monotonic()
        self._number = 0
        try:
            self.pid = process.spawn_detached(
                commands.template_argv(python, batch),
                str(batch / paths.SUPERVISOR_LOG),
                environment,
                its.fileno(),
                collected=False,
            )
        except OSError:
            self._socket.close()
            raise
        finally:
            its.close()
        packets.send(self._socket, package=str(commands.PACKAGE), **order)

    @property
    def alive(self) -> bool:
        """Whether it may be asked."""
        return self.fd >= 0

    @property
    def begins(self) -> bool:
        """Whether it is worth waiting for."""
        return self.alive and not self.ready and time.monotonic() - self._began < BEGINS

    def hear(self) -> bool:
        """Take in what it has to say; whether there was anything of what is imported."""
        news = False
        while self.alive and self._speaks(0):
            news = self._take(self._receive()) or news
        return news

    def grow(self, names: Sequence[str], notebooks: Sequence[str] = ()) -> None:
        """Have it import more, and what notebooks name, while it goes on serving."""
        self.busy = True
        packets.send(self._socket, names=list(names), notebooks=list(notebooks))

    def submit(self, attempt: Path) -> Ticket | str:
        """Fork a runner; or why there is none."""
        self._number += 1
        packets.send(self._socket, fork=str(attempt), id=self._number)
        deadline = time.monotonic() + ANSWERS
        while self.alive:
            left = deadline - time.monotonic()
            if left <= 0 or not self._speaks(left):
                self.end()
                return "its template did not answer"
            answer = self._receive()
            if answer.get("id") == self._number:
                return self._ticket(answer)
            self._take(answer)
            if "lost" in answer:
                return "its template has crashed"
        return "its template has ended"

    def end(self) -> None:
        """End it, whatever it does; what it has forked goes on."""
        if self.alive:
            self.fd = -1
            self._socket.close()
            # Its end is collected here alone: until then no stranger has that number.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.pid, 0)

    def _ticket(self, answer: Mapping[str, Any]) -> Ticket | str:
        if answer.get("stale"):
            self.end()
        if "cold" in answer:
            return str(answer["cold"])
        return Ticket(model.Identity(answer["pid"], answer["start_time"]))

    def _take(self, message: Mapping[str, Any]) -> bool:
        if "never" in message:
            self.never = message["never"]
            self.end()
        if "loaded" not in message:
            return False
        self.loaded += message["loaded"]
        self.left_out.update(message["left_out"])
        self.ready, self.busy = True, False
        return True

    def _speaks(self, seconds: float) -> bool:
        poll = select.poll()
        poll.register(self.fd, select.POLLIN)
        return bool(poll.poll(1000 * seconds))

    def _receive(self) -> dict[str, Any]:
        return packets.receive(self._socket, self._gone)

    def _gone(self) -> dict[str, Any]:
        self.end()
        return {}
