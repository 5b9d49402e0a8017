"""Logs as people look at them: the last lines, followed live, and the progress bar in them."""

from __future__ import annotations

import codecs
import os
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from nbbg import files, screen, secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

CHUNK = 1 << 18
BLOCK = 1 << 20
LONGEST = 1 << 24  # bytes
END = 1 << 12  # bytes in which the last line and the newest progress bar are looked for
POLL = 0.1  # seconds
_BAR = re.compile(
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
    try:
        with open(path, "rb", opener=files.opener) as file:
            file.seek(max(start_of_tail(path, lines), file.seek(0, os.SEEK_END) - LONGEST))
            return file.read(LONGEST)
    except FileNotFoundError:
        return b""


def start_of_tail(path: str | os.PathLike[str], lines: int) -> int:
    """Where the last `lines` lines of a file begin; looked for from its end, however long it is."""
    try:
        with open(path, "rb", opener=files.opener) as file:
            at = end = file.seek(0, os.SEEK_END)
            if lines <= 0 or not end:
                return end
            lines += _read_at(file, end - 1, 1) == b"\n"  # which ends the last one
            while at > 0:
                start = max(0, at - BLOCK)
                block = _read_at(file, start, at - start)
                ends = block.count(b"\n")
                if ends >= lines:
                    return start + _position(block, ends - lines) + 1
                lines -= ends
                at = start
            return 0
    except FileNotFoundError:
        return 0


def _read_at(file: BinaryIO, position: int, size: int) -> bytes:
    file.seek(position)
    return file.read(size)


def _position(block: bytes, number: int) -> int:
    """Where in a block the line end is that has so many before it."""
    at = -1
    for _ in range(number + 1):
        at = block.index(b"\n", at + 1)
    return at


def follow(path: str | os.PathLike[str], start: int, over: Callable[[], bool]) -> Iterator[bytes]:
    """What is appended to a file from offset `start` on, until `over()` and nothing is left."""
    position = start
    while True:
        last_round = over()
        try:
            with open(path, "rb", opener=files.opener) as file:
                file.seek(position)
                while piece := file.read(CHUNK):
                    position += len(piece)
                    yield piece
        except FileNotFoundError:
            pass
        if last_round:
            return
        time.sleep(POLL)


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
