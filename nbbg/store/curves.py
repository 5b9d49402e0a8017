"""Everything that a run has logged, over all its attempts that belong together.

An attempt that resumed (`nbbg.track(resume=True)`) goes on from a saved step; what earlier attempts
logged up to that step is part of the run, what they logged after it is not, for it was done again.
Up to the step means: before `nbbg.saved(step)` was called, or with a `step` that is no larger. A
value that two attempts logged at one step is the later one's. An attempt that started over stands
alone. Text and bools are no curve.
"""

from __future__ import annotations

import json
import math
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from nbbg import files, paths
from nbbg.classes import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_SEPARATOR = b","
_TAIL, _MORE = 4096, 8  # bytes that are read first; times as many, where none was found
PIECE = 1 << 20  # bytes that are read at a time


class Line(NamedTuple):
    """What was logged at once."""

    step: Any
    values: dict[str, Any]
    time: Any  # seconds since the epoch


@dataclass
class _Logged:
    """What one attempt has logged."""

    lines: list[Line] = field(default_factory=list)
    saved: dict[str, int] = field(default_factory=dict)  # step -> how many lines came before
    resumed: bool = False
    resumed_after: Any = None

    def up_to(self, step: Any) -> list[Line]:
        """The lines that were logged before that step was saved, or at a step up to it."""
        before = self.saved.get(_key(step), 0)
        later = (line for line in self.lines[before:] if _is_up_to(line.step, step))
        return [*self.lines[:before], *later]


@dataclass
class Values:
    """The numbers that a run logged of one metric, in order; all lists of one length."""

    steps: list[Any] = field(default_factory=list)  # as logged; None without one
    values: list[float] = field(default_factory=list)
    times: list[Any] = field(default_factory=list)  # seconds since the epoch

    def numbered(self) -> list[float]:
        """The steps as numbers; 0, 1, 2… where any was logged without one, or as text."""
        if all(map(is_number, self.steps)):
            return [number(step) for step in self.steps]
        return [float(position) for position in range(len(self.values))]


def read(attempt: str, names: Collection[str] = ()) -> dict[str, Values]:
    """What a run has logged, by metric.

    Args:
        attempt: the folder of its newest attempt.
        names: the metrics that are wanted; none: all.
    """
    found: dict[str, Values] = {}
    for step, values, at in _lines(attempt, names):
        for name, value in values.items():
            if is_number(value):
                of_name = found.setdefault(name, Values())
                of_name.steps.append(step)
                of_name.values.append(number(value))
                of_name.times.append(at)
    return found


def last(attempt: str, name: str, count: int) -> list[float]:
    """The last values of a metric, at most so many, of an attempt that did not resume.

    The file is read from its end, and no further than need be.
    """
    found: list[float] = []
    try:
        with open(os.path.join(attempt, paths.METRICS), "rb") as file:
            start = end = file.seek(0, os.SEEK_END)
            size = _TAIL
            while start > 0 and len(found) < count and size <= PIECE:
                start = file.seek(max(0, end - size))
                found = _numbers(file.read(end - start), name, whole=start == 0)
                size *= math.ceil(1.2 * count / len(found)) if found else _MORE
    except OSError:
        return []
    if start > 0 and len(found) < count:  # rare: it lies far back
        found = read(attempt, (name,)).get(name, Values()).values
    return found[-count:]


def _numbers(data: bytes, name: str, *, whole: bool) -> list[float]:
    """Those of one metric in the end of a file, or in the `whole` of it."""
    start = 0 if whole else data.find(b"\n") + 1
    lines = _parsed(data[start : data.rfind(b"\n") + 1], (name,))
    named = (one.values[name] for one in lines if isinstance(one, Line) and name in one.values)
    return [number(value) for value in named if is_number(value)]


def earlier(attempt: str, step: Any, names: Collection[str] = ()) -> list[Line]:
    """What the attempts before logged up to a step that this one goes on from."""
    run, name = os.path.split(attempt.rstrip("/"))
    parts: list[list[Line]] = []
    for before in range(int(name) - 1 if name.isdigit() else 0, 0, -1):
        logged = _read(os.path.join(run, str(before)), names)
        parts.append(logged.up_to(step))
        if logged.resumed:
            step = logged.resumed_after
        elif _key(step) in logged.saved:
            break  # it began at the beginning
    found: list[Line] = []
    for part in reversed(parts):
        found = [*_without(found, part), *part]
    return found


def _lines(attempt: str, names: Collection[str]) -> list[Line]:
    logged = _read(attempt, names)
    if not logged.resumed:
        return logged.lines
    before = earlier(attempt, logged.resumed_after, names)
    return [*_without(before, logged.lines), *logged.lines]


def _without(older: list[Line], newer: list[Line]) -> Iterator[Line]:
    """The older lines without what the newer ones logged anew at the same step."""
    stepped = [line for line in newer if line.step is not None]
    anew = {(name, _key(line.step)) for line in stepped for name in line.values}
    for step, values, at in older:
        key = _key(step)
        yield Line(step, {n: value for n, value in values.items() if (n, key) not in anew}, at)


def _read(attempt: str, names: Collection[str] = ()) -> _Logged:
    """What an attempt has logged; of these metrics alone where any are named."""
    logged = _Logged()
    for data in _pieces(attempt):
        for line in _parsed(data, names):
            if isinstance(line, Line):
                logged.lines.append(line)
            elif "saved" in line:
                logged.saved[_key(line["saved"])] = len(logged.lines)
            elif "resumed_after" in line:
                logged.resumed, logged.resumed_after = True, line["resumed_after"]
    return logged


def _pieces(attempt: str) -> Iterator[bytes]:
    """The whole lines, so many at a time."""
    try:
        with open(os.path.join(attempt, paths.METRICS), "rb") as file:
            while lines := file.readlines(PIECE):
                data = b"".join(lines)
                yield data[: data.rfind(b"\n") + 1]
    except OSError:
        return


def _parsed(data: bytes, names: Collection[str]) -> Iterator[Line | dict[str, Any]]:
    """What was logged, of these metrics alone where any are named; other lines as they are."""
    for line in read_lines(data):
        if isinstance(values := line.get("values"), dict):
            some = {n: values[n] for n in names if n in values} if names else values
            if some:
                yield Line(line.get("step"), some, line.get("time"))
        else:
            yield line


def read_lines(data: bytes) -> list[dict[str, Any]]:
    """As `files.read_lines`, in one go where no line is torn or foreign, which is twice as fast."""
    try:
        found = json.loads(b"[%b]" % _SEPARATOR.join(data.splitlines()))
    except (ValueError, RecursionError):
        return list(files.read_lines(data))
    return [line for line in found if isinstance(line, dict)]


def _key(step: Any) -> str:
    return json.dumps(step)


def _is_up_to(step: Any, last: Any) -> bool:
    return is_number(step) and is_number(last) and bool(step <= last)


def is_number(value: Any) -> bool:
    """Whether it is a number, finite or not; a bool is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def number(value: float) -> float:
    """The number as a float; infinite where it is too large for one."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
