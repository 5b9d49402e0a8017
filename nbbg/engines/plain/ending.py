"""How a script ended: by its exit status and the traceback that Python leaves in the log.

Exit code 0 is a success, for nothing else can be known of it. Exit code 1 is a failure where the
last traceback of the log is the script's own; every other code, and 1 without one, is just that.
Pure.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

TAIL = 1 << 17  # bytes of the log in which the traceback is looked for
_HEAD = "Traceback (most recent call last):\n"
_ERROR = re.compile(r"^([A-Za-z_][\w.]*)(?:: (.*))?$", re.MULTILINE)
_OTHERS = ("Exception in thread ", "Exception ignored in")


def of(status: int, log: str, script: str, lines: Sequence[int | None]) -> dict[str, Any] | None:
    """The fields of the journal's `end`; None for a script that a signal ended.

    Args:
        status: of the process.
        log: the end of its log.
        script: its path, as Python was given it.
        lines: where in the script each cell begins, from 1.
    """
    if status < 0:
        return None
    nothing: dict[str, Any] = {
        "ordinal": None,
        "error": None,
        "signal": None,
        "left_out": [],
        "note": "",
    }
    if status == 0:
        return {**nothing, "status": "succeeded", "exit_code": 0}
    found = _traceback(log, script) if status == 1 else None
    if found is None:
        return {**nothing, "status": "exited", "exit_code": status}
    line, name, value = found
    error = {"name": name, "value": value}
    cell = cell_of(line, lines)
    return {**nothing, "status": "failed", "exit_code": 1, "error": error, "ordinal": cell}


def cell_of(line: int, lines: Sequence[int | None]) -> int | None:
    """The ordinal of the cell that a line of the script belongs to."""
    before = [ordinal for ordinal, first in enumerate(lines, 1) if first and first <= line]
    return before[-1] if before else None


def _traceback(log: str, script: str) -> tuple[int, str, str] | None:
    """Of the log's last traceback: where in the script it was, the exception's name and text.

    Where it was is the outermost line, as a notebook names the cell that ran.
    """
    before, head, after = log.rpartition(_HEAD)
    frame = re.compile(rf'^  File "{re.escape(script)}", line (\d+)', re.MULTILINE)
    if not head or not frame.search(after):  # of a syntax error Python prints no head
        at = max((found.start() for found in frame.finditer(log)), default=-1)
        before, after = (log[:at], log[at:]) if at >= len(before) else ("", "")
    error = _ERROR.search(after)
    frames = [int(found[1]) for found in frame.finditer(after, 0, error.start() if error else 0)]
    told = before.rstrip("\n").rpartition("\n")[2]
    if error is None or not frames or told.startswith(_OTHERS):
        return None
    return frames[0], error[1].rpartition(".")[2], error[2] or ""
