"""The clock on the wall, set back and on while runs work: nothing waits for it, or ends by it."""

from __future__ import annotations

import json
import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from nbbg import paths
from nbbg.faults import FIRED, NAME
from nbbg.ops import reports
from nbbg.store import reading
from tests.faults.shims import Clock
from tests.places import GATE, open_gate, states
from tests.project import Project, until

if TYPE_CHECKING:
    from pathlib import Path

DAY = 86400
FAILS_ONCE = "import os\nif os.environ['NBBG_ATTEMPT'] == '1': raise ValueError"
LIMITS = ("--timeout", "60s", "--cell-timeout", "60s", "--watchdog", "60s")


@pytest.fixture
def clock(tmp_path: Path, project: Project) -> Clock:
    """The clock of the project's programs."""
    made = Clock(tmp_path / "clock")
    project.environment.update(made.environment)
    return made


def seconds_of(project: Project, run: int) -> str:
    """How long a run has worked, as `status` shows it."""
    (line,) = [
        line
        for line in project.nbbg("status", str(run)).stdout.splitlines()
        if line.split()[:1] == [str(run)]
    ]
    return line.split(" of ")[1].split()[1]


@pytest.mark.parametrize("shift", [-DAY, DAY])
def test_a_clock_that_is_set(project: Project, clock: Clock, shift: int) -> None:
    """No limit of time, wait, delay or duration follows a clock that is set a day back or on."""
    project.write("train.ipynb", GATE, FAILS_ONCE)
    retry = ("--retries", "1", "--retry-delay", "1s")
    project.nbbg("run", "train.ipynb", "--runs", "2", *retry, *LIMITS)
    project.until_running(1, "at the gate")
    clock.shift(shift)
    before = time.monotonic()
    project.nbbg("wait", "1", "--timeout", "1s", code=124)
    assert time.monotonic() - before < 30
    assert seconds_of(project, 1).endswith("s")  # neither days nor less than nothing
    assert not seconds_of(project, 1).startswith("-")
    open_gate(project)
    project.nbbg("wait", "b1", "--timeout", "40s")
    assert [(run["state"], run["attempt"]) for run in project.runs()] == [("succeeded", 2)] * 2


def test_a_delay_begun_before_the_clock_was_set_back(project: Project, clock: Clock) -> None:
    """A supervisor that comes after the clock was set back waits no longer than the delay."""
    project.write("train.ipynb", FAILS_ONCE)
    clock.shift(DAY)
    project.nbbg("run", "train.ipynb", "--retries", "1", "--retry-delay", "3s")
    until(lambda: bool(project.run(1)["retry_at"]))
    project.end_all()
    clock.shift(0)
    project.nbbg("resume", "b1")
    project.nbbg("wait", "1", "--timeout", "30s")
    assert project.run(1)["attempt"] == 2


def test_a_stop_before_the_clock_was_set_back(project: Project, clock: Clock) -> None:
    """A run that was stopped is told as stopped; one named to go ahead in spite of it goes."""
    project.write("train.ipynb", "import time\nfor _ in range(1200): time.sleep(0.05)")
    project.nbbg("run", "train.ipynb", "--runs", "3", "--grace", "20")
    run = project.until_running(1)
    clock.shift(DAY)
    project.nbbg("stop", "b1")
    until((project.batch("b1") / "stop.json").exists)
    clock.shift(0)
    project.nbbg("wait", "1", "--timeout", "30s", code=1)
    assert states(project) == ["stopped"] * 3
    assert project.run(1)["pid"] == run["pid"]
    project.nbbg("resume", "2")
    project.until_running(2)
    assert states(project) == ["stopped", "running", "stopped"]


def test_a_notebook_that_is_long_in_the_writing(project: Project, tmp_path: Path) -> None:
    """A run began when it was claimed, however long its notebook took to be put in its place."""
    faults = tmp_path / "faults"
    (faults / FIRED).mkdir(parents=True)
    (faults / "before train_1.ipynb").write_text(str(int(signal.SIGSTOP)))
    project.environment[NAME] = str(faults)
    project.write("train.ipynb", "pass")
    project.nbbg("run", "train.ipynb")
    until(lambda: any((faults / FIRED).iterdir()))
    (fired,) = (faults / FIRED).iterdir()
    time.sleep(reading.JUMP + 1)
    os.kill(int(fired.name.split()[0]), signal.SIGCONT)
    project.nbbg("wait", "1")
    claim = json.loads((project.attempt(1) / paths.PROCESS).read_bytes())
    assert project.run(1)["started_at"] == reports.iso(claim["at"])
