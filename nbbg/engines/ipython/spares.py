"""Runs that are forked ahead: a runner and its engine, which wait to be told their attempt.

Two forks of a process that has imported much take longer than a short run. So a template has one
pair ready while the run before is at work. The runner forks its engine at once, in its own frames;
when it has claimed an attempt, it hands the engine what a program is started with: its files, its
folder, its words and what its environment has for itself. Until then both end with whom they wait
for, in whatever state they are, and hold nothing that belongs to a run.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import select
import signal
import socket
import sys
import traceback
from typing import TYPE_CHECKING, Any, Mapping, NamedTuple, NoReturn, Sequence

from nbbg import paths
from nbbg.engines import packets
from nbbg.engines.ipython import becoming, forks, freshness

if TYPE_CHECKING:
    from types import ModuleType

    from nbbg.engines.ipython.program import Ready

PATIENCE = 5.0  # seconds for a fork to say that it lives
_DID_NOT = "the fork of its template did not begin"


class EngineError(BaseException):
    """Not an error: a fork leaves the template's frames, to be an engine."""

    def __init__(self, orders: socket.socket) -> None:
        super().__init__()
        self.orders = orders


class Kit(NamedTuple):
    """What the forks are made of."""

    ready: Ready
    program: Any  # the runner's
    of_guest: Mapping[str, ModuleType]  # the modules of nbbg in an engine
    of_runner: Mapping[str, ModuleType]  # and in its runner
    environment: Mapping[str, str]  # of the template when it began


class Spare:
    """A runner that waits, as its template sees it."""

    def __init__(self, kit: Kit) -> None:
        self._orders, its = _pair()
        gc.freeze()
        self.pid = forks.fork()
        if not self.pid:
            self._orders.close()
            _Runner(kit, its).serve()
        its.close()
        with open(f"/proc/{self.pid}/stat", "rb") as file:
            self.start_time = int(file.read().rpartition(b")")[2].split()[19])

    def begin(self, attempt: str) -> str:
        """Have it carry out that attempt; or why it does not."""
        packets.send(self._orders, attempt=attempt)
        if lives(self._orders):
            return ""
        self.end()
        return _DID_NOT

    def fileno(self) -> int:
        """What can be read when it has something to say."""
        return self._orders.fileno()

    def has_written(self) -> bool:
        """Whether it says that it has written how its attempt ended; else it is gone."""
        try:
            return bool(packets.receive(self._orders, dict))
        finally:
            self._orders.close()

    def end(self) -> None:
        """End it; its end is its template's to see."""
        self.let_go()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def let_go(self) -> None:
        """It is not this process's."""
        self._orders.close()

    def detach(self) -> int:
        """The descriptor, which is no longer closed with this object."""
        return self._orders.detach()


class _Runner:
    """In the fork: a runner, and the engine that it has forked ahead."""

    def __init__(self, kit: Kit, orders: socket.socket) -> None:
        self._kit, self._orders = kit, orders
        self._engine = orders  # until it is forked
        self._pid = 0

    def serve(self) -> NoReturn:
        """Wait for an attempt, and carry it out."""
        code = 1
        try:
            os.setsid()
            becoming.end_with_parent()
            self._fork_engine()
            becoming.close_all((self._orders.fileno(), self._engine.fileno()))
            becoming.exchange(self._kit.of_guest, self._kit.of_runner)
            sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
            gc.enable()
            attempt = packets.receive(self._orders)["attempt"]
            becoming.rename([sys.executable, "-P", "-m", "nbbg.runner", attempt])
            becoming.outlive_parent()
            if not packets.send(self._orders, lives=True):  # it was given up
                os._exit(1)
            code = self._kit.program.main(attempt, self._hand_over)
            packets.send(self._orders, written=True)  # the rest of its end takes a while
        except EngineError:
            raise
        except BaseException:  # noqa: BLE001 - as a program ends
            traceback.print_exc()
        os._exit(code)

    def _fork_engine(self) -> None:
        self._engine, its = _pair()
        self._pid = forks.fork()
        if not self._pid:
            self._engine.close()
            self._orders.close()
            raise EngineError(its)
        its.close()

    def _hand_over(
        self,
        argv: Sequence[str],
        cwd: str,
        environment: Mapping[str, str],
        log: int,
        kept: Sequence[int],
    ) -> tuple[int, str]:
        """Have the engine begin; its pid, or 0 and why it does not."""
        why = _unfit(self._kit.environment, cwd, environment)
        if not why:
            own = {k: v for k, v in environment.items() if k in paths.OF_ONE_RUN}
            packets.send_files(
                self._engine,
                (log, *kept),
                {"argv": argv, "cwd": cwd, "own": own, "numbers": kept},
            )
            why = "" if lives(self._engine) else _DID_NOT
        self._engine.close()
        if not why:
            return self._pid, ""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        return 0, why


def become(ready: Ready, told: EngineError) -> str:
    """In the engine: all that needs no attempt, and when there is one, the rest; its folder."""
    try:
        os.setsid()
        becoming.end_with_parent()
        becoming.close_all((told.orders.fileno(),))
        ready.newest = next(reversed(sys.modules))
        sys.stdout, sys.stderr = ready.streams
        becoming.reseed()
        becoming.reset_signals()
        gc.enable()
        order, files = packets.receive_files(told.orders)
        orders = _take_place(order, (told.orders.detach(), *files))
        becoming.outlive_parent()
        if not packets.send(orders, lives=True):  # another does it
            os._exit(1)
        orders.close()
        return str(order["argv"][-1])
    except BaseException:  # noqa: BLE001 - its runner starts another
        os._exit(1)


def _take_place(order: Mapping[str, Any], files: Sequence[int]) -> socket.socket:
    """Have the files, the folder, the words and the environment of that run."""
    orders, log = becoming.put(files, order["numbers"])
    for fd in (1, 2):
        os.dup2(log, fd)
    os.close(log)
    os.chdir(order["cwd"])
    becoming.rename(order["argv"])
    becoming.set_own(paths.OF_ONE_RUN, order["own"])
    becoming.mark(order["own"][paths.MARKER])
    importlib.invalidate_caches()
    return socket.socket(fileno=orders)


def _unfit(before: Mapping[str, str], cwd: str, now: Mapping[str, str]) -> str:
    """Why a run can't be forked from what has imported with another environment, or elsewhere."""
    top = freshness.shadowed(cwd)
    if top:
        return f"{top} lies beside its notebook, and would be imported"
    changed = freshness.changed(before, now)
    return f"{changed} is not what it was when the template began" if changed else ""


def _pair() -> tuple[socket.socket, socket.socket]:
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def lives(source: socket.socket) -> bool:
    """Whether a fork says so in time; if not, it can't say so any more, and does not begin."""
    poll = select.poll()
    poll.register(source, select.POLLIN)
    if not poll.poll(1000 * PATIENCE):
        source.shutdown(socket.SHUT_RD)
    return bool(packets.receive(source, dict))
