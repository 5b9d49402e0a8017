"""The engine as a program: from an attempt's folder to the end of its notebook and its kernel."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from typing import TYPE_CHECKING, Any

from nbbg import files, paths
from nbbg.engines.kernel.execution import (
    VANISHED,
    End,
    Execution,
)
from nbbg.engines.kernel.launch import Named, Python, StartError
from nbbg.engines.kernel.live import DeadKernelError, Kernel, SilentKernelError
from nbbg.inside.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from nbbg.engines.kernel.launch import Launched
    from nbbg.engines.kernel.spawn import Spawned
    from nbbg.engines.kernel.task import Task

LAST = 4096  # bytes of the log in which the last line is looked for


def refuse(attempt: str, error: Exception) -> int:
    """Tell the journal why there is nothing to execute; the exit code.

    Args:
        attempt: its folder, absolute.
        error: why it can't be read.
    """
    return _tell_end(Recorder(files.Folder(attempt)), _failed(type(error).__name__, str(error)))


def execute(task: Task, spawned: Spawned | None, came: Sequence[int]) -> int:
    """Execute the notebook of an attempt; the exit code, negative for a signal.

    Args:
        task: what the runner asks for.
        spawned: its kernel, for Python.
        came: signals that have come already; more are added until the loop hears them itself.
    """
    logging.disable()  # standard error is the notebook's log
    launched = Python(task, spawned) if spawned else Named(task)
    recorder = Recorder(files.Folder(task.attempt))
    return asyncio.run(Program(task, launched, recorder).run(came))


class Program:
    """One attempt.

    Args:
        task: what the runner asks for.
        launched: its kernel's process.
        recorder: of the attempt.
    """

    def __init__(self, task: Task, launched: Launched, recorder: Recorder) -> None:
        self.task = task
        self.recorder = recorder
        self.kernel = Kernel(task, launched, recorder)
        self.execution = Execution(task, self.kernel, recorder)
        self._reactions: set[asyncio.Task[None]] = set()

    async def run(self, came: Sequence[int]) -> int:
        """Execute the notebook, tell the journal how it ended, and let the kernel go."""
        self.recorder.event("begin", cells=len(self.task.cells))
        self._on(signal.SIGINT, self.execution.stop, came)
        self._on(signal.SIGTERM, self.execution.terminate, came)
        try:
            status = _tell_end(self.recorder, await self._execute(), self.task)
            left = await self.kernel.leave()
            return status or left
        finally:
            await self.kernel.clean()

    async def _execute(self) -> End:
        try:
            await self.kernel.start()
        except StartError as error:
            return _failed("CannotStart", str(error))
        except DeadKernelError as death:
            if self.execution.stopping:
                return self.execution.given_up(None)
            if death.code < 0:
                return End("killed", death.code)
            last = _last_line(os.path.join(self.task.attempt, paths.LOG))
            return _failed("KernelDied", _why(self.task, death.code, last))
        except SilentKernelError as silence:
            return _failed("KernelSilent", f"{self.task.origin} {silence}")
        return await self.execution.run()

    def _on(
        self, number: int, reaction: Callable[[], Coroutine[Any, Any, None]], came: Sequence[int]
    ) -> None:
        def react() -> None:
            task = asyncio.ensure_future(reaction())
            self._reactions.add(task)
            task.add_done_callback(self._reactions.discard)

        asyncio.get_running_loop().add_signal_handler(number, react)
        if number in came:
            react()


def _tell_end(recorder: Recorder, end: End, task: Task | None = None) -> int:
    if end.status != VANISHED:
        after = end.ordinal or 0
        cells = task.cells if task and end.status != "succeeded" else ()
        left_out = [cell.ordinal for cell in cells if cell.ordinal > after and not cell.idle]
        recorder.event("end", **end.fields(left_out))
    return end.code


def _failed(name: str, value: str) -> End:
    return End("failed", 1, None, {"name": name, "value": value})


def _why(task: Task, code: int, last: str) -> str:
    """Why a kernel ended before it could execute anything, and what to type."""
    if task.python and "No module named ipykernel" in last:
        return f"{last}; type: {task.python} -m pip install ipykernel"
    said = f"; its last line: {last}" if last else ""
    return f"{task.origin} ended before it could execute a cell (exit code {code}){said}"


def _last_line(log: str) -> str:
    """The last line of the log."""
    with open(log, "rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - LAST))
        lines = file.read().decode("utf-8", "replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
