"""Tracebacks without the engine's own frames: what a notebook raised, as a kernel shows it."""

from __future__ import annotations

import os
import re

from nbbg import unattended

_OURS = (os.path.dirname(os.path.abspath(__file__)) + os.sep, os.path.abspath(unattended.__file__))
_CELL = re.compile(r"<ipython-input-(\d+)-\w+>")


def hide(error: BaseException | None) -> None:
    """Take the engine's frames out of an exception and of those that led to it."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        each = waiting.pop()
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            _unlink(each)
            waiting += [each.__cause__, each.__context__]


def name_cell(error: BaseException) -> None:
    """Have a SyntaxError that was shown name its cell: `(Cell In[3], line 2)`."""
    if isinstance(error, SyntaxError) and isinstance(error.filename, str):
        error.filename = _CELL.sub(r"Cell In[\1]", error.filename)


def _unlink(error: BaseException) -> None:
    kept, at = [], error.__traceback__
    while at is not None:
        if not at.tb_frame.f_code.co_filename.startswith(_OURS):
            kept.append(at)
        at = at.tb_next
    for entry, following in zip(kept, [*kept[1:], None]):
        if entry.tb_next is not following:
            entry.tb_next = following
    error.__traceback__ = kept[0] if kept else None
