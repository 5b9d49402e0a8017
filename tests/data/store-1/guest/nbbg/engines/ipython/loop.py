"""The event loop that a cell finds running, as it does in Jupyter.

There, a cell without `await` may call `asyncio.create_task`, and what it starts goes on in later
cells. Here the loop is made when a cell first needs it, for asyncio takes a while to import. While
such a cell is executed the loop counts as running, and is not: so `asyncio.run` and
`run_until_complete`, which scripts call and Jupyter refuses, work as well.
"""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine, Iterator


class Loop:
    """One event loop for all cells of a notebook."""

    def __init__(self) -> None:
        self.interrupted = False  # whether SIGINT cancelled an `await` of the running cell
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running_loop: Callable[[], asyncio.AbstractEventLoop | None] | None = None

    @contextlib.contextmanager
    def around(self, source: str) -> Iterator[None]:
        """While a cell is executed, the loop counts as running."""
        self.interrupted = False
        if "asyncio" not in sys.modules and "asyncio" not in source:
            yield
            return
        loop = self._made()
        with _counted_as_running(loop):
            yield
        if not loop.is_closed():  # one turn, for what the cell started
            loop.call_soon(loop.stop)
            loop.run_forever()

    def __str__(self) -> str:
        """What `%autoawait` says is used."""
        return "asyncio"

    def __call__(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """IPython's `loop_runner`: a cell with `await`; SIGINT cancels it, so `finally` runs."""
        loop = self._made()
        with _counted_as_running(None):
            task = loop.create_task(coroutine)
            try:
                return loop.run_until_complete(task)
            except KeyboardInterrupt:
                self.interrupted = True
                task.cancel()
                return loop.run_until_complete(task)

    def close(self) -> None:
        """No complaints, at the interpreter's end, about tasks that nobody awaited."""
        if self._loop is not None:
            self._loop.set_exception_handler(lambda *_: None)
        if self._running_loop is not None:
            from asyncio import events

            events._get_running_loop = self._running_loop  # noqa: SLF001

    def _made(self) -> asyncio.AbstractEventLoop:
        import asyncio

        if self._loop is None or self._loop.is_closed():
            self._loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self._loop)
            self._let_others_run()
        return self._loop

    def _let_others_run(self) -> None:
        """Have asyncio, before it runs a loop, not mistake ours for one that runs."""
        from asyncio import events

        if self._running_loop is not None:
            return
        self._running_loop = found = events._get_running_loop  # noqa: SLF001

        def really_running() -> asyncio.AbstractEventLoop | None:
            loop = found()
            return None if loop is self._loop and loop and not loop.is_running() else loop

        events._get_running_loop = really_running  # noqa: SLF001


@contextlib.contextmanager
def _counted_as_running(loop: asyncio.AbstractEventLoop | None) -> Iterator[None]:
    """What `asyncio.get_running_loop` gives meanwhile; None for no loop."""
    from asyncio import events

    try:
        before: asyncio.AbstractEventLoop | None = events.get_running_loop()
    except RuntimeError:
        before = None
    events._set_running_loop(loop)  # noqa: SLF001 - made for event loops, which this is
    try:
        yield
    finally:
        events._set_running_loop(before)  # noqa: SLF001
