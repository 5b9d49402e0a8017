"""How much of what a notebook shows is kept in it: the output cap, and the notice of what is not.

Of a cell's text the beginning and the end are kept, each half of the cap. A display larger than
the cap is replaced by its text. All cells together have ten times the cap of one; where that is
used up, each further cell has a hundredth of its own. What is left out is still in the record.
"""

from __future__ import annotations

import sys
from collections import deque
from typing import TYPE_CHECKING, Any

from nbbg import logs
from nbbg.classes import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Json = dict[str, Any]
CAP = 10_000_000  # bytes of a cell, where nobody says otherwise
_ALL = 10  # times the cap, for all cells together
_LEAST = 100  # a cell's part of its cap, where all together have used up theirs
_PIECE = 1 << 16  # characters that are kept or left out at once
_OVERHEAD = 200  # bytes that each output costs, in a file and in memory, besides its content
_SHORT = 1000  # characters of a large display's text
_REPLACED = 100  # displays of a cell that are replaced one by one; of the others, their number


@dataclass
class Budget:
    """What may be kept, and what is.

    Args:
        run: its id, for what is to be typed.
        cell: bytes of one cell; 0: no limit.
    """

    run: int
    cell: int = CAP
    used: int = 0

    def __post_init__(self) -> None:
        self.cell = self.cell or sys.maxsize // _ALL

    def of_a_cell(self) -> int:
        """Bytes of text that the next cell may have."""
        return min(self.cell, max(self.left, self.cell // _LEAST))

    @property
    def left(self) -> int:
        """Bytes that are left for all cells to come."""
        return self.cell * _ALL - self.used

    def of_text(self, size: int, *, freed: bool) -> str:
        """The line that stands for text; `freed`: some of it is not in the log any more."""
        all_of_it = "what is left of it" if freed else "all of it"
        return f"[nbbg: {logs.megabytes(size)} left out here; {all_of_it}: nbbg logs {self.run}]"

    def of_displays(self, what: str) -> str:
        """The line that stands for displays."""
        return f"[nbbg: {what} left out here; all of it: nbbg notebook {self.run} --output-cap 0]"


@dataclass
class Shown:
    """The content of a display; those of one display_id share it."""

    data: Json
    metadata: Json


@dataclass
class Entry:
    """A piece of text of a stream, or a display."""

    name: str  # of the stream; empty for a display
    text: str = ""
    shown: Shown | None = None
    output: Json = field(default_factory=dict)  # of a display, all but what is shown
    size: int = 0
    gone: bool = False


class Kept:
    """The outputs of one cell that are kept, in their order."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._half = max(1, budget.of_a_cell() // 2)
        self._begin()

    def _begin(self) -> None:
        self._order: list[Entry] = []
        self._begun = 0  # bytes of text at the beginning
        self._gap: Entry | None = None
        self._end: deque[Entry] = deque()
        self._end_size = self._gone = self._left_out = 0
        self._replaced = self._unkept = 0
        self._freed = False

    @property
    def full(self) -> bool:
        """Whether of what comes now only the end will be kept."""
        return self._left_out > 0

    def clear(self) -> None:
        """Forget everything."""
        self._budget.used -= sum(entry.size for entry in self._order)
        self._begin()

    def text(self, name: str, text: str) -> Entry:
        """Add text of a stream; the entry that its end is in, which may be taken back."""
        piece = max(1, min(_PIECE, self._half // 16))
        start = 0
        while len(text) - start > piece:
            end = text.rfind("\n", start, start + piece) + 1 or start + piece
            self._add(Entry(name, text[start:end]))
            start = end
        return self._add(Entry(name, text[start:] if start else text))

    def take_back(self, entry: Entry) -> None:
        """Forget a piece of text, unless it was left out already."""
        entry.text = ""

    def skip(self, name: str, size: int, *, freed: bool = False) -> None:
        """Leave text out that was not even read; `freed`: it is not in the log any more."""
        self._open_gap(name)
        self._left_out += size
        self._freed |= freed

    def display(self, output: Json, shown: Shown | None, size: int) -> None:
        """Add a display; a large one is replaced.

        Args:
            output: all of it but what is shown; of an error, all of it.
            shown: what is shown, which an update replaces.
            size: its bytes.
        """
        if size > min(self._budget.cell, self._budget.left):
            self._replaced += 1
            if self._replaced > _REPLACED:
                self._unkept += 1
                return
            if shown is None:
                output = shorter_error(output, size, self._budget)
            else:
                replace(shown, size, self._budget)
            size = 2 * _SHORT
        entry = Entry("", shown=shown, output=output, size=size + _OVERHEAD)
        self._budget.used += entry.size
        self._order.append(entry)

    def outputs(self) -> Iterator[Json]:
        """The outputs as nbformat has them, texts of a stream that follow each other as one."""
        name, texts = "", list[str]()
        for entry in self._all():
            if entry.name and not entry.text:
                continue  # taken back
            if texts and entry.name != name:
                yield _stream(name, texts)
                texts = []
            if entry.shown is not None:
                name = ""
                shown = entry.shown
                yield {**entry.output, "data": shown.data, "metadata": shown.metadata}
            elif entry.output:
                name = ""
                yield entry.output
            else:
                name = entry.name
                texts.append(entry.text)
        if texts:
            yield _stream(name, texts)

    def _all(self) -> Iterator[Entry]:
        for entry in self._order:
            if entry is self._gap:
                if self._left_out:
                    before = "" if self._ends_a_line() else "\n"
                    notice = self._budget.of_text(self._left_out, freed=self._freed)
                    entry.text = f"{before}{notice}\n"
                    yield entry
            elif not entry.gone:
                yield entry
        if self._unkept:
            notice = self._budget.of_displays(f"{self._unkept} more displays are")
            yield Entry("stderr", f"{notice}\n")

    def _ends_a_line(self) -> bool:
        last = ""
        for entry in self._order:
            if entry is self._gap:
                break
            last = entry.text or last
        return not last or last.endswith("\n")

    def _add(self, entry: Entry) -> Entry:
        begins = not self._order or self._order[-1].name != entry.name
        size = entry.size = len(entry.text) + _OVERHEAD * begins
        if self._gap is None and self._begun + size <= self._half:
            self._begun += size
        else:
            self._open_gap(entry.name)
            self._end.append(entry)
            self._end_size += size
        self._order.append(entry)
        self._budget.used += size
        while self._end_size > self._half and len(self._end) > 1:
            self._leave_out(self._end.popleft())
        return entry

    def _open_gap(self, name: str) -> None:
        if self._gap is None:
            self._gap = Entry(name)
            self._order.append(self._gap)

    def _leave_out(self, entry: Entry) -> None:
        self._end_size -= entry.size
        self._budget.used -= entry.size
        self._left_out += len(entry.text)
        entry.text, entry.size, entry.gone = "", 0, True
        self._gone += 1
        if self._gone > len(self._order) // 2:
            self._order = [entry for entry in self._order if not entry.gone]
            self._gone = 0


def replace(shown: Shown, size: int, budget: Budget) -> None:
    """Put a display's text, and the notice of what it was, in its place."""
    text = _short(as_text(shown.data.get("text/plain", "")))
    kinds = ", ".join(kind for kind in shown.data if kind != "text/plain") or "text/plain"
    notice = budget.of_displays(f"{kinds}, {logs.megabytes(size)},")
    shown.data = {"text/plain": f"{text}\n{notice}" if text else notice}
    shown.metadata = {}


def shorter_error(output: Json, size: int, budget: Budget) -> Json:
    """An error without its traceback."""
    notice = budget.of_displays(f"a traceback, {logs.megabytes(size)},")
    return {**output, "evalue": _short(output["evalue"]), "traceback": [notice]}


def _short(text: str) -> str:
    return text if len(text) <= _SHORT else f"{text[:_SHORT]}..."


def as_text(value: object) -> str:
    """A text of a MIME bundle, which nbformat allows to be a list of lines."""
    if isinstance(value, list):
        return "".join(map(str, value))
    return value if isinstance(value, str) else str(value)


def cap_of(facts: Mapping[str, Any]) -> int:
    """The cap that a batch was launched with."""
    cap = facts.get("output_cap", CAP)
    return cap if isinstance(cap, int) and cap >= 0 else CAP


def _stream(name: str, texts: list[str]) -> Json:
    return {"output_type": "stream", "name": name, "text": "".join(texts)}
