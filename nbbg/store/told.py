"""What a journal tells of the cells, read line by line in one pass, so that it may be long.

A line that is torn, or that is no event, costs itself alone and is counted. A line longer than
what a cell may hold is never held as a whole: what a display was is found in its ends.
"""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any, BinaryIO

from nbbg import files, holes, paths
from nbbg.classes import dataclass
from nbbg.store.kept import Budget, Shown, replace
from nbbg.store.outputs import Outputs

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, Any]
_LEAST_LINE = 1 << 20  # bytes of a line that is read as it is, whatever the cap
_ENDS = 1 << 16  # bytes of a longer line that are looked at, at both ends
_MIME = re.compile(rb'(?<!\\)"(\w+/[\w.+-]+)":')
_PLAIN = re.compile(rb'(?<!\\)"text/plain":("(?:[^"\\]|\\.)*")')
_DISPLAY_ID = re.compile(rb'"display_id":("(?:[^"\\]|\\.)*")')
_ERROR = re.compile(rb'"output_type":"error","ename":("(?:[^"\\]|\\.)*")')
_OFFSET = re.compile(rb'"log":(\d+)\}?\s*\Z')
BROKEN = (
    *(KeyError, TypeError, ValueError, IndexError, AttributeError),
    *(RecursionError, OverflowError),
)


@dataclass
class Cell:
    """What is known of one cell."""

    index: int
    count: int | None
    began_at: float
    outputs: Outputs
    ended_at: float | None = None
    status: str = ""  # "ok" or "error" when it has ended


class Log:
    """The log of an attempt; empty where there is none."""

    def __init__(self, folder: files.Folder) -> None:
        try:
            self._fd = folder.open(paths.LOG, os.O_RDONLY)
        except FileNotFoundError:
            self._fd = -1
        self.had_bytes = self.size() > 0
        self._start, self._block = 0, b""

    @property
    def missing(self) -> bool:
        """Whether there is none."""
        return self._fd < 0

    def size(self) -> int:
        """Its bytes now."""
        return 0 if self.missing else os.fstat(self._fd).st_size

    def read(self, start: int, end: int) -> Iterator[bytes | int]:
        """Its bytes from `start` to `end`, or how many were freed; fewer where it is shorter."""
        if self.missing:
            return
        while start < end:
            at = start - self._start
            if not 0 <= at < len(self._block):
                piece = next(holes.read(self._fd, start, max(end, start + _ENDS)), b"")
                if isinstance(piece, int):
                    yield min(piece, end - start)
                    start += piece
                    continue
                self._start, self._block, at = start, piece, 0
            found = self._block[at : at + end - start]
            if not found:
                return
            yield found
            start += len(found)

    def close(self) -> None:
        """Close it."""
        if not self.missing:
            os.close(self._fd)


