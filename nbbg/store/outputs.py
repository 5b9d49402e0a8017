"""The outputs of one cell in the making: text of its two streams, displays, and what clears them.

Text passes a screen on its way, so that a progress bar is its last state, also where the other
stream, or a display, came in between: what a bar had left open is taken back when it is drawn anew.
"""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING, Any, Protocol

from nbbg import screen, secrets
from nbbg.store.kept import Entry, Kept, Shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nbbg.store.kept import Budget

Json = dict[str, Any]
_BLOCK = 1 << 20
_SKIP = 4  # times what is kept: so much is read of the end of what is too long


class Reads(Protocol):
    """A log that can be read anywhere."""

    def read(self, start: int, end: int) -> Iterator[bytes | int]:
        """Its bytes from `start` to `end`, or how many were freed; fewer where it is shorter."""


class _Stream:
    """One stream of a cell: its decoder, its screen, and the lines that it has left open."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.screen = screen.Screen()
        self.open: Entry | None = None


class Outputs:
    """What one cell shows.

    Args:
        log: of the attempt.
        start: where in it the cell began.
        budget: how much of it is kept.
    """

    def __init__(self, log: Reads, start: int, budget: Budget) -> None:
        self._log = log
        self._at = start
        self._kept = Kept(budget)
        self._budget = budget
        self._streams: dict[str, _Stream] = {}
        self._current: _Stream | None = None
        self._waiting: tuple[str, int, int] | None = None  # a range that may go on
        self._clear_at_next = False

    def text(self, name: str, start: int, end: int) -> None:
        """A range of the log that belongs to a stream; what was before it is standard output."""
        self.text_until(start)
        start = max(start, self._at)
        if start < end:
            self._range(name, start, end)
            self._at = end

    def text_until(self, end: int) -> None:
        """What nobody has named up to there is standard output."""
        if self._at < end:
            self._range("stdout", self._at, end)
            self._at = end

    def display(self, at: int, output: Json, shown: Shown | None, size: int) -> None:
        """A display, or an error, that stands there in the log; see `Kept.display`."""
        self.text_until(at)
        self._pause()
        self._clear_if_due()
        self._kept.display(output, shown, size)

    def clear(self, at: int, *, wait: bool) -> None:
        """`clear_output`."""
        self.text_until(at)
        self._pause()
        if wait:
            self._clear_at_next = True
        else:
            self._clear()

    def end(self, at: int) -> None:
        """Nothing more comes."""
        self.text_until(at)
        self._pause()

    def finished(self, hidden: Sequence[str]) -> list[Json]:
        """The outputs, without secrets."""
        outputs = list(self._kept.outputs())
        for output in outputs:
            if output["output_type"] == "stream":
                output["text"] = secrets.mask(output["text"], hidden)
        return outputs

    def _range(self, name: str, start: int, end: int) -> None:
        """Put off what the next event may go on with: a bar is many ranges that touch."""
        if self._waiting and self._waiting[0] == name and self._waiting[2] == start:
            self._waiting = name, self._waiting[1], end
        else:
            self._read()
            self._waiting = name, start, end
        if end - self._waiting[1] > _BLOCK:
            self._read()

    def _read(self) -> None:
        """Take in the range that was put off."""
        if self._waiting is None:
            return
        name, start, end = self._waiting
        self._waiting = None
        while start < end:
            piece = next(iter(self._log.read(start, end)), b"")
            if not piece:
                return
            start += self._take_in(name, piece)
            rest = self._worth_reading(end)
            if start < rest:
                self._kept.skip(name, rest - start)
                start = rest

    def _worth_reading(self, end: int) -> int:
        """Where to read on: of what is too long, the end alone is kept."""
        return end - _SKIP * self._budget.of_a_cell() if self._kept.full else 0

    def _take_in(self, name: str, piece: bytes | int) -> int:
        """Text, or so much that was freed in the middle of a long log; how long it was."""
        if isinstance(piece, bytes):
            self._take(name, piece)
            return len(piece)
        self._leave()
        self._kept.skip(name, piece, freed=True)
        return piece

    def _take(self, name: str, data: bytes) -> None:
        if not data:
            return
        self._clear_if_due()
        stream = self._streams.setdefault(name, _Stream(name))
        if stream is not self._current:
            self._leave()
            self._go_on(stream, data)
            self._current = stream
        if settled := stream.screen.feed(stream.decoder.decode(data)):
            self._kept.text(name, settled)

    def _go_on(self, stream: _Stream, data: bytes) -> None:
        """Take back what the stream had left open, or leave it as it is."""
        if stream.open is None:
            return
        if stream.decoder.getstate()[0]:
            if 0x80 <= data[0] < 0xC0:  # noqa: PLR2004 - the rest of a character
                stream.open.text = stream.open.text.removesuffix("\ufffd")
            else:
                stream.decoder.reset()
        if screen.begins_with_a_move(data):
            self._kept.take_back(stream.open)
        else:
            stream.screen.clear()
        stream.open = None

    def _leave(self) -> None:
        """Something else comes in between: show what the stream has on its screen."""
        stream, self._current = self._current, None
        if stream is None:
            return
        if settled := stream.screen.settle():
            self._kept.text(stream.name, settled)
        rest = stream.screen.rest() + ("\ufffd" if stream.decoder.getstate()[0] else "")
        if rest:
            stream.open = self._kept.text(stream.name, rest)

    def _pause(self) -> None:
        self._read()
        self._leave()

    def _clear_if_due(self) -> None:
        if self._clear_at_next:
            self._clear_at_next = False
            self._clear()

    def _clear(self) -> None:
        self._kept.clear()
        self._streams.clear()
        self._current = None
