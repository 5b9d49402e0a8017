"""Logs as people look at them: the last lines, followed live, and the progress bar in them."""

from __future__ import annotations

import codecs
import os
import time
from typing import TYPE_CHECKING

from nbbg import files, holes, patterns, screen, secrets
from nbbg.classes import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

BLOCK = 1 << 20
LONGEST = 1 << 24  # bytes
REACH = 1 << 26  # bytes within which the last lines are looked for
LONG = 1 << 12  # or so many for each of them
END = 1 << 12  # bytes in which the last line and the newest progress bar are looked for
POLL = 0.1  # seconds
_BAR = patterns.late(
    r"(?P<percent>\d+)%\|[^|]*\|\s*(?P<done>\S+?)/(?P<total>\S+)"
    r"\s*\[(?P<spent>[\d:]+)<(?P<left>[\d:?]+)"
)


@dataclass(frozen=True)
class Progress:
    """What a tqdm bar says."""

    percent: int
    done: str
    total: str
    left: str  # as tqdm prints it: `01:20`


def tail(path: str | os.PathLike[str], lines: int) -> bytes:
    """The last `lines` lines of a file, read from its end; empty where there is no file.

    What a progress bar writes between two line ends is one line. Of what is longer than LONGEST
    the end is given.
    """
    end = size(path)
    start = max(start_of_tail(path, lines, end), end - LONGEST)
    return b"".join(between(path, start, end))


def start_of_tail(path: str | os.PathLike[str], lines: int, end: int) -> int:
    """Where the last `lines` lines before `end` begin; looked for from there, however long it is.

    Of lines that are very long, such as one of a gigabyte, the end of the last ones. What is
    written after `end` meanwhile does not count: a flood writes many lines during the look.
    """
    try:
        with open(path, "rb", opener=files.opener) as file:
            return _start_of_tail(file.fileno(), lines, min(end, os.fstat(file.fileno()).st_size))
    except FileNotFoundError:
        return 0


def _start_of_tail(fd: int, lines: int, end: int) -> int:
    if lines <= 0 or not end:
        return end
    lowest = end - max(REACH, lines * LONG)
    lines += os.pread(fd, 1, end - 1) == b"\n"  # which ends the last one
    for first, last in reversed(list(holes.extents(fd))):
        at = min(last, end)
        while at > first:
            if at <= lowest:
                return at
            start = max(first, at - BLOCK)
            block = os.pread(fd, at - start, start)
            ends = block.count(b"\n")
            if ends >= lines:
                return start + _position(block, ends - lines) + 1
            lines -= ends
            at = start
    return 0


def _position(block: bytes, number: int) -> int:
    """Where in a block the line end is that has so many before it."""
    at = -1
    for _ in range(number + 1):
        at = block.index(b"\n", at + 1)
    return at


def follow(path: str | os.PathLike[str], start: int, over: Callable[[], bool]) -> Iterator[bytes]:
    """What is appended to a file from offset `start` on, until `over()` and nothing is left.

    In place of what was freed in the middle of a log that is too long stands how much that was.
    """
    position = start
    while True:
        last_round = over()
        while (end := size(path)) > position:
            yield from between(path, position, end)
            position = end
        if last_round:
            return
        time.sleep(POLL)


def left_out(size: int) -> str:
    """What stands where the middle of a log was freed."""
    return f"[nbbg: {megabytes(size)} left out here: --log-max]"


def megabytes(size: float) -> str:
    """Such as `85.3 MB`."""
    for unit, name in ((1_000_000_000, "GB"), (1_000_000, "MB"), (1000, "kB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size:.0f} bytes"


def between(path: str | os.PathLike[str], start: int, end: int) -> Iterator[bytes]:
    """What a file holds from `start` to `end`, and in place of its holes what they were."""
    gap, in_line = 0, False
    try:
        with open(path, "rb", opener=files.opener) as file:
            for piece in holes.read(file.fileno(), start, end):
                if isinstance(piece, int):
                    gap += piece
                    continue
                if gap:
                    yield f"{chr(10) * in_line}{left_out(gap)}\n".encode()
                    gap = 0
                yield piece
                in_line = not piece.endswith(b"\n")
    except FileNotFoundError:
        return
    if gap:
        yield f"{chr(10) * in_line}{left_out(gap)}\n".encode()


def size(path: str | os.PathLike[str]) -> int:
    """Bytes in a file; 0 where there is none."""
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def readable(pieces: Iterable[bytes], *, live: bool = False) -> Iterator[str]:
    """A log as a terminal would show it in the end, for those that are none, without colours.

    Args:
        pieces: of the log, cut anywhere.
        live: whether each line is given as soon as it is complete, and can't be gone back to.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    shown = screen.Screen()
    for piece in pieces:
        text = shown.feed(decoder.decode(piece))
        yield screen.without_escapes(text + shown.settle() if live else text)
    text = shown.feed(decoder.decode(b"", final=True))
    yield screen.without_escapes(text + shown.rest())


def last_line(path: str | os.PathLike[str]) -> str:
    """The last line with something on it, as a terminal would show it."""
    for line in reversed(screen.shown(_end_of(path)).split("\n")):
        if shown := _printable(line).strip():
            return shown
    return ""


def progress(path: str | os.PathLike[str]) -> Progress | None:
    """The newest progress bar near the end of a log, or None."""
    found = None
    for match in _BAR.finditer(_end_of(path)):
        found = match
    if found is None:
        return None
    return Progress(int(found["percent"]), found["done"], found["total"], found["left"])


def _end_of(path: str | os.PathLike[str]) -> str:
    hidden = secrets.encoded(secrets.values())
    before = max(map(len, hidden), default=0)  # of which the end may begin in the midst
    try:
        with open(path, "rb", opener=files.opener) as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - END - before))
            return secrets.mask_bytes(file.read(), hidden)[-END:].decode("utf-8", "replace")
    except FileNotFoundError:
        return ""


def _printable(text: str) -> str:
    return "".join(char for char in screen.without_escapes(text) if char.isprintable())
