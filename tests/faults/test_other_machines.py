"""Another boot, another host, strangers under old pids, copies: whose run is it?"""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from nbbg import paths
from tests.faults.namespaces import Housed, World, a_world
from tests.places import GATE, open_gate
from tests.project import LONG, Project, alive, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ONCE = f"import os\nif os.environ['NBBG_ATTEMPT'] == '1':\n    exec({LONG!r})"


@pytest.fixture
def world() -> Iterator[World]:
    """Processes, mounts and a host name of the test's own."""
    with a_world("--pid", "--uts") as made:
        yield made


@pytest.fixture
def housed(world: World, tmp_path: Path) -> Iterator[Housed]:
    """A project whose commands run there."""
    made = Housed(tmp_path / "project", tmp_path / "home", world=world)
    for folder in (made.root, made.root / ".git", made.home):
        folder.mkdir()
    yield made
    made.end_all()


def test_a_reboot(housed: Housed, world: World, tmp_path: Path) -> None:
    """After a restart of the machine what ran is lost, what waited waits, and resume goes on."""
    housed.write("train.ipynb", ONCE)
    housed.nbbg("run", "train.ipynb", "--runs", "2")
    housed.until_running(1)
    housed.end_all()
    world.reboot(tmp_path)
    assert [run["state"] for run in housed.runs()] == ["lost", "queued"]
    assert "restarted" in housed.run(1)["reason"]
    housed.write("train.ipynb", "pass")
    housed.nbbg("resume")
    housed.nbbg("wait", "1")
    assert (housed.run(1)["state"], housed.run(1)["attempt"]) == ("succeeded", 2)


def test_another_host(housed: Housed, tmp_path: Path) -> None:
    """What runs on another machine is unknown here, and neither started again nor ended."""
    housed.write("train.ipynb", GATE)
    housed.nbbg("run", "train.ipynb")
    pid = housed.until_running(1, "at the gate")["pid"]
    with a_world("--pid", "--uts") as other:
        other.do("hostname", "elsewhere")
        other.reboot(tmp_path)
        there = Housed(housed.root, housed.home, world=other)
        assert there.state(1) == "unknown"
        there.nbbg("resume")
        there.nbbg("retry", "1", code=None)
        there.nbbg("stop", "1", code=None)
        assert there.run(1)["attempt"] == 1
    assert (housed.run(1)["state"], housed.run(1)["pid"]) == ("running", pid)
    open_gate(housed)
    housed.nbbg("wait", "1", code=None)
    assert housed.run(1)["attempt"] == 1


def under(world: World, pid: int) -> str:
    """The name of the program that has a pid in there; empty where none has."""
    return world.do("cat", f"/proc/{pid}/comm", code=None).strip()


@pytest.mark.parametrize("locked", [True, False])
def test_strangers_under_the_old_pids(housed: Housed, world: World, *, locked: bool) -> None:
    """Processes that got the pids of a lost run are not taken for it, and never signalled."""
    housed.write("train.ipynb", ONCE)
    housed.nbbg("run", "train.ipynb")
    run = housed.until_running(1, "\n2\n")
    pids = [run["runner_pid"], run["pid"]]
    housed.end_all()
    until(lambda: not any(under(world, pid) for pid in pids))
    last = "/proc/sys/kernel/ns_last_pid"  # one shell starts all, for each shell takes a pid too
    starts = [f"echo {pid - 1} > {last}; sleep 600 >/dev/null 2>&1 & echo $!" for pid in pids]
    assert world.do("sh", "-c", "\n".join(starts)).split() == [str(pid) for pid in pids]
    if not locked:
        (housed.attempt(1) / paths.LOCK).unlink()
    assert housed.state(1) == "lost"
    housed.nbbg("stop", "1", code=None)
    housed.write("train.ipynb", "pass")
    housed.nbbg("resume")
    housed.nbbg("wait", "1")
    assert housed.run(1)["attempt"] == 2
    assert [under(world, pid) for pid in pids] == ["sleep"] * 2


def test_a_copy_of_live_runs(project: Project, tmp_path: Path) -> None:
    """A store that was copied while its runs live: lost in the copy, which goes on by itself."""
    project.write("train.ipynb", GATE)
    project.nbbg("run", "train.ipynb", "--runs", "2")
    run = project.until_running(1, "at the gate")
    copy = Project(tmp_path / "copy", project.home)
    subprocess.run(["cp", "-a", project.root, copy.root], check=True)
    try:
        assert [each["state"] for each in copy.runs()] == ["lost", "queued"]
        assert "copied" in copy.run(1)["reason"]
        assert copy.supervisor() is None
        copy.nbbg("stop", "1", code=None)
        open_gate(copy)
        copy.nbbg("resume", "b1")
        copy.nbbg("wait", "b1")
        assert [each["state"] for each in copy.runs()] == ["succeeded"] * 2
        assert alive(run["pid"])
        assert project.state(1) == "running"
        open_gate(project)
        project.nbbg("wait", "b1")
        assert [each["attempt"] for each in project.runs()] == [1, 1]
    finally:
        copy.end_all()


@pytest.mark.parametrize("uninstalled", [True, False])
def test_no_nbbg_in_the_middle_of_a_batch(
    project: Project, tmp_path: Path, *, uninstalled: bool
) -> None:
    """Uninstalled or upgraded: what runs ends and is told, and the rest goes on, at last."""
    installed, gone = tmp_path / "installed", tmp_path / "gone"
    here = os.path.dirname(paths.__file__)
    shutil.copytree(here, installed / "nbbg", ignore=shutil.ignore_patterns("__pycache__"))
    project.write("train.ipynb", GATE)
    project.environment |= {"PYTHONPATH": str(installed), "NBBG_WARM": "off"}  # a fork has it all
    limits = ("--retries", "1", "--max-failures", "2", "--timeout", "50s")
    project.nbbg("run", "train.ipynb", "--runs", "2", *limits)
    del project.environment["PYTHONPATH"]
    project.until_running(1, "at the gate")
    installed.rename(gone)  # what is found instead is that of these tests
    if uninstalled:
        (installed / "nbbg").mkdir(parents=True)
        (installed / "nbbg" / "__init__.py").write_text("raise ImportError('it is gone')")
    open_gate(project)
    project.nbbg("wait", "1")
    assert project.state(1) == "succeeded"
    until(lambda: b'"ended"' in (project.batch("b1") / paths.EVENTS).read_bytes())
    until(lambda: not project.members())
    log = (project.batch("b1") / paths.SUPERVISOR_LOG).read_text()
    if uninstalled:
        assert project.state(2) in ("queued", "stopped", "lost")
        assert "it is gone" in log
        assert "supervise" not in log  # which is at work until the end
        shutil.rmtree(installed)
    else:
        assert log == ""
    project.nbbg("resume")
    project.nbbg("wait", "b1")
    assert [run["state"] for run in project.runs()] == ["succeeded"] * 2
