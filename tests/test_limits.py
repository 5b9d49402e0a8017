"""Limits of time, the watchdog, and where the code stood: what the runner does by itself."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from nbbg import files, journal, model, paths, process
from nbbg.ops import stack
from nbbg.runner.limits import Cell, Position
from nbbg.runner.quiet import Watchdog
from nbbg.store import batches
from tests.places import GATE, open_gate
from tests.project import until
from tests.records import make_store, publish

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.project import Project

ENGINES = pytest.mark.parametrize("engine", ["ipython", "kernel"])
SLEEPS = "import time\ndef wait():\n    time.sleep(600)\nwait()"
CATCHES = "import time\ntry:\n    time.sleep(600)\nexcept KeyboardInterrupt:\n    print('caught')"
LISTENS = (
    "import nbbg, time\nwhile not nbbg.should_stop():\n    time.sleep(0.02)\nopen('saved', 'w')"
)
DEEP = "sum(range(10**13))"  # C code that holds the GIL
LITTLE = "import time\ntime.sleep(1.6)"


def _found(project: Project) -> dict[str, tuple[str, str]]:
    return {run["arm"]: (run["state"], run["reason"]) for run in project.runs()}


@ENGINES
def test_a_cell_that_takes_too_long(project: Project, engine: str) -> None:
    """It is timed out, whatever the notebook then does; what keeps within the limit is not."""
    for name, cells in {
        "sleeps": ("print('before')", SLEEPS, "print('after')"),
        "catches": ("1", CATCHES),
        "listens": ("1", LISTENS),
        "deep": ("1", DEEP),
        "quick": (LITTLE, LITTLE),
    }.items():
        project.write(f"{name}.ipynb", *cells)
    names = ["sleeps.ipynb", "catches.ipynb", "listens.ipynb", "deep.ipynb", "quick.ipynb"]
    limits = ("--cell-timeout", "3s", "--grace", "0.4", "--engine", engine)
    project.nbbg("run", *names, *limits, "--jobs", "5", "--wait", code=1)
    slow = ("timed out", "cell 2 took longer than 3 s")
    assert _found(project) == {
        **dict.fromkeys(("sleeps", "catches", "listens", "deep"), slow),
        "quick": ("succeeded", ""),
    }
    assert (project.root / "saved").exists()
    shown = project.nbbg("show", "sleeps").stdout
    assert "    cell 2, line 4, in <module>\n    cell 2, line 3, in wait\n" in shown
    assert "nbbg retry 1" in shown
    assert json.loads(project.nbbg("show", "4", "--json").stdout)["stack"] == (
        "cell 2, line 1, in <module>"
    )
    assert json.loads(project.nbbg("show", "5", "--json").stdout)["stack"] is None
    assert not (project.attempt(5) / paths.STACKS).exists()
    assert project.executed(1)["cells"][0]["outputs"][0]["text"] == "before\n"


def test_a_run_that_takes_too_long(project: Project) -> None:
    """It is timed out, and what it started is gone; `retry` covers it, `resume` does not."""
    project.write("train.ipynb", f"import subprocess\nsubprocess.Popen(['sleep', '600'])\n{SLEEPS}")
    project.environment["NBBG_TIMEOUT"] = "3"
    project.nbbg("run", "train.ipynb", "--wait", "--grace", "0.4", code=1)
    run = project.run(1)
    assert (run["state"], run["reason"]) == ("timed out", "after 3 s in cell 1")
    assert process.tree([], "", run["pid"]) == []
    record = json.loads((project.batch("b1") / paths.BATCH).read_bytes())
    assert (record["timeout"], record["cell_timeout"]) == (3.0, 0.0)
    project.nbbg("resume", code=None)
    assert project.run(1)["attempt"] == 1
    project.nbbg("retry", "--failed")
    assert project.run(1)["attempt"] == 2


@ENGINES
def test_the_watchdog(project: Project, engine: str) -> None:
    """What neither prints nor computes is said to, then ended; what does either is left alone."""
    project.write("sleeps.ipynb", "1", SLEEPS)
    project.write(
        "prints.ipynb", "import time\nfor i in range(40):\n    print(i)\n    time.sleep(0.1)"
    )
    works = "import time\nend = time.monotonic() + 4\nwhile time.monotonic() < end: pass"
    project.write("works.ipynb", works)
    names = ("sleeps.ipynb", "prints.ipynb", "works.ipynb")
    options = ("--watchdog", "3s", "--quiet-after", "1", "--grace", "0.4", "--engine", engine)
    project.nbbg("run", *names, "--jobs", "3", *options)
    until(lambda: "no output and no CPU for" in project.run(1)["reason"])
    project.nbbg("wait", "b1", code=1)
    assert _found(project) == {
        "sleeps": ("timed out", "no output and no CPU for 3 s in cell 2"),
        "prints": ("succeeded", ""),
        "works": ("succeeded", ""),
    }
    assert "line 3, in wait" in project.nbbg("show", "1").stdout


@ENGINES
def test_where_a_live_run_stands(project: Project, engine: str) -> None:
    """`show --stack` says it of what runs, and goes on; of what has ended it says so."""
    project.write(
        "train.ipynb", f"def wait():\n    {GATE.replace(chr(10), chr(10) + '    ')}\nwait()"
    )
    project.nbbg("run", "train.ipynb", "--engine", engine)
    project.until_running(1, "at the gate")
    said = project.nbbg("show", "1", "--stack").stdout
    assert said.startswith("cell 1, line 6, in <module>\ncell 1, line ")
    assert said.endswith(", in wait\n")
    open_gate(project)
    project.nbbg("wait", "1")
    assert "only what runs" in project.nbbg("show", "1", "--stack", code=2).stderr


def test_an_old_batch_has_no_limits(tmp_path: Path) -> None:
    """A record from before there were limits is read."""
    store = make_store(tmp_path / "project")
    batch = publish(store)
    path = store.batch(batch.id) / paths.BATCH
    record = json.loads(path.read_bytes())
    for name in ("timeout", "cell_timeout", "watchdog", "quiet_after", "allow_errors"):
        del record[name]
    path.write_text(json.dumps(record))
    found = batches.read(store, batch.id)
    assert (found.timeout, found.cell_timeout, found.watchdog, found.quiet_after) == (0, 0, 0, 600)


# The runner's parts, with a clock of the test's own.


class Asleep:
    """An attempt whose engine is a process that sleeps."""

    def __init__(self, folder: files.Folder, batch: model.Batch, child: int) -> None:
        self.folder = folder
        who = process.identity(child)
        assert who is not None
        self.engine = who
        self.watchdog = Watchdog(folder, who, "", batch, now=0.0)
        self.now = 0.0

    def pass_time(self, seconds: float, step: float = 1.0) -> model.TimedOut | None:
        """Let it look as often as the runner would; a limit that is over."""
        end = self.now + seconds
        while self.now < end:
            self.now += step
            if limit := self.watchdog.step(self.now):
                return limit
        return None

    def quiet(self) -> bool:
        """Whether the journal says so."""
        event = journal.last(self.folder, paths.CELLS) or {}
        return event.get("event") == "quiet" and event["since"] is not None


@pytest.fixture
def asleep(tmp_path: Path) -> Iterator[Asleep]:
    """With the usual limits, and a watchdog of 20 minutes."""
    batch = publish(make_store(tmp_path / "project"), watchdog=1200.0, quiet_after=600.0)
    for name in (paths.LOG, paths.CELLS):
        (tmp_path / name).touch()
    words = ["sleep", "600"]
    with subprocess.Popen(words, start_new_session=True) as child, files.Folder(tmp_path) as folder:
        yield Asleep(folder, batch, child.pid)
        child.kill()


def test_quiet_is_said_once_and_taken_back(asleep: Asleep) -> None:
    """After ten minutes, and no sooner; when it prints again, that is said too; then it acts."""
    assert asleep.pass_time(590) is None
    assert not asleep.quiet()
    asleep.pass_time(40)
    assert asleep.quiet()
    asleep.pass_time(100)
    with open(os.path.join(asleep.folder.path, paths.LOG), "a") as log:
        log.write("x")
    asleep.pass_time(60)
    events = journal.read(asleep.folder, paths.CELLS)
    assert [event["since"] is None for event in events] == [False, True]
    assert asleep.pass_time(1100) is None
    assert asleep.pass_time(200) == model.TimedOut(1200.0, None, model.OF_QUIET)


def test_time_that_the_runner_slept_does_not_count(asleep: Asleep) -> None:
    """A machine that was suspended, or a runner that was stopped, makes no run look quiet."""
    for _ in range(5):
        asleep.pass_time(100)
        asleep.pass_time(10_000, step=10_000)
    assert not asleep.quiet()


def test_a_halted_process_is_said_at_once(asleep: Asleep) -> None:
    """Not after ten minutes; and when it goes on, that is said."""
    child = asleep.engine.pid
    os.kill(child, signal.SIGSTOP)
    until(lambda: process.is_halted(asleep.engine))
    asleep.pass_time(5)
    (event,) = journal.read(asleep.folder, paths.CELLS)
    assert (event["event"], event["halted"]) == ("quiet", [child])
    os.kill(child, signal.SIGCONT)
    until(lambda: not process.is_halted(asleep.engine))
    asleep.pass_time(5)
    assert not asleep.quiet()


def test_the_position_is_read_on(tmp_path: Path) -> None:
    """Each cell is seen once it is whole, behind lines of any length; its end, too."""
    (tmp_path / paths.CELLS).touch()
    with files.Folder(tmp_path) as folder, contextlib.ExitStack() as stack_:
        fd = folder.open(paths.CELLS, os.O_WRONLY | os.O_APPEND)
        stack_.callback(os.close, fd)
        writing, position = journal.Journal(fd), Position(folder, 0.0)
        writing.write("display", output={"data": "x" * (3 << 20)})
        line = files.to_line({"event": "cell", "time": time.time() - 3600, "ordinal": 2})
        os.write(fd, line[:20])
        position.look(5.0)
        seen = [position.cell]
        os.write(fd, line[20:])
        position.look(6.0)
        seen.append(position.cell)
        writing.write("cell_end", cell=1, status="ok")
        position.look(7.0)
        assert [*seen, position.cell] == [None, Cell(2, 5.0), None]


ANSWERS = """\
# 2026-01-01T00:00:00.000+00:00 pid 7
Current thread 0x1 (most recent call first):
  File "<ipython-input-1-abc>", line 9 in <module>
