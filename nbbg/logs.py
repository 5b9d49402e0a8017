"""Logs as people look at them: the last lines, followed live, and the progress bar in them."""

from __future__ import annotations

import io
import os
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbbg import secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHUNK = 1 << 16
END = 1 << 12  # bytes in which the last line and the newest progress bar are looked for
POLL = 0.1  # seconds
_ESCAPE = re.compile(
    r"(\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours, moves
    r"|\x1b\][^\x07\x1b]*(\x07|\x1b\\)?"  # titles, links
    r"|\x1b[ -/]*."
)
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

    What a progress bar writes between two line ends is one line, however long.
    """
    if lines <= 0:
        return b""
    try:
        with open(path, "rb") as file:
            end = file.seek(0, os.SEEK_END)
            length, data = CHUNK, b""
            while len(data) < end and data.count(b"\n") <= lines:
                length *= 2
                file.seek(max(0, end - length))
                data = file.read(min(length, end))
    except FileNotFoundError:
        return b""
    return b"".join(io.BytesIO(data).readlines()[-lines:])


def follow(path: str | os.PathLike[str], start: int, over: Callable[[], bool]) -> Iterator[bytes]:
    """What is appended to a file from offset `start` on, until `over()` and nothing is left."""
    position = start
    while True:
        last_round = over()
        try:
            with open(path, "rb") as file:
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


def last_line(path: str | os.PathLike[str]) -> str:
    """The last line with something on it, as a terminal would show it."""
    text = _end_of(path)
    for line in reversed(text.split("\n")):
        if shown := _printable(line.rstrip("\r").rpartition("\r")[2]).strip():
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
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - END - before))
            return secrets.mask_bytes(file.read(), hidden)[-END:].decode("utf-8", "replace")
    except FileNotFoundError:
        return ""


def without_escapes(text: str) -> str:
    """The text without escape sequences, so that no log can steer a terminal."""
    return _ESCAPE.sub("", text)


def _printable(text: str) -> str:
    return "".join(char for char in without_escapes(text) if char.isprintable())
