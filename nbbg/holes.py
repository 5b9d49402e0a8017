"""Holes in files: how the middle of a long one is given back to the disk, and what is left is read.

A hole takes no room and reads as zeros, and all that stands after it stays where it is, so that
offsets into the file stay true. The file itself tells where it has holes; a copy that was made
without regard to them has zeros instead, of which a whole block counts as a hole too. Runs in the
user's own interpreter: standard library, Python 3.8.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nbbg import patterns

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

BLOCK = 1 << 12  # bytes that are freed at least, and of zeros that count as freed
PIECE = 1 << 20  # bytes that are read at once
_ZEROS = patterns.late(rb"\0{%d,}" % BLOCK)
_KEEP_SIZE, _PUNCH_HOLE = 1, 2  # of fallocate(2)


def free(fd: int, start: int, end: int) -> None:
    """Give back what stands from `start` to `end`, which are multiples of the file's block.

    Raises:
        OSError: the file system, or this system, can't (EOPNOTSUPP, ENOSYS), or nothing was freed.
    """
    import ctypes  # takes its time, and few runs need it
    import errno

    libc = ctypes.CDLL(None, use_errno=True)
    call = getattr(libc, "fallocate64", None) or getattr(libc, "fallocate", None)
    if call is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    large = ctypes.c_longlong
    mode = ctypes.c_int(_KEEP_SIZE | _PUNCH_HOLE)
    if call(ctypes.c_int(fd), mode, large(start), large(end - start)):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def after(fd: int, at: int) -> int:
    """The first offset from `at` on that is in no hole; the file's size where there is none."""
    try:
        return os.lseek(fd, at, os.SEEK_DATA)
    except (OSError, AttributeError):  # behind the last data; or nobody knows of holes here
        size = os.fstat(fd).st_size
        return size if at >= size or _knows(fd) else at


def before(fd: int, at: int) -> int:
    """The first offset from `at` on that is in a hole; the file's size where there is none."""
    try:
        return os.lseek(fd, at, os.SEEK_HOLE)
    except (OSError, AttributeError):
        return os.fstat(fd).st_size


def extents(fd: int, start: int = 0) -> Iterator[tuple[int, int]]:
    """From where to where there is something in a file, in order."""
    size = os.fstat(fd).st_size
    while start < size:
        start = after(fd, start)
        end = min(before(fd, start), size)
        if start < end:
            yield start, end
        start = max(end, start + 1)


def read(fd: int, start: int, end: int) -> Iterator[bytes | int]:
    """What stands in a file from `start` to `end`: its bytes in pieces, or how many were freed.

    Also where it is freed meanwhile: what was a hole when it had been read is told as one.
    """
    while start < end:
        data = os.pread(fd, min(PIECE, end - start), start)
        if not data:
            return
        there = min(after(fd, start), end)
        if there > start:
            yield there - start
            start = there
            continue
        data = data[: before(fd, start) - start]
        start += len(data)
        yield from split(data)


def split(data: bytes) -> Iterator[bytes | int]:
    """A piece of a file that may have been copied: its bytes, and how many zeros were a hole."""
    at = 0
    for found in _ZEROS.finditer(data) if bytes(BLOCK) in data else ():
        if found.start() > at:
            yield data[at : found.start()]
        yield found.end() - found.start()
        at = found.end()
    if at < len(data):
        yield data[at:]


def lines(file: BinaryIO, longest: int) -> Iterator[bytes]:
    """The lines of a file between its holes, as `readline(longest)` gives them.

    Of a line that a hole has cut, nothing is given.
    """
    found = list(extents(file.fileno()))  # at once, for it moves the position
    for start, end in found:
        at = file.seek(start)
        if start:
            at += _skip_line(file)
        while at < end:
            line = file.readline(longest)
            at += len(line)
            cut = at > end or (at == end < found[-1][1] and not line.endswith(b"\n"))
            if cut or not line:
                break
            yield line


def _skip_line(file: BinaryIO) -> int:
    skipped = 0
    while piece := file.readline(PIECE):
        skipped += len(piece)
        if piece.endswith(b"\n"):
            break
    return skipped


def _knows(fd: int) -> bool:
    """Whether the file system tells of holes: behind the end of a file there is nothing."""
    import errno

    try:
        os.lseek(fd, os.fstat(fd).st_size, os.SEEK_DATA)
    except OSError as error:
        return error.errno == errno.ENXIO
    except AttributeError:
        return False
    return True
