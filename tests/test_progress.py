"""How far a batch is: in `status`, its JSON, and the bar of `wait`, wide and narrow."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nbbg import paths
from tests.project import PYTHON, until
from tests.terminal import Terminal

if TYPE_CHECKING:
    import pytest

    from tests.project import Project

GATED = "import os, time\nif int(os.environ['RUN_NUMBER']) == 2: 1 / 0\n"
GATED += "while int(os.environ['RUN_NUMBER']) > 3 and not os.path.exists('go'): time.sleep(0.05)"


def test_a_batch_at_work(project: Project) -> None:
    """Status tells done, failed, rate and time left of a live batch, in text and in JSON."""
    project.write("train.ipynb", GATED)
    project.nbbg("run", "train.ipynb", "--runs", "8")
    project.until_running(4)
    (batch,) = project.status()["batches"]
    assert (batch["done"], batch["total"], batch["failed"]) == (3, 8, 1)
    assert batch["rate_per_hour"] > 0
    assert batch["seconds_left"] > 0
    said = project.nbbg("status").stdout.splitlines()[1]
    assert re.fullmatch(r" +\S+  3/8, 37%, 1 failed, \S+/(h|min), \S+ left", said)
    argv = [PYTHON, "-P", "-m", "nbbg"]
    for width, bar in (("180", True), ("30", False)):
        environ = {**project.environ(), "COLUMNS": width, "NO_COLOR": "1"}
        with Terminal([*argv, "status"], project.root, environ) as terminal:
            terminal.until("what failed")
            line = next(li for li in terminal.seen.decode().splitlines() if "3/8" in li)
            assert len(line) <= int(width)
            assert (line.count("█") + line.count("░") > 0) == bar
    with Terminal([*argv, "wait", "b1"], project.root, project.environ()) as terminal:
        (project.root / "go").touch()
        terminal.until("8/8")
        assert b"1 not succeeded" in terminal.seen
    until(lambda: project.supervisor() is None)
    (batch,) = project.status()["batches"]
    assert (batch["done"], batch["rate_per_hour"], batch["seconds_left"]) == (8, None, None)
    assert "8/8" not in project.nbbg("status").stdout
    assert (project.batch("b1") / paths.EVENTS).read_bytes().count(b'"kept"') == 8


def test_without_a_terminal_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], project: Project
) -> None:
    """Off a terminal `wait` says how far it is, and in the end the sum."""
    from nbbg.cli import progress
    from nbbg.ops.project import to_read

    project.write("train.ipynb", "pass")
    project.nbbg("run", "train.ipynb", "--runs", "2", "--wait")
    monkeypatch.setattr(progress, "NOW_AND_THEN", 0.0)
    assert progress.wait(to_read(project.root), [1, 2]) == 0
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("1 of 2 ended, about ")
    assert said[1:] == ["2 of 2 succeeded"]  # and nothing of the time that is left then
