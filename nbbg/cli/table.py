"""Tables and colours for a terminal, in a few lines, so that `status` need not load a library."""

from __future__ import annotations

import itertools
import os
import sys
from typing import TYPE_CHECKING

from nbbg import model
from nbbg.cli import terminal

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

PAGE = 500  # rows
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
    head: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Collection[str] = ()
) -> None:
    """Print a table; the columns named in `numbers` are aligned to the right.

    Of many rows a page is held at a time; a later one may be wider.
    """
    coming = iter(rows)
    widths = [0] * len(head)
    lines: list[Sequence[str]] = [head]
    while page := [[*map(_plain, row)] for row in itertools.islice(coming, PAGE)]:
        lines += page
        widths = [
            max(width, *map(len, column))
            for width, column in zip(widths, zip(*lines, strict=True), strict=True)
        ]
        for line in lines:
            _print(head, line, widths, numbers)
        lines = []


def _plain(cell: str) -> str:
    return cell if cell.isprintable() else one_line(cell)


def _print(
    head: Sequence[str], line: Sequence[str], widths: Sequence[int], numbers: Collection[str]
) -> None:
    cells = [
        cell.rjust(width) if name in numbers else cell.ljust(width)
        for name, cell, width in zip(head, line, widths, strict=True)
    ]
    print(_coloured(cut("  ".join(cells).rstrip())))


def cut(line: str) -> str:
    """The line as far as the terminal is wide."""
    limit = width() if sys.stdout.isatty() else 0
    return f"{line[: limit - 1]}…" if 0 < limit < len(line) else line


def bar(done: int, total: int, width: int) -> str:
    """How much is done, in so many characters."""
    full, empty = ("█", "░") if _is_unicode() else ("#", "-")
    filled = width * done // total if total else width
    return full * filled + empty * (width - filled)


def _is_unicode() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf")


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


def width() -> int:
    """The terminal's, in characters; 200 where there is none."""
    return terminal.columns(200)


def _coloured(line: str) -> str:
    if wants_colour():
        for word in _COLOURS:
            if f"  {word}" in line:
                return line.replace(f"  {word}", f"  {colour(word)}", 1)
    return line
