"""How an attempt ended: from its journal, its wait status and what somebody asked; and as JSON.

Pure functions, but for `at`. Nothing defaults to success: without an `end` in the journal nothing
succeeded.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from nbbg import journal, model, paths
from nbbg.classes import asdict, dataclass, fields, replace
from nbbg.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbbg.files import Folder

_BY_WORD: dict[str, type[model.Ended]] = {
    kind.word: kind
    for kind in (
        model.Succeeded,
        model.Failed,
        model.Exited,
        model.Killed,
        model.TimedOut,
        model.Stopped,
    )
}


_TYPES: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("note", "by", "signal", "what"), str),
    "code": int,
    "limit": (int, float),
    "left_out": (list, tuple),
}


@dataclass(frozen=True)
class Circumstances:
    """What is known beside the journal's end."""

    stopped_by: str = ""  # who asked, empty where nobody did
    stopped_at: float = 0.0  # seconds since the epoch
    heard: bool = True  # whether the notebook can have noticed before its end
    cell: int | None = None  # the last one that began
    out_of_memory: bool = False
    limit: model.TimedOut | None = None  # of time, that was over
    limit_at: float = 0.0  # seconds since the epoch
    why: str = ""  # of an engine that ended before it could begin: what it said last

    def asked(self, when: float, *, noticed: bool) -> model.Stopped | model.TimedOut | None:
        """Who ended what ended at `when`: a person or a limit, whoever came first.

        Args:
            when: seconds since the epoch.
            noticed: whether its end shows by itself that it was asked for.
        """
        stopped = bool(self.stopped_by) and self.stopped_at <= when and (noticed or self.heard)
        limit = self.limit if self.limit_at <= when else None
        if limit and not (stopped and self.stopped_at <= self.limit_at):
            return limit
        return model.Stopped(self.stopped_by, self.cell) if stopped else None


def from_journal(end: Mapping[str, Any], around: Circumstances, note: str = "") -> model.Ended:
    """The ending that the journal's `end` event tells."""
    if dropped := end.get("dropped", 0) + end.get("lost", 0):
        lost = f"the disk was full: {dropped} pieces of output were lost"
        note = f"{note}; {lost}" if note else lost
    cell = end.get("ordinal")
    left_out = tuple(end.get("left_out") or ())
    status = end.get("status")
    if asked := around.asked(end.get("time", 0.0), noticed=status != "succeeded"):
        # Also where every cell came to its end: a loop that heard of it was left early.
        where = cell if isinstance(asked, model.Stopped) else asked.cell
        return replace(asked, cell=where, note=note)
    if status == "succeeded":
        return model.Succeeded(note="; ".join(part for part in (_passed_over(end), note) if part))
    if status == "exited" and end.get("exit_code") == 0:
        return model.Succeeded(left_out, note)
    error = end.get("error") or {}
    name, value = str(error.get("name", "")), str(error.get("value", ""))
    if status == "exited":  # where it raised a SystemExit with a text, that is why
        notes = "; ".join(part for part in (value, note) if part)
        return model.Exited(int(end.get("exit_code", 1)), cell, notes)
    if status == "killed":
        return model.Killed(str(end.get("signal")), cell, around.out_of_memory)
    notes = "; ".join(part for part in (str(end.get("note") or ""), note) if part)
    if cell:
        return model.Failed(model.CellError(cell, name, value), notes)
    return model.Failed(None, notes or value)


def from_wait(status: int, around: Circumstances) -> model.Ended:
    """The ending of an engine that wrote no end, by its wait status."""
    if asked := around.asked(math.inf, noticed=True):
        return asked
    if status < 0:
        return model.Killed(_signal_name(-status), around.cell, around.out_of_memory)
    return model.Exited(status, around.cell, around.why or "without reaching the notebook's end")


def decide(end: Mapping[str, Any] | None, status: int, around: Circumstances) -> model.Ended:
    """The ending, for a runner that saw its engine end with `status` (negative: a signal)."""
    if end is None:
        return from_wait(status, around)
    ending = from_journal(end, around)
    if end.get("status") != "succeeded" or status == 0 or not isinstance(ending, model.Succeeded):
        return ending
    how = _signal_name(-status) if status < 0 else f"exit code {status}"
    return from_journal(end, around, f"{how} after its last cell")


def _signal_name(number: int) -> str:
    from nbbg import process  # for runners alone

    return process.signal_name(number)


def _passed_over(end: Mapping[str, Any]) -> str:
    """Which cells raised while errors were allowed."""
    cells = ", ".join(str(cell) for cell in end.get("raised") or ())
    return f"errors allowed, and raised in cells: {cells}" if cells else ""


def to_json(state: model.Ended | model.Lost) -> dict[str, Any]:
    """The fields of `result.json` that tell the ending."""
    return {"state": state.word, **asdict(state)}


def from_json(record: Mapping[str, Any]) -> model.Ended:
    """The ending that `result.json` tells.

    Raises:
        StoreError: it names no ending that this nbbg knows, or tells it in a wrong form.
    """
    kind = _BY_WORD.get(str(record.get("state")))
    if kind is None:
        message = f"no ending that this nbbg knows: {record.get('state')!r}"
        raise StoreError(message)
    names = {field.name for field in fields(kind)}
    values = {name: value for name, value in record.items() if name in names}
    _check(values)
    try:
        if values.get("error") is not None:
            values["error"] = _error(values["error"])
        if isinstance(values.get("left_out"), list):
            values["left_out"] = tuple(values["left_out"])
        return kind(**values)
    except (TypeError, KeyError) as error:
        raise StoreError(str(error)) from error


def _error(record: Mapping[str, Any]) -> model.CellError:
    return model.CellError(record["cell"], str(record["name"]), str(record["value"]))


def at(attempt: Folder, result: Mapping[str, Any]) -> float | None:
    """When an attempt ended, seconds since the epoch; by its journal where its runner was killed.

    Args:
        attempt: its folder.
        result: what `result.json` holds; empty where there is none.
    """
    end = result or journal.find_last(attempt, paths.CELLS, "end") or {}
    return journal.moment(end.get("ended_at", end.get("time")))


def _check(values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        finite = not isinstance(value, float) or math.isfinite(value)
        if name in _TYPES and not (isinstance(value, _TYPES[name]) and finite):
            raise StoreError(f"{name} can't be {value!r}")


def exit_code(state: model.RunState) -> int | None:
    """The code that a shell would have seen; None where there is none."""
    match state:
        case model.Succeeded():
            return 0
        case model.Failed():
            return 1
        case model.Exited():
            return state.code
        case _:
            return None
