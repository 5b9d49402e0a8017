"""How an attempt ended: from its journal, its wait status, and what somebody asked."""

from __future__ import annotations

import dataclasses
import json
import math
import signal
from typing import Any

import pytest

from nbbg import model
from nbbg.errors import StoreError
from nbbg.store import endings
from nbbg.store.endings import Circumstances

NOTHING = Circumstances()
ASKED = Circumstances(stopped_by="nbbg stop", stopped_at=5.0, cell=2)
OVER = Circumstances(limit=model.TimedOut(7200.0, 3), limit_at=6.0)
STOPPED_THEN_OVER = dataclasses.replace(ASKED, limit=model.TimedOut(7200.0, 3), limit_at=6.0)
OF_CELL = model.TimedOut(600.0, 3, model.OF_CELL)
OVER_THEN_STOPPED = dataclasses.replace(ASKED, limit=OF_CELL, limit_at=4.0)
ALLOWED = "errors allowed, and raised in cells: 2, 4"
MEMORY = Circumstances(cell=3, out_of_memory=True)
ERROR = {"name": "ValueError", "value": "no"}
FAILED = {"status": "failed", "time": 9.0, "ordinal": 2, "error": ERROR, "exit_code": 1}


@pytest.mark.parametrize(
    ("end", "status", "around", "word", "reason"),
    [
        ({"status": "succeeded"}, 0, NOTHING, "succeeded", ""),
        ({"status": "succeeded", "time": 9.0}, 0, ASKED, "stopped", "nbbg stop"),
        ({"status": "succeeded", "time": 4.0}, 0, ASKED, "succeeded", ""),
        ({"status": "succeeded"}, -11, NOTHING, "succeeded", "SIGSEGV after its last cell"),
        ({"status": "succeeded"}, 3, NOTHING, "succeeded", "exit code 3 after its last cell"),
        (FAILED, 1, NOTHING, "failed", "cell 2: ValueError: no"),
        (FAILED, 1, ASKED, "stopped", "nbbg stop in cell 2"),
        ({"status": "failed", "note": "no IPython"}, 1, NOTHING, "failed", "no IPython"),
        ({"status": "exited", "exit_code": 0, "left_out": [3, 4]}, 0, NOTHING, "succeeded", None),
        ({"status": "exited", "exit_code": 3, "ordinal": 2}, 3, NOTHING, "exited", None),
        ({"status": "killed", "signal": "SIGSEGV", "ordinal": 2}, 1, NOTHING, "killed", None),
        ({"status": "killed", "signal": "SIGKILL"}, 1, MEMORY, "killed", "out of memory, SIGKILL"),
        ({"status": "interrupted", "ordinal": 1, "error": ERROR}, 130, NOTHING, "failed", None),
        ({"status": "interrupted", "time": 9.0, "ordinal": 1}, 130, ASKED, "stopped", None),
        (None, 0, NOTHING, "exited", "exit code 0; without reaching the notebook's end"),
        (None, 7, Circumstances(cell=4), "exited", None),
        (None, -9, Circumstances(cell=4), "killed", "SIGKILL in cell 4"),
        (None, -9, MEMORY, "killed", "out of memory, SIGKILL in cell 3"),
        (None, -64, NOTHING, "killed", "SIGRTMAX"),
        (None, -40, NOTHING, "killed", "signal 40"),
        (None, -9, ASKED, "stopped", "nbbg stop in cell 2"),
        (None, 0, ASKED, "stopped", "nbbg stop in cell 2"),
        ({"status": "succeeded", "time": 9.0}, 0, OVER, "timed out", "after 2 h in cell 3"),
        ({"status": "interrupted", "time": 9.0}, 130, OVER, "timed out", "after 2 h in cell 3"),
        ({"status": "succeeded", "time": 5.0}, 0, OVER, "succeeded", ""),
        (
            {"status": "succeeded", "time": 5.0},
            -9,
            OVER,
            "succeeded",
            "SIGKILL after its last cell",
        ),
        (FAILED, 1, STOPPED_THEN_OVER, "stopped", "nbbg stop in cell 2"),
        (FAILED, 1, OVER_THEN_STOPPED, "timed out", "cell 3 took longer than 10 min"),
        (None, -9, OVER, "timed out", "after 2 h in cell 3"),
        (None, -9, STOPPED_THEN_OVER, "stopped", "nbbg stop in cell 2"),
        (None, -9, OVER_THEN_STOPPED, "timed out", "cell 3 took longer than 10 min"),
        ({"status": "succeeded", "raised": [2, 4]}, 0, NOTHING, "succeeded", ALLOWED),
        (None, 1, Circumstances(why="broken"), "exited", "exit code 1; broken"),
    ],
)
def test_table(
    end: dict[str, Any] | None, status: int, around: Circumstances, word: str, reason: str | None
) -> None:
    """Each end of an engine has its word and its sentence; without an `end` nothing succeeds."""
    ending = endings.decide(end, status, around)
    assert ending.word == word
    assert reason is None or ending.reason == reason


@pytest.mark.parametrize(
    "ending",
    [
        model.Succeeded(left_out=(3, 4), note="so"),
        model.Failed(
            model.CellError(2, "ValueError", "no\n\x1b[31m\udcff"), "its runner was killed"
        ),
        model.Failed(None, "it could not be started"),
        model.Exited(3, 2, "so"),
        model.Killed(signal.SIGKILL.name, None, out_of_memory=True),
        model.TimedOut(1.5, 2),
        model.TimedOut(1.5, None, model.OF_QUIET, "so"),
        model.Stopped("nbbg stop", 2, "so"),
    ],
)
def test_each_comes_back_from_its_record(ending: model.Ended) -> None:
    """What `result.json` tells is what was written, and fields of a newer nbbg are passed over."""
    record = json.loads(json.dumps({**endings.to_json(ending), "newer": 1, "max_rss": 5}))
    assert endings.from_json(record) == ending


@pytest.mark.parametrize(
    "record",
    [
        *({}, {"state": "running"}, {"state": "killed"}, {"state": 5}),
        {"state": "succeeded", "note": 5},
        {"state": "succeeded", "left_out": 1},
        {"state": "timed out", "limit": math.inf, "cell": 1},
        {"state": "exited", "code": "0", "cell": 1},
    ],
)
def test_a_record_of_no_ending_is_refused(record: dict[str, Any]) -> None:
    """A result that names no known ending, or lacks what it needs, is never a success."""
    with pytest.raises(StoreError):
        endings.from_json(record)


def test_exit_codes() -> None:
    """An exit code is told where a shell would have seen one."""
    codes = [
        endings.exit_code(state)
        for state in (
            model.Succeeded(),
            model.Failed(None),
            model.Exited(5, None),
            model.Killed("SIGKILL", None),
            model.Running(),
        )
    ]
    assert codes == [0, 1, 5, None, None]


def test_a_stop_that_nobody_noticed_changes_nothing() -> None:
    """Asked while the last cell was ending, before any signal: a success stays one."""
    unheard = Circumstances(stopped_by="nbbg stop", stopped_at=5.0, heard=False)
    assert endings.from_journal({"status": "succeeded", "time": 6.0}, unheard) == model.Succeeded()
    assert endings.from_journal({"status": "failed", "time": 6.0}, unheard).word == "stopped"
