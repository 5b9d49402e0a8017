"""sys.stdout and sys.stderr of the notebook: into the log at once, without a buffer or a pipe.

Each has an append-mode handle of its own. After a write the handle's position is the end of what
was written, so the byte range of stderr is exact also beside a child that floods the same log.
Standard output needs no range: it is what no range names.
"""

from __future__ import annotations

import contextlib
import io
import os
import threading
from typing import TYPE_CHECKING, Any

from nbbg import files, paths

if TYPE_CHECKING:
    from nbbg.engines.ipython.hidden import Hidden
    from nbbg.journal import Journal

OUT, ERR = 1, 2
_NAMES = {OUT: "stdout", ERR: "stderr"}


class LogWriter(io.RawIOBase):
    """The binary layer of one stream; what lies above it is Python's own text layer.

    Args:
        handle: append-mode descriptor of the log, of this stream alone.
        number: the file descriptor that the stream stands for, 1 or 2.
        hidden: the secrets to mask.
        journal: where to name the range of each write; None for standard output.
        echo: whether to write to the file descriptor too, for someone who watches.
    """

    def __init__(
        self,
        handle: int,
        number: int,
        hidden: Hidden,
        journal: Journal | None = None,
        *,
        echo: bool = False,
    ) -> None:
        self.name = f"<{_NAMES[number]}>"
        self.mode = "wb"
        self.echo = echo
        self._handle = handle
        self._number = number
        self._hidden = hidden
        self._journal = journal
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
        given = bytes(memoryview(data))
        shown = self._hidden.in_bytes(given)
        with contextlib.suppress(OSError):
            self._append(shown)
        if self.echo:
            with contextlib.suppress(OSError):
                files.write_all(self._number, shown)
        return len(given)

    def in_forked_child(self) -> None:
        """Write to the plain file descriptor: the journal is the parent's."""
        self._handle, self._journal, self.echo = self._number, None, False
        self._lock = threading.RLock()  # another thread may have held it at the fork

    def release(self) -> None:
        """Give up the handle: what is still written, by a thread left over, goes nowhere."""
        handle, self._handle = self._handle, -1
        os.close(handle)

    def _append(self, data: bytes) -> None:
        if self._journal is None:
            files.write_all(self._handle, data)
            return
        view = memoryview(data)
        with self._lock:
            while view:
                written = os.write(self._handle, view)
                end = os.lseek(self._handle, 0, os.SEEK_CUR)
                self._journal.write("stream", name="stderr", log=[end - written, end])
                view = view[written:]


class Streams:
    """The two text streams of an attempt."""

    def __init__(
        self, folder: files.Folder, hidden: Hidden, journal: Journal, *, echo: bool = False
    ) -> None:
        self.writers = [
            LogWriter(_open_log(folder), OUT, hidden, echo=echo),
            LogWriter(_open_log(folder), ERR, hidden, journal, echo=echo),
        ]
        self.out, self.err = map(_text, self.writers)

    def close(self) -> None:
        """Close the log."""
        for writer in self.writers:
            writer.release()

    def in_forked_child(self) -> None:
        """Both, plainly."""
        for writer in self.writers:
            writer.in_forked_child()


def _open_log(folder: files.Folder) -> int:
    return folder.open(paths.LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def _text(writer: LogWriter) -> io.TextIOWrapper:
    # A character that UTF-8 can't hold is no reason to end a run: it is escaped.
    stream = io.TextIOWrapper(writer, "utf-8", "backslashreplace", write_through=True)
    stream.mode = "w"  # type: ignore[misc] # as that of sys.__stdout__
    return stream
