"""Progress bars on stderr, in tqdm's own text form, with tqdm where it is installed.

Readers take the progress of a cell and the time left from the last line of the log, so the form
matters: `desc:  45%|####6     | 45/100 [00:01<00:02, 30.00it/s]`, each state after a carriage
return.
"""

from __future__ import annotations

import sys
import time
from typing import Any, NamedTuple

PAUSE = 0.1  # seconds between two states
WIDTH = 10


class Progress(NamedTuple):
    """A bar as it begins."""

    desc: str | None
    total: int | None
    done: int  # by earlier attempts


def start(progress: Progress) -> Any:
    """A bar with `update()` and `close()`."""
    try:
        from tqdm import tqdm
    except ImportError:
        return PlainBar(progress)
    desc, total, done = progress
    return tqdm(desc=desc, total=total, initial=done, mininterval=PAUSE, file=sys.stderr)


class PlainBar:
    """What is used where there is no tqdm."""

    def __init__(self, progress: Progress) -> None:
        self.desc, self.total, self.before = progress
        self.done = self.before
        self.began = time.monotonic()
        self.shown_at = 0.0
        self._show()

    def update(self) -> None:
        """One more step is done."""
        self.done += 1
        if time.monotonic() - self.shown_at >= PAUSE:
            self._show()

    def close(self) -> None:
        """Show the last state, and leave it."""
        self._show("\n")

    def _show(self, end: str = "") -> None:
        self.shown_at = time.monotonic()
        text = self.text(self.shown_at - self.began)
        sys.stderr.write(f"\r{text}{end}")
        sys.stderr.flush()

    def text(self, elapsed: float) -> str:
        """The bar after `elapsed` seconds."""
        desc = f"{self.desc}: " if self.desc else ""
        rate = (self.done - self.before) / elapsed if elapsed > 0 else 0.0
        if not self.total:
            return f"{desc}{self.done}it [{_clock(elapsed)}, {_speed(rate)}]"
        part = min(1.0, self.done / self.total)
        filled = int(part * WIDTH)
        bar = "\u2588" * filled + " " * (WIDTH - filled)
        left = _clock((self.total - self.done) / rate) if rate else "?"
        times = f"[{_clock(elapsed)}<{left}, {_speed(rate)}]"
        return f"{desc}{part:4.0%}|{bar}| {self.done}/{self.total} {times}"


def _clock(seconds: float) -> str:
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute:02}:{second:02}"


def _speed(rate: float) -> str:
    if not rate:
        return "?it/s"
    return f"{rate:5.2f}it/s" if rate >= 1 else f"{1 / rate:5.2f}s/it"
