"""Tables and colours for a terminal, in a few lines, so that `status` need not load a library."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from nbbg import model

if TYPE_CHECKING:
    from collections.abc import Sequence

BRIEF = 10  # seconds under which a tenth is told
_UNITS = (("d", "h", 86400, 3600), ("h", "m", 3600, 60), ("m", "s", 60, 1))
_COLOURS = {
    model.Running.word: "36",
    model.Succeeded.word: "32",
    **dict.fromkeys((*model.UNSUCCESSFUL, model.Lost.word), "31"),
    **dict.fromkeys((model.Stopped.word, model.Unknown.word), "33"),
    **dict.fromkeys((model.Queued.word, model.Submitted.word), "2"),
}


def show(
    head: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: Sequence[str] = ()
) -> None:
    """Print a table; the columns named in `numbers` are aligned to the right."""
    if not rows:
        return
    widths = [max(len(cell) for cell in column) for column in zip(head, *rows, strict=True)]
    limit = _terminal_width() if sys.stdout.isatty() else 0
    for line in (head, *rows):
        cells = [
            cell.rjust(width) if name in numbers else cell.ljust(width)
            for name, cell, width in zip(head, line, widths, strict=True)
        ]
        text = "  ".join(cells).rstrip()
        print(_coloured(f"{text[: limit - 1]}…" if 0 < limit < len(text) else text))


def colour(word: str) -> str:
    """A state's word, coloured on a terminal."""
    return f"\x1b[{_COLOURS[word]}m{word}\x1b[0m" if wants_colour() else word


def wants_colour() -> bool:
    """Whether stdout is a terminal that may show colours."""
    refused = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return sys.stdout.isatty() and not refused


def number(value: object) -> str:
    """A metric, to six digits; nothing for None."""
    if isinstance(value, float):
        return f"{value:.6g}"
    return "" if value is None else one_line(str(value), 40)


def one_line(text: str, width: int = 0) -> str:
    """The text on one line, without control characters; cut with an ellipsis where `width` says."""
    line = " ".join(part for part in text.split() if part)
    line = "".join(char for char in line if char.isprintable())
    return f"{line[: width - 1]}…" if 0 < width < len(line) else line


def duration(seconds: float | None) -> str:
    """`42s`, `3m05s`, `2h10m`, `4d03h`."""
    if seconds is None:
        return ""
    whole = int(seconds)
    for large, small, size, parts in _UNITS:
        if whole >= size:
            return f"{whole // size}{large}{whole % size // parts:02d}{small}"
    return f"{whole}s" if whole >= BRIEF else f"{seconds:.1f}s"


def _terminal_width() -> int:
    import shutil

    return shutil.get_terminal_size((200, 24)).columns


def _coloured(line: str) -> str:
    if wants_colour():
        for word in _COLOURS:
            if f"  {word}" in line:
                return line.replace(f"  {word}", f"  {colour(word)}", 1)
    return line
