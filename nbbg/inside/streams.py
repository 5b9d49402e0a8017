"""What is printed, put into the log at once, without a buffer or a pipe.

Each stream has an append-mode handle of its own. After a write the handle's position is the end
of what was written, so the byte range of stderr is exact also beside a child that floods the same
log. Standard output needs no range: it is what no range names.
"""

from __future__ import annotations

import contextlib
import io
import os
import threading
from typing import TYPE_CHECKING, Any

from nbbg import files

if TYPE_CHECKING:
    from nbbg.inside.hidden import Hidden
    from nbbg.journal import Journal

OUT, ERR = 1, 2
_NAMES = {OUT: "stdout", ERR: "stderr"}


class LogWriter(io.RawIOBase):
    """The binary layer of one stream; what lies above it is Python's own text layer.

    Args:
        handle: append-mode descriptor of the log, of this stream alone.
        patch: descriptor of the log, of all streams, which does not append.
        number: the file descriptor that the stream stands for, 1 or 2.
        hidden: the secrets to mask.
        journal: where to name the range of each write; None for standard output.
        echo: whether to write to the file descriptor too, for someone who watches.

    Attributes:
        written: bytes that this stream has put into the log.
        lost: writes that a full disk has cost.
    """

    def __init__(
        self,
        handle: int,
        patch: int,
        number: int,
        hidden: Hidden,
        journal: Journal | None = None,
        *,
        echo: bool = False,
    ) -> None:
        self.name = f"<{_NAMES[number]}>"
        self.mode = "wb"
        self._number = number
        self.written = self.lost = 0
        self.connect(handle, patch, hidden, journal, echo=echo)

    def connect(
        self,
        handle: int,
        patch: int,
        hidden: Hidden,
        journal: Journal | None = None,
        *,
        echo: bool = False,
    ) -> None:
        """Write there from now on: a warm start makes the stream before there is a log."""
        self.echo = echo
        self._handle = handle
        self._hidden = hidden
        self._journal = journal
        self._open = _Open(hidden, patch)
        self._lock = threading.RLock()

    def writable(self) -> bool:
        """Always."""
        return True

    def fileno(self) -> int:
        """1 or 2, which children inherit; it is the same log."""
        return self._number

    def close(self) -> None:
        """Nothing: whoever wraps `sys.stdout.buffer` anew closes it by dropping the old one."""

    def write(self, data: Any) -> int:
        """Append all of it; a disk that is full never raises into the notebook."""
        given = data if type(data) is bytes else bytes(memoryview(data))
        with self._lock:
            doubtful = bool(self._open.pieces) or self._hidden.may_be_in(given)
            shown = self._hidden.in_bytes(given) if doubtful else given
            try:
                self._append(given, shown, watched=doubtful and self._open.patch >= 0)
            except OSError:
                self.lost += 1
                self._open.forget()
        if self.echo:
            with contextlib.suppress(OSError):
                files.write_all(self._number, shown)
        return len(given)

    def in_forked_child(self) -> None:
        """Write to the plain file descriptor: the journal is the parent's, and so are positions."""
        self._handle, self._journal, self.echo = self._number, None, False
        self._open = _Open(self._hidden, -1)
        self._lock = threading.RLock()  # another thread may have held it at the fork

    def release(self) -> None:
        """Give up the handle: what is still written, by a thread left over, goes nowhere."""
        handle, self._handle = self._handle, -1
        os.close(handle)

    def _append(self, given: bytes, shown: bytes, *, watched: bool) -> None:
        """Write it, name it in the journal, and cover a secret that became whole with it."""
        while shown:
            count = os.write(self._handle, shown)
            self.written += count
            if watched or self._journal is not None:
                end = os.lseek(self._handle, 0, os.SEEK_CUR)
                if self._journal is not None:
                    self._journal.stream("stderr", end - count, end)
                if watched:
                    self._open.add(end - count, given[:count])
            given, shown = given[count:], shown[count:]


class _Open:
    """The end of what one stream wrote, as long as it may be the beginning of a secret.

    Nothing is held back from the log, so a secret that is printed in pieces is covered where it
    lies as soon as its last piece has come.

    Args:
        hidden: the secrets.
        patch: descriptor of the log that does not append; -1 where nothing can be covered.

    Attributes:
        pieces: where each stands in the log, and what it was before anything was masked.
    """

    def __init__(self, hidden: Hidden, patch: int) -> None:
        self.patch = patch
        self._hidden = hidden
        self.pieces: list[tuple[int, bytes]] = []

    def forget(self) -> None:
        """What was written is not where it was thought to be."""
        self.pieces = []

    def add(self, start: int, data: bytes) -> None:
        """What the stream wrote next, and where it stands in the log."""
        before = b"".join(piece for _, piece in self.pieces)
        self.pieces.append((start, data))
        if before:
            self._cover_all(before, before + data[: self._hidden.beginnings.longest])
        self._keep(self._hidden.beginnings.length(before + data))

    def _cover_all(self, before: bytes, text: bytes) -> None:
        for value in self._hidden.encoded:
            at = text.find(value)
            while 0 <= at < len(before):
                self._cover(at, at + len(value))
                at = text.find(value, at + 1)

    def _cover(self, start: int, end: int) -> None:
        """Overwrite what stands from `start` to `end` in the pieces, each where it lies."""
        at = 0
        for offset, piece in self.pieces:
            first, last = max(start - at, 0), min(end - at, len(piece))
            if first < last:
                os.pwrite(self.patch, b"*" * (last - first), offset + first)
            at += len(piece)

    def _keep(self, length: int) -> None:
        """Forget all but the last `length` bytes."""
        kept: list[tuple[int, bytes]] = []
        while length and self.pieces:  # there are fewer where a signal's handler printed meanwhile
            offset, piece = self.pieces.pop()
            taken = piece[-length:]
            kept.append((offset + len(piece) - len(taken), taken))
            length -= len(taken)
        self.pieces = kept[::-1]


def text_layer(writer: LogWriter) -> io.TextIOWrapper:
    """A `sys.stdout` or `sys.stderr` above a writer."""
    # A character that UTF-8 can't hold is no reason to end a run: it is escaped.
    stream = io.TextIOWrapper(writer, "utf-8", "backslashreplace", write_through=True)
    stream.mode = "w"  # type: ignore[misc] # as that of sys.__stdout__
    return stream
