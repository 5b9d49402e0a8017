"""What a run has logged, read on from where it was read before: each line is parsed once."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any

from nbbg import model, paths
from nbbg.classes import dataclass, field
from nbbg.store import curves

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbbg.files import Folder

_NONE = model.Span(0, None, None, None, None, None)


@dataclass
class Metrics:
    """The metrics of one attempt as far as they were read.

    Of one that resumed, `values` has also what only the attempts before it logged, up to the step
    that it went on from; and `spans` is empty, for what was logged anew must not count twice: ask
    `nbbg.store.curves`.
    """

    values: dict[str, Any] = field(default_factory=dict)  # the last value of each name
    spans: dict[str, model.Span] = field(default_factory=dict)
    resumed_after: Any = None  # the saved step that the attempt went on from
    _resumed: bool = False
    _read: int = 0  # bytes

    def read_on(self, attempt: Folder) -> None:
        """Take in the whole lines that were added since."""
        for data in self._pieces(attempt):
            for line in curves.read_lines(data):
                if "resumed_after" in line:
                    self._resume(attempt.where(), line["resumed_after"])
                if isinstance(line.get("values"), dict):
                    self._take(line.get("step"), line["values"])

    def _pieces(self, attempt: Folder) -> Iterator[bytes]:
        try:
            fd = attempt.open(paths.METRICS, os.O_RDONLY)
        except FileNotFoundError:
            return
        with os.fdopen(fd, "rb") as file:
            file.seek(self._read)
            while data := file.readlines(curves.PIECE):
                if not data[-1].endswith(b"\n"):  # torn, or still being written
                    data.pop()
                whole = b"".join(data)
                if not whole:
                    return
                self._read += len(whole)
                yield whole

    def _resume(self, attempt: str, step: Any) -> None:
        before: dict[str, Any] = {}
        for line in curves.earlier(attempt, step):
            before.update(line.values)
        self.values = {**before, **self.values}
        self.resumed_after, self._resumed = step, True
        self.spans.clear()

    def _take(self, step: Any, values: dict[str, Any]) -> None:
        self.values.update(values)
        if self._resumed:
            return
        for name, value in values.items():
            if curves.is_number(value):
                self.spans[name] = wider(self.spans.get(name), step, curves.number(value))


def spans(attempt: str) -> dict[str, model.Span]:
    """How far each curve of a run goes, over the attempts that belong together."""
    found: dict[str, model.Span] = {}
    for name, logged in curves.read(attempt).items():
        for step, value in zip(logged.steps, logged.values, strict=True):
            found[name] = wider(found.get(name), step, value)
    return found


def wider(span: model.Span | None, step: Any, value: float) -> model.Span:
    """The span with one more value, or of that alone."""
    logged, _, low, low_step, high, high_step = span or _NONE
    if math.isfinite(value):
        if low is None or value < low:
            low, low_step = value, step
        if high is None or value > high:
            high, high_step = value, step
    return model.Span(logged + 1, step, low, low_step, high, high_step)
