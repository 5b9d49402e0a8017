"""A folder on a disk of the machine that a run works on: what is in it is kept, however it ends."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from nbbg import files, paths, process
from nbbg.runner import scratch
from tests.places import GATE, kill, open_gate, states
from tests.project import until

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.project import Project

WRITES = """\
import os, pathlib
scratch = pathlib.Path(os.environ['NBBG_SCRATCH_DIR'])
(scratch / 'deep').mkdir()
(scratch / 'deep/x').write_text(os.environ['RUN_NUMBER'])
if os.environ['RUN_NUMBER'] == '2':
    raise ValueError('in the middle')"""


@pytest.fixture
def disk(project: Project, tmp_path: Path) -> Path:
    """A disk of the machine."""
    project.environment["MY_DISK"] = str(tmp_path / "disk")
    return tmp_path / "disk" / "work"


def test_what_was_written_there_is_kept(project: Project, disk: Path) -> None:
    """Of a run that succeeded and of one that failed it lies with the record; the disk is free."""
    project.write("train.ipynb", WRITES)
    project.nbbg("run", "train.ipynb", "--runs", "3", "--jobs", "3", "--scratch", "$MY_DISK/work")
    project.nbbg("wait", "b1", code=1)
    assert states(project) == ["succeeded", "failed", "succeeded"]
    for run in (1, 2, 3):
        assert (project.attempt(run) / paths.SCRATCH / "deep/x").read_text() == str(run)
    assert list(disk.iterdir()) == []


def test_it_is_durable_before_the_original_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every file and folder is, for the result says that all is there; a link may lead nowhere."""
    made, attempt = tmp_path / "made", tmp_path / "attempt"
    (made / "deep").mkdir(parents=True)
    (made / "deep" / "x").write_text("1")
    (made / "link").symlink_to("nowhere")
    attempt.mkdir()
    durable: list[str] = []

    def note(each: Iterable[str]) -> None:
        durable.extend(os.path.relpath(path, attempt / ".scratch") for path in each)
        assert (made / "deep" / "x").exists()

    monkeypatch.setattr(files, "fsync_all", note)
    assert scratch.bring(str(made), attempt, {}) == {}
    assert sorted(durable) == [".", "deep", "deep/x"]
    assert os.readlink(attempt / paths.SCRATCH / "link") == "nowhere"
    assert not made.exists()


def test_a_run_that_is_killed_leaves_it_where_it_is(project: Project, disk: Path) -> None:
    """With its runner killed it is lost as ever, and the next attempt has a folder of its own."""
    project.write("train.ipynb", WRITES, GATE)
    project.nbbg("run", "train.ipynb", "--scratch", "$MY_DISK/work")
    run = project.until_running(1, "at the gate")
    kill(run["runner_pid"], run["pid"])
    until(lambda: states(project) == ["lost"])
    assert not (project.attempt(1) / paths.SCRATCH).exists()
    (left,) = disk.iterdir()
    assert (left / "deep/x").read_text() == "1"
    open_gate(project)
    project.nbbg("resume")
    project.nbbg("wait", "b1")
    assert (project.attempt(1) / paths.SCRATCH / "deep/x").read_text() == "1"
    assert list(disk.iterdir()) == [left]


def test_what_cant_be_kept_is_said(project: Project, disk: Path) -> None:
    """Where it can't be brought it is left on its disk, whole, and the run names the place."""
    project.write("train.ipynb", WRITES, "os.mkfifo(scratch / 'pipe')")
    project.nbbg("run", "train.ipynb", "--scratch", "$MY_DISK/work")
    project.nbbg("wait", "b1")
    (left,) = disk.iterdir()
    reason = project.run(1)["reason"]
    assert reason.startswith(f"{left} is left on {process.host()}: ")
    assert "named pipe" in reason
    assert sorted(os.listdir(left)) == ["deep", "pipe"]
    assert not {paths.SCRATCH, f".{paths.SCRATCH}"}.intersection(os.listdir(project.attempt(1)))


def test_a_place_that_is_none(project: Project) -> None:
    """A variable that is not set there is told of the run; a relative place is refused."""
    project.write("train.ipynb", "1")
    project.nbbg("run", "train.ipynb", "--scratch", "$NOT_SET/x")
    project.nbbg("wait", "b1", code=1)
    where = process.host()
    assert project.run(1)["reason"] == (
        f"it could not be started: --scratch $NOT_SET/x: there is no such place on {where}"
    )
    said = project.nbbg("run", "train.ipynb", "--scratch", "there", code=2).stderr
    assert "must begin with /, ~ or a variable, such as $TMPDIR" in said
