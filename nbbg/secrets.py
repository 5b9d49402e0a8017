"""Which values of an environment are secrets, and how they are hidden.

A value of 8 or more characters whose name says so, also as it is written by accident: escaped in
a repr or in JSON, quoted in a URL, or one long line of several (a private key). What is hidden
keeps its length in bytes, so that offsets into a log stay right. Runs in the user's own
interpreter: standard library, Python 3.8.
"""

from __future__ import annotations

import bisect
import json
import os
import re
from typing import TYPE_CHECKING

from nbbg import holes, patterns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

SHORTEST = 8
LINE = 16  # characters of a line that is a secret of its own, in a value of several
NAMED = "NBBG_SECRETS"  # more names, separated by commas
CHUNK = 1 << 22
_HEAD = 4  # bytes of a secret by which its beginning is found quickly
_LONG = 1000  # bytes from which looking for the secrets themselves is faster
_learned: dict[str, str] = {}
_SAYS_SO = patterns.late("KEY|TOKEN|SECRET|PASSW|CREDENTIAL|AUTH|DSN", re.IGNORECASE)
_QUOTED = (patterns.late(rb"[^A-Za-z0-9_.~-]"), patterns.late(rb"[^A-Za-z0-9_.~/-]"))


def names(environment: Mapping[str, str]) -> set[str]:
    """The names in an environment whose values are secrets."""
    also = {name.strip() for name in environment.get(NAMED, "").split(",")}
    return {
        name
        for name, value in environment.items()
        if len(value) >= SHORTEST and (name in also or _SAYS_SO.search(name))
    }


def learn(environment: Mapping[str, str]) -> None:
    """Let `values` know of what is not in this process's environment: a project's `.env`."""
    _learned.update(environment)


def values(environment: Mapping[str, str] | None = None) -> list[str]:
    """What must not be seen, longest first: the secrets of an environment in each written form.

    Args:
        environment: None for that of this process, and what it has learned.
    """
    if environment is None:
        environment = {**_learned, **os.environ}
    found = {environment[name] for name in names(environment)}
    return sorted({form for value in found for form in _forms(value)}, key=len, reverse=True)


def encoded(hidden: Iterable[str]) -> list[bytes]:
    """The same as bytes of a log."""
    return [value.encode("utf-8", "surrogateescape") for value in hidden]


def mask(text: str, hidden: Iterable[str]) -> str:
    """The text with every secret replaced by as many `*`."""
    for value in hidden:
        if value in text:
            text = text.replace(value, "*" * len(value))
    return text


def mask_bytes(data: bytes, hidden: Iterable[bytes]) -> bytes:
    """The same for bytes."""
    for value in hidden:
        if value in data:
            data = data.replace(value, b"*" * len(value))
    return data


class Beginnings:
    """Tells where the end of some text may be the beginning of a secret.

    Args:
        hidden: the secrets.
    """

    def __init__(self, hidden: Sequence[bytes]) -> None:
        self.longest = max(map(len, hidden), default=0)
        self._sorted = sorted(hidden)
        heads = {re.escape(value[:_HEAD]) for value in hidden}
        ends = {
            re.escape(value[:length]) + rb"\Z" for value in hidden for length in range(1, _HEAD)
        }
        self._candidates = re.compile(b"(?=" + b"|".join(sorted(heads | ends)) + b")")

    def may_be_in(self, data: bytes) -> bool:
        """False where `data` holds neither a secret nor the beginning of one; a guess if long."""
        return bool(self._sorted) and (len(data) > _LONG or bool(self._candidates.search(data)))

    def length(self, data: bytes) -> int:
        """How many bytes at the end of `data` may be the beginning of a secret; 0 where none."""
        if not self._sorted:
            return 0
        end = data[1 - self.longest :]
        for candidate in self._candidates.finditer(end):
            if self._is_beginning(end[candidate.start() :]):
                return len(end) - candidate.start()
        return 0

    def _is_beginning(self, text: bytes) -> bool:
        at = bisect.bisect_left(self._sorted, text)
        return at < len(self._sorted) and self._sorted[at].startswith(text)


def mask_pieces(pieces: Iterable[bytes], hidden: Sequence[bytes]) -> Iterator[bytes]:
    """Masked as they come, also a secret that is split over several of them.

    An end that may be the beginning of a secret comes with the next piece, or after the last; an
    empty piece gives it out at once.
    """
    beginnings, held = Beginnings(hidden), b""
    for piece in pieces:
        data = mask_bytes(held + piece, hidden)
        length = len(data) - beginnings.length(data) if piece else len(data)
        data, held = data[:length], data[length:]
        if data:
            yield data
    if held:
        yield held


def overwrite(fd: int, hidden: Sequence[bytes], start: int = 0, end: int | None = None) -> None:
    """Put `*` in place of every secret in a file.

    Args:
        fd: open for reading and writing, not for appending.
        hidden: the secrets.
        start: offset of the first byte that may belong to one.
        end: offset after the last such byte; None for the whole file.
    """
    overlap = max(map(len, hidden), default=0)
    size = os.fstat(fd).st_size if end is None else end
    while hidden and (start := holes.after(fd, start)) < size:
        piece = os.pread(fd, min(CHUNK + overlap, size - start), start)
        for value in hidden:
            at = piece.find(value)
            while at >= 0:
                os.pwrite(fd, b"*" * len(value), start + at)
                at = piece.find(value, at + len(value))
        start += CHUNK


def _forms(value: str) -> Iterator[str]:
    raw = value.encode("utf-8", "surrogateescape")
    yield value
    yield repr(value)[1:-1]
    yield repr(raw)[2:-1]
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    for unsafe in _QUOTED:
        yield unsafe.sub(lambda byte: b"%%%02X" % ord(byte[0]), raw).decode("ascii")
    if "\n" in value:
        yield from (line for line in map(str.strip, value.split("\n")) if len(line) >= LINE)
