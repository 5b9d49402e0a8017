"""Work on many files by some forked processes, with the results in the order of the files.

A worker is given one piece of work at a time through a pipe, and ends when the pipe does: when all
is done, when the caller stops early, and when the caller dies. One that is killed costs the piece
that it had; another takes its place. Ctrl-C lets each worker finish the file that it is writing.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import signal
from collections import deque
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Generic, TypeVar

from nbbg import process as processes

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkProcess

_RARELY = 100_000  # new objects before a collection: a notebook has many, and no rings
T = TypeVar("T")
R = TypeVar("R")


def run(
    pieces: Sequence[T], work: Callable[[T], R], lost: Callable[[T, str], R], workers: int
) -> Generator[R, None, None]:
    """The result of each piece of work, in order, as soon as it and those before it are there.

    Args:
        pieces: what there is to do.
        work: does one of them, in another process; the result must be picklable.
        lost: the result of a piece whose worker ended, given how.
        workers: how many processes.
    """
    gang = _Gang(pieces, work, lost)
    gc.freeze()  # no collection of what was there before copies its pages
    try:
        for _ in range(min(workers, len(pieces))):
            gang.hire()
        for number in range(len(pieces)):
            while number not in gang.done:
                gang.step()
            yield gang.done.pop(number)
    finally:
        gang.dismiss()
        gc.unfreeze()


class _Gang(Generic[T, R]):
    """The workers that are alive, and what each of them is at."""

    def __init__(
        self, pieces: Sequence[T], work: Callable[[T], R], lost: Callable[[T, str], R]
    ) -> None:
        self.done: dict[int, R] = {}
        self._pieces, self._work, self._lost = pieces, work, lost
        self._todo = deque(range(len(pieces)))
        self._workers: dict[Connection, tuple[ForkProcess, int]] = {}

    def hire(self) -> None:
        """Start a worker on the next piece, if there is one."""
        if not self._todo:
            return
        context = multiprocessing.get_context("fork")
        mine, its = context.Pipe()
        process = context.Process(target=self._serve, args=(its, mine), daemon=True)
        process.start()
        its.close()
        self._workers[mine] = process, self._todo[0]
        self._give(mine, process)

    def step(self) -> None:
        """Wait until a worker has a result or has ended."""
        ready = wait(list(self._workers))
        for pipe in [one for one in self._workers if one in ready]:
            process, number = self._workers[pipe]
            try:
                self.done[number] = pipe.recv()
            except (EOFError, OSError):
                del self._workers[pipe]
                pipe.close()
                process.join()
                self.done[number] = self._lost(self._pieces[number], _how(process.exitcode))
                self.hire()
            else:
                self._give(pipe, process)

    def dismiss(self) -> None:
        """Let all workers end, each after the piece that it is at."""
        for pipe in self._workers:
            pipe.close()
        for process, _ in self._workers.values():
            process.join()

    def _give(self, pipe: Connection, process: ForkProcess) -> None:
        if not self._todo:
            del self._workers[pipe]
            pipe.close()
            process.join()
            return
        self._workers[pipe] = process, self._todo.popleft()
        with contextlib.suppress(OSError):  # it has ended, which the next step notices
            pipe.send(self._workers[pipe][1])

    def _serve(self, pipe: Connection, other_end: Connection) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        other_end.close()
        gc.set_threshold(_RARELY)
        for theirs in self._workers:
            theirs.close()
        try:
            while True:
                pipe.send(self._work(self._pieces[pipe.recv()]))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return


def _how(code: int | None) -> str:
    if code is not None and code < 0:
        return f"was killed by {processes.signal_name(-code)}"
    return f"ended with {code}"