# 2026-01-01T00:00:01.000+00:00 pid 7
Thread 0x2 (most recent call first):
  File "/usr/lib/threading.py", line 1 in wait

Current thread 0x1 (most recent call first):
  File "/usr/lib/numpy.py", line 5 in dot
  File "<ipython-input-1-abc>", line 2 in helper
  File "/tmp/ipykernel_7/123.py", line 3 in <module>
  File "/x/IPython/core/interactiveshell.py", line 1 in run_code
"""


SHOWN = """\
cell 4, line 3, in <module>
an earlier cell, line 2, in helper
File "/usr/lib/numpy.py", line 5, in dot"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ANSWERS, SHOWN),
        ("", ""),
        ('# x\nCurrent thread 0x1:\n  File "/a.py", line 5 in f', 'File "/a.py", line 5, in f'),
    ],
)
def test_a_stack_is_shown_from_the_cell_on(text: str, expected: str) -> None:
    """The newest answer, the innermost call last, without what lies below the cell."""
    assert stack.shown(text, 4) == expected


def test_a_duration_is_spelled() -> None:
    """As a sentence says it."""
    given: dict[float, Any] = {0.5: "0.5 s", 90: "90 s", 600: "10 min", 5400: "1 h 30 min"}
    assert {seconds: model.spelled(seconds) for seconds in given} == given
    assert model.spelled(86400) == "1 d"
