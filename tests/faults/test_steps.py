"""Every named step of a launch, a start, an end, a retry and a stop, killed at exactly that point.

What is killed is all there is: command, supervisor, runner and engine are one process here, forked
from this one (`--executor inline`), so that dozens of steps take seconds.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from IPython.core import interactiveshell

from nbbg import cli, faults, journal
from nbbg.cli import resume, retry, run, status, stop
from nbbg.engines.ipython import program
from nbbg.runner import outcome
from nbbg.supervisor import loop
from tests.faults.invariants import Checker
from tests.faults.workload import PROOFS
from tests.project import PYTHON, notebook

if TYPE_CHECKING:
    from collections.abc import Iterator

LAUNCH = (
    *("before format", "after format", "before batch.json", "after batch.json"),
    *("before plan.jsonl", "after plan.jsonl", "before events.jsonl", "after supervisor.lock"),
    *("before train.ipynb", "after packages.json", "before publish", "after publish"),
)
START = (
    *("after supervision", "before event starting", "after event starting", "before attempt"),
    *("after attempt", "before submit", "before lock", "after lock", "before process.json"),
    *("beside process.json", "after process.json", "before remove environment.json"),
    *("before engine.json", "after engine.json", "before engine", "after engine", "before begin"),
)
END = (
    *("after begin", "before cell", "after cell", "before cell_end", "after cell_end"),
    *("before end", "after end", "before train_1.ipynb", "beside train_1.ipynb"),
    *("after train_1.ipynb", "before result.json", "beside result.json", "after result.json"),
    *("after submit", "before event ended", "after event ended"),
)
OVER = ("after end", "after event ended")  # from the one to the other, the first run has succeeded
RETRY = (
    *("after event starting", "before attempt", "after attempt"),
    *("before event queued", "after event queued"),
)
STOP = (
    *("before stop.json", "beside stop.json", "after stop.json", "before event stopped"),
    *("after event stopped", "before attempt", "after attempt"),
)
RESUME = ("before 1.json", "beside 1.json", "after 1.json", "before remove stop.json")
COUNTS = """\
import os
open("numbers", "a").write(os.environ["RUN_NUMBER"])
name = os.environ["NBBG_RUN_ID"] + "-" + os.environ["NBBG_ATTEMPT"]
open("proofs/" + name, "a").write("start 0\\nend\\n")"""
# Imported here once, and not in each child.
LOADED = (interactiveshell, journal, resume, retry, run, status, stop, program, outcome, loop)
WORDS = ("run", "train.ipynb", "--executor", "inline")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home for all of them: what the interpreter has is asked once."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def checker(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Checker]:
    """A project with a notebook, and what must hold in it."""
    root = tmp_path / "project"
    (root / ".git").mkdir(parents=True)
    (tmp_path / faults.FIRED).mkdir()
    monkeypatch.chdir(root)
    for name, value in {"HOME": home, "NBBG_PYTHON": PYTHON, "NBBG_ENGINE": "ipython"}.items():
        monkeypatch.setenv(name, str(value))
    (root / PROOFS).mkdir()
    Path("train.ipynb").write_text(json.dumps(notebook(COUNTS)))
    made = Checker(root, tmp_path)
    made.deeds.everything = True
    yield made
    made.check_records()
    assert made.violations == []


def type_in(folder: Path, *words: str, step: str = "") -> str:
    """Carry out a command in a forked process, which is killed at a step; its stdout.

    A command that was to be killed must have come to its step.
    """
    if step:
        (folder / step).write_text(str(int(signal.SIGKILL)))
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        _be_nbbg(folder, words, writer)
    os.close(writer)
    with os.fdopen(reader, "r") as file:
        said = file.read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status == (-signal.SIGKILL if step else 0), (words, step, said)
    return said


def _be_nbbg(folder: Path, words: tuple[str, ...], writer: int) -> None:
    code = 70
    try:
        os.setsid()
        warnings.simplefilter("ignore")
        faults.step = faults.armed(str(folder))
        os.dup2(writer, 1)
        os.dup2(os.open(folder / "stderr", os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
        sys.stdout = io.TextIOWrapper(os.fdopen(1, "wb", closefd=False), write_through=True)
        sys.stderr = io.TextIOWrapper(os.fdopen(2, "wb", closefd=False), write_through=True)
        sys.stdin = open(os.devnull)  # noqa: SIM115 - for as long as the process
        code = cli.main(list(words))
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        os._exit(code)


def states(folder: Path) -> list[str]:
    """The state of each run, by id."""
    return [run["state"] for run in json.loads(type_in(folder, "status", "--json"))["runs"]]


def numbers() -> list[str]:
    """The run numbers that were executed, in order."""
    path = Path("numbers")
    return list(path.read_text()) if path.exists() else []


def test_every_step_is_named_here(checker: Checker) -> None:
    """The steps below are those that a launch, a start and an end come to, and no others."""
    passed = checker.home / faults.PASSED
    passed.touch()
    type_in(checker.home, *WORDS)
    found = list(dict.fromkeys(passed.read_text().splitlines()))
    assert [step for step in (*LAUNCH, *START, *END) if step not in found] == []
    assert numbers() == ["1"]


@pytest.mark.parametrize("step", LAUNCH)
def test_a_launch_that_is_killed_is_whole_or_is_not(checker: Checker, step: str) -> None:
    """After a kill at any step nothing is there, or all of it; the same command completes it."""
    type_in(checker.home, *WORDS, "--runs", "2", step=step)
    published = step == "after publish"
    assert states(checker.home) == (["queued"] * 2 if published else [])
    checker.check_records()
    type_in(checker.home, *WORDS, "--runs", "2")
    assert states(checker.home) == ["succeeded"] * 2
    assert numbers() == ["1", "2"]
    checker.check_records()


@pytest.mark.parametrize("step", [*START, *END])
def test_a_run_that_is_killed_goes_on(checker: Checker, step: str) -> None:
    """After a kill at any step from start to end the state is true, and `resume` completes it."""
    type_in(checker.home, *WORDS, "--runs", "2", step=step)
    (state, second) = states(checker.home)
    order = (*START, *END)
    over = order.index(step) >= order.index("after end")
    begun = order.index(step) >= order.index("after process.json")
    assert (state, second) == ("succeeded" if over else "lost" if begun else "queued", "queued")
    checker.check_records()
    type_in(checker.home, "resume")
    assert states(checker.home) == ["succeeded"] * 2
    ran = order.index(step) >= order.index("before cell_end")
    assert numbers() == (["1", "1", "2"] if ran and not over else ["1", "2"])


@pytest.mark.parametrize("step", RETRY)
def test_a_retry_that_is_killed_makes_one_attempt(checker: Checker, step: str) -> None:
    """After a kill at any step of a retry the same command completes it: attempt 2, never 3."""
    checker.deeds.fails = True
    fails = "import os\nassert os.environ['NBBG_ATTEMPT'] == '2'"
    Path("train.ipynb").write_text(json.dumps(notebook(fails, COUNTS)))
    with contextlib.suppress(AssertionError):  # its exit code
        type_in(checker.home, *WORDS)
    assert states(checker.home) == ["failed"]
    type_in(checker.home, "retry", "1", step=step)
    queued = RETRY.index(step) >= RETRY.index("after attempt")
    assert states(checker.home) == ["queued" if queued else "failed"]
    type_in(checker.home, *(("resume",) if queued else ("retry", "1")))
    (run,) = json.loads(type_in(checker.home, "status", "--json"))["runs"]
    assert (run["state"], run["attempt"]) == ("succeeded", 2)


@pytest.mark.parametrize("step", [*STOP, *RESUME])
def test_a_stop_and_a_resume_that_are_killed(checker: Checker, step: str) -> None:
    """After a kill at any step of a stop, or of the resume after it, each run is executed once."""
    type_in(checker.home, *WORDS, "--runs", "2", step="after publish")
    stops = ("stop", "1") if step in STOP and "stop.json" not in step else ("stop", "b1")
    if step in STOP:
        type_in(checker.home, *stops, step=step)
    type_in(checker.home, *stops)
    assert states(checker.home)[0] == "stopped"
    if step in RESUME:
        type_in(checker.home, "resume", step=step)
    type_in(checker.home, "resume")
    assert states(checker.home) == ["succeeded"] * 2
    assert numbers() == ["1", "2"]