class Told:
    """The cells as journal and log tell them.

    Args:
        log: of the attempt.
        budget: how much of their outputs is kept.
        code: for each cell of the notebook, whether it is a code cell.
    """

    def __init__(self, log: Log, budget: Budget, code: list[bool]) -> None:
        self._log, self._budget, self._code = log, budget, code
        self._shown: dict[str, Shown] = {}
        self.cells: dict[int, Cell] = {}
        self.skipped: set[int] = set()
        self._last: Cell | None = None
        self.torn = 0
        self.missing = False
        self.trimmed = False

    def read(self, folder: files.Folder) -> None:
        """Read the whole journal, and of the log what it names."""
        try:
            fd = folder.open(paths.CELLS, os.O_RDONLY)
        except FileNotFoundError:
            self.missing = True
            return
        limit = max(_LEAST_LINE, self._budget.cell)
        with os.fdopen(fd, "rb", buffering=1 << 18) as file:
            self.trimmed = holes.before(fd, 0) < os.fstat(fd).st_size
            for line, size in _lines(file, limit):
                try:
                    self._event(json.loads(line), size) if size <= limit else self._long(line, size)
                except BROKEN:
                    self.torn += line.endswith(b"\n")
        if self._last:
            self._last.outputs.end(self._log.size())

    def _event(self, event: Json, size: int) -> None:
        """One line of the journal; kinds that are not known here change nothing."""
        match event.get("event"):
            case "cell":
                self._begin(event)
            case "cell_end":
                self._end(event)
            case "stream" if self._last:
                start, end = map(int, event["log"])
                self._last.outputs.text(_stream_name(event["name"]), start, end)
            case "display" if self._last:
                self._display(event, size)
            case "update":
                self._update(event["display_id"], _content(event), size)
            case "clear" if self._last:
                self._last.outputs.clear(int(event["log"]), wait=bool(event["wait"]))

    def _begin(self, event: Json) -> None:
        index, at = int(event["cell"]), int(event["log"])
        if index < 0 or not self._code[index]:
            raise ValueError
        outputs = Outputs(self._log, at, self._budget)
        count = event["count"] if isinstance(event["count"], int) else None
        cell = Cell(index, count, float(event["time"]), outputs)
        if self._last:
            self._last.outputs.end(at)
        self.cells[index] = self._last = cell

    def _end(self, event: Json) -> None:
        if event["status"] == "skipped":
            self.skipped.add(int(event["cell"]))
        elif self._last:
            self._last.status, self._last.ended_at = event["status"], float(event["time"])

    def _display(self, event: Json, size: int) -> None:
        output = whole(event["output"])
        shown = None
        if output["output_type"] != "error":
            content = Shown(output.pop("data"), output.pop("metadata"))
            shown = self._under(event.get("display_id"), content)
        if self._last:
            self._last.outputs.display(int(event["log"]), output, shown, size)

    def _under(self, display_id: Any, shown: Shown) -> Shown:
        """What is shown under an id shows in every place of that id."""
        if not isinstance(display_id, str):
            return shown
        known = self._shown.setdefault(display_id, shown)
        known.data, known.metadata = shown.data, shown.metadata
        return known

    def _update(self, display_id: Any, content: Shown, size: int) -> None:
        if display_id in self._shown:
            if size > self._budget.cell:
                replace(content, size, self._budget)
            self._under(display_id, content)

    def _long(self, line: bytes, size: int) -> None:
        """A line that was not read as a whole: its two ends."""
        head = line[:_ENDS]
        found = {kind.decode(): "" for kind in _MIME.findall(line)}
        if plain := _PLAIN.search(line):
            found["text/plain"] = json.loads(plain[1])
        content = Shown(found, {})
        name = _DISPLAY_ID.search(line[-_ENDS:]) or _DISPLAY_ID.search(head)
        display_id = json.loads(name[1]) if name else None
        if head.startswith(b'{"event":"update"'):
            self._update(display_id, content, size)
        elif head.startswith(b'{"event":"display"') and self._last:
            at = _OFFSET.search(line)
            where = int(at[1]) if at else 0
            if error := _ERROR.search(head):
                output = {"output_type": "error", "ename": json.loads(error[1]), "evalue": ""}
                self._last.outputs.display(where, output, None, size)
                return
            shown = self._under(display_id, content)
            self._last.outputs.display(where, {"output_type": "display_data"}, shown, size)


def _lines(file: BinaryIO, limit: int) -> Iterator[tuple[bytes, int]]:
    """Each line and its size; of one longer than `limit` its two ends alone."""
    pieces = holes.lines(file, limit + 1)
    for line in pieces:
        size = len(line)
        if size <= limit or line.endswith(b"\n"):
            yield line, size
            continue
        head, tail = line[:_ENDS], line[-_ENDS:]
        while not tail.endswith(b"\n") and (more := next(pieces, b"")):
            size += len(more)
            tail = (tail + more[-_ENDS:])[-_ENDS:]
        yield head + tail, size


def whole(output: Json) -> Json:
    """An output that nbformat takes: each field of its kind, and no other kind.

    Raises:
        ValueError, KeyError: it is none.
    """
    kind = output["output_type"]
    if kind == "error":
        lines = [str(line) for line in output["traceback"]]
        return {
            "output_type": kind,
            "ename": str(output["ename"]),
            "evalue": str(output["evalue"]),
            "traceback": lines,
        }
    if kind not in ("display_data", "execute_result"):
        raise ValueError(kind)
    content = _content(output)
    found = {"output_type": kind, "data": content.data, "metadata": content.metadata}
    if kind == "execute_result":
        count = output.get("execution_count")
        found["execution_count"] = count if isinstance(count, int) else None
    return found


def _content(event: Json) -> Shown:
    data = {
        kind: value if _is_json(kind) or _is_text(value) else str(value)
        for kind, value in event["data"].items()
    }
    metadata = event.get("metadata")
    return Shown(data, metadata if isinstance(metadata, dict) else {})


def _is_json(kind: str) -> bool:
    return kind == "application/json" or kind.endswith("+json")


def _is_text(value: Any) -> bool:
    if isinstance(value, list):
        return all(isinstance(line, str) for line in value)
    return isinstance(value, str)


def _stream_name(name: Any) -> str:
    if not isinstance(name, str) or not name:
        raise ValueError(name)
    return name
