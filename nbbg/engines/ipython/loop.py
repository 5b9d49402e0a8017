"""The event loop that a cell finds running, as it does in Jupyter.

There, a cell without `await` may call `asyncio.create_task`, and what it starts goes on in later
cells. Here the loop is made when a cell first needs it, for asyncio takes a while to import. A
notebook that calls `asyncio.run` or `run_until_complete` itself, as scripts do and Jupyter
refuses, finds no loop running.
"""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Coroutine, Iterable, Iterator

_RUNS_ITS_OWN = ("asyncio.run(", ".run_until_complete(")


class Loop:
    """One event loop for all cells of a notebook.

    Args:
        sources: of the cells.
    """

    def __init__(self, sources: Iterable[str]) -> None:
        self.interrupted = False  # whether SIGINT cancelled an `await` of the running cell
        self._offered = not any(call in source for source in sources for call in _RUNS_ITS_OWN)
        self._loop: asyncio.AbstractEventLoop | None = None

    @contextlib.contextmanager
    def around(self, source: str) -> Iterator[None]:
        """While a cell is executed, the loop counts as running."""
        self.interrupted = False
        if "asyncio" not in sys.modules and "asyncio" not in source:
            yield
            return
        loop = self._made()
        if not self._offered:
            yield
            return
        with _running(loop):
            yield
        if not loop.is_closed():  # one turn, for what the cell started
            loop.call_soon(loop.stop)
            loop.run_forever()

    def complete(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """IPython's `loop_runner`: a cell with `await`; SIGINT cancels it, so `finally` runs."""
        loop = self._made()
        with _running(None):
            task = loop.create_task(coroutine)
            try:
                return loop.run_until_complete(task)
            except KeyboardInterrupt:
                self.interrupted = True
                task.cancel()
                return loop.run_until_complete(task)

    def silence(self) -> None:
        """No complaints, at the interpreter's end, about tasks that nobody awaited."""
        if self._loop is not None:
            self._loop.set_exception_handler(lambda *_: None)

    def _made(self) -> asyncio.AbstractEventLoop:
        import asyncio

        if self._loop is None or self._loop.is_closed():
            self._loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self._loop)
        return self._loop


@contextlib.contextmanager
def _running(loop: asyncio.AbstractEventLoop | None) -> Iterator[None]:
    """What `asyncio.get_running_loop` gives meanwhile; None for no loop."""
    from asyncio import events

    before = events._get_running_loop()  # noqa: SLF001 - made for event loops, which this is
    events._set_running_loop(loop)  # noqa: SLF001
    try:
        yield
    finally:
        events._set_running_loop(before)  # noqa: SLF001
