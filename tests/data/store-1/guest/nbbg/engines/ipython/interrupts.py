"""A KeyboardInterrupt that nobody swallows.

IPython's own way of waiting for a child (`%%bash` before IPython 9, `x = !command`) takes the
interrupt for the child alone, and the notebook would go on after it was asked to stop.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """If there is a SIGINT meanwhile, a KeyboardInterrupt is what it ends with."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    handle, seen = before, []

    def note(number: int, frame: Any) -> None:
        seen.append(number)
        handle(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if seen:
            raise KeyboardInterrupt
