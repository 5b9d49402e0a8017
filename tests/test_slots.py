"""Slots: never more runs at work than there are, whoever is killed, and all of them used."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from nbbg import model, process
from nbbg.errors import EnvironmentFault
from nbbg.gpus import Use
from nbbg.store import shared, slots
from nbbg.store.line import Line
from nbbg.store.rooms import Holder, room
from tests import records, sharing
from tests.project import LONG, Project, until
from tests.records import a_draft

if TYPE_CHECKING:
    from collections.abc import Iterator

GIB = 1 << 30
TAKE = """
import sys, time
from tests.test_slots import a_batch, slots
seat = slots.Slots(a_batch(machine_jobs=2), {"HOME": sys.argv[1]}).take("other")
print("ready", flush=True)
sys.stdin.readline()
"""


def a_batch(**limits: Any) -> model.Batch:
    """A batch with limits, of which nothing is executed."""
    return a_draft(1, 1, [1], **limits).batch


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """An environment with a home folder."""
    return {"HOME": str(tmp_path)}


@pytest.fixture
def other(project: Project, tmp_path: Path) -> Iterator[Project]:
    """A second project of the same user."""
    root = tmp_path / "other"
    (root / ".git").mkdir(parents=True)
    made = Project(root, project.home, project.environment)
    yield made
    made.end_all()


def test_a_batch_has_as_many_as_it_says(home: dict[str, str]) -> None:
    """Taken from the first on; what is let go can be taken again; other limits are others'."""
    two, three = (slots.Slots(a_batch(machine_jobs=count), home) for count in (2, 3))
    seats = [two.take("a"), two.take("b")]
    assert [seat.names for seat in seats if seat] == [("machine-0",), ("machine-1",)]
    assert (two.free(), two.take("c"), three.free()) == (0, None, 1)
    assert "this machine has 2" in two.missing()
    assert seats[0]
    seats[0].leave()
    assert (two.free(), three.free()) == (1, 2)
    again = two.take("d")
    assert again
    assert again.names == ("machine-0",)


def test_gpus_are_filled_evenly(home: dict[str, str]) -> None:
    """The GPU with most slots free comes first; both kinds of slots are taken, or none."""
    limits = {"gpus": {"0": "GPU-a", "3": "GPU-b"}, "per_gpu": 2, "machine_jobs": 3}
    found = slots.Slots(a_batch(**limits), home)
    seats = [found.take("") for _ in range(3)]
    assert [seat.gpu for seat in seats if seat] == ["0", "3", "0"]
    assert (found.free(), found.take("")) == (0, None)
    slice_of = slots.Slots(a_batch(gpus={"MIG-GPU-b/1/0": "MIG-GPU-b/1/0"}), home).take("")
    assert slice_of
    assert slice_of.names == ("gpu-MIG-GPU-b_1_0-0",)
    alone = slots.Slots(a_batch(gpus={"1": "GPU-b"}, per_gpu=2), home)
    assert alone.free() == 1
    taken = alone.take("")
    assert taken
    assert (taken.names, taken.gpu) == (("gpu-GPU-b-1",), "1")


def test_sigkill_frees_a_slot(home: dict[str, str]) -> None:
    """The slot of a process is free when it is dead, with nobody's help."""
    child = records.start(TAKE, home["HOME"], cwd=os.getcwd())
    found = slots.Slots(a_batch(machine_jobs=2), home)
    assert found.free() == 1
    child.send_signal(signal.SIGKILL)
    until(lambda: found.free() == 2)
    records.end(child)


def test_the_line_is_in_the_order_of_coming(home: dict[str, str]) -> None:
    """Whoever came first is first, until it leaves; lines for other things do not count."""
    found = slots.Slots(a_batch(machine_jobs=2), home)
    both = a_batch(machine_jobs=2, gpus={"0": "a"})
    first, second, third = (
        Line(found.folder, each) for each in (a_batch(machine_jobs=2), both, both)
    )
    alone = Line(found.folder, a_batch(gpus={"1": "b"}))
    for line in (first, second, third, alone):
        line.join()
    assert [line.is_first() for line in (first, second, third, alone)] == [True, False, False, True]
    first.leave()
    assert [line.is_first() for line in (second, third)] == [True, False]
    second.leave()
    second.join()  # at the end
    assert [line.is_first() for line in (second, third)] == [False, True]


def test_there_is_room_for_what_was_promised() -> None:
    """Memory that a run has asked for and not used yet is not given to another; strangers count."""
    child = records.start("print('ready', flush=True); input()")
    mine = {**os.environ, "NBBG_MARKER": "mine"}
    run = records.start("print('ready', flush=True); input()", env=mine)
    wants = 4 * GIB
    holders = [Holder("mine", wants), Holder("young", wants)]
    assert room(Use(24 * GIB, []), [], wants) == 6
    assert room(Use(24 * GIB, []), holders, wants) == 4
    assert room(Use(21 * GIB, [(run.pid, 3 * GIB)]), holders, wants) == 4
    assert room(Use(18 * GIB, [(run.pid, 6 * GIB)]), holders, wants) == 3
    assert room(Use(20 * GIB, [(child.pid, 4 * GIB)]), holders, wants) == 0
    unseen = records.gone().pid
    assert room(Use(20 * GIB, [(unseen, 4 * GIB)]), [], wants) == 0
    assert room(Use(20 * GIB, [(unseen, 4 * GIB)]), holders, wants) == 4
    assert room(Use(1 * GIB, []), holders, wants) == 0
    for each in (child, run):
        records.end(each)


def test_a_folder_in_tmp_must_be_ones_own(tmp_path: Path) -> None:
    """What others can write to, or have put there, is refused."""
    own = shared.private(tmp_path / "own")
    assert own.stat().st_mode & 0o777 == 0o700
    (tmp_path / "link").symlink_to(own)
    own.chmod(0o755)
    with pytest.raises(EnvironmentFault, match="is open to others"):
        shared.private(own)
    with pytest.raises(EnvironmentFault, match="is no folder of yours"):
        shared.private(tmp_path / "link")


def test_a_home_that_can_not_be_written_is_no_obstacle(tmp_path: Path) -> None:
    """The slots are then in a folder of the user's in /tmp."""
    (tmp_path / "file").touch()
    own = Path(f"/tmp/nbbg-{os.geteuid()}")  # noqa: S108 - what is tested
    there = own.exists()
    found = shared.folder({"HOME": str(tmp_path / "file")})
    assert found == own / "slots"
    if not there:
        found.rmdir()
        own.rmdir()
    assert shared.folder({"HOME": "/", "XDG_STATE_HOME": str(tmp_path)}).is_relative_to(tmp_path)


@pytest.mark.parametrize(
    ("limits", "count"),
    [
        ({"jobs": 4}, 4),
        ({"jobs": 4, "machine_jobs": 2}, 2),
        ({"jobs": 2, "machine_jobs": 8}, 2),
        ({"jobs": 9, "gpus": {"0": "0", "1": "1"}, "per_gpu": 2}, 4),
    ],
)
def test_threads_are_for_those_who_can_be_at_work(limits: dict[str, Any], count: int) -> None:
    """Processors are divided by the runs of a batch that can be at work together."""
    assert a_batch(**limits).at_once() == count


def test_two_batches_share_a_machine(project: Project, other: Project, tmp_path: Path) -> None:
    """Of two projects together never more than the limit, always as many, and in turns."""
    stamps = tmp_path / "stamps"
    project.environment |= {**sharing.environment(stamps), "NBBG_MACHINE_JOBS": "2"}
    go = tmp_path / "go"
    begin = f"while not os.path.exists({str(go)!r}):\n    time.sleep(0.05)\n"
    for each in (project, other):
        each.write("train.ipynb", *sharing.cells(begin + sharing.meet(11)))
    project.nbbg("run", "train.ipynb", "--runs", "8", "--jobs", "4")
    project.until_running(1)
    other.nbbg("run", "train.ipynb", "--runs", "3", "--jobs", "4")
    until(lambda: bool(other.run(1)["reason"]))  # it is in the line
    go.touch()
    for each in (other, project):
        each.nbbg("wait", "b1")
    assert sharing.most(stamps) == {None: 2}
    beginnings = sharing.begun(stamps)
    assert len(beginnings) == 11
    last = max(n for n, line in enumerate(beginnings) if line["root"] == str(other.root))
    assert last < 10  # who came later, and has less, is not last
    assert all(run["gpu"] is None for run in project.runs())


def test_who_waits_says_so_and_can_be_stopped(project: Project, other: Project) -> None:
    """A run without a slot is submitted, with the reason; a stop ends it, and starts nothing."""
    project.environment |= {"NBBG_MACHINE_JOBS": "1"}
    project.write("long.ipynb", LONG)
    other.write("train.ipynb", "print(1)")
    project.nbbg("run", "long.ipynb")
    project.until_running(1)
    other.nbbg("run", "train.ipynb", "--runs", "3", "--jobs", "3")
    reason = "waiting for a slot: this machine has 1"
    until(lambda: other.run(1)["reason"] == reason)
    assert [run["state"] for run in other.runs()] == ["submitted", "queued", "queued"]
    other.nbbg("stop", "1")
    other.nbbg("wait", "1", code=1)
    assert (other.state(1), other.log(1)) == ("stopped", "")
    until(lambda: other.run(2)["reason"] == reason)
    other.nbbg("stop", "b1", "--after-run")
    other.nbbg("wait", "b1", code=1)
    assert {run["state"] for run in other.runs()} == {"stopped"}
    assert project.state(1) == "running"
    other.nbbg("resume")
    project.nbbg("stop", "1")
    other.nbbg("wait", "b1")


def test_who_waits_heeds_fewer_jobs(project: Project, other: Project) -> None:
    """A run that waits for a slot does not take it where enough of its batch are at work by now."""
    project.environment |= {"NBBG_MACHINE_JOBS": "2"}
    for each in (project, other):
        each.write("long.ipynb", LONG)
    project.nbbg("run", "long.ipynb")
    project.until_running(1)
    other.nbbg("run", "long.ipynb", "--runs", "2", "--jobs", "2")
    other.until_running(1)
    until(lambda: other.run(2)["reason"] == "waiting for a slot: this machine has 2")
    other.nbbg("jobs", "b1", "1")
    project.nbbg("stop", "1")
    project.nbbg("run", "long.ipynb")  # nor does it stand in the way of others
    project.until_running(2)
    assert other.state(2) == "submitted"
    project.nbbg("stop", "2")
    other.nbbg("stop", "1")
    other.until_running(2)


@pytest.mark.parametrize("engine", ["ipython", "kernel"])
def test_the_engine_keeps_the_slot_of_a_killed_runner(project: Project, engine: str) -> None:
    """A slot is taken until the engine is dead too; what the notebook started does not keep it."""
    project.environment |= {"NBBG_MACHINE_JOBS": "1", "NBBG_GPUS": "5"}
    children = (
        "import os, subprocess\n"
        "loose = {k: v for k, v in os.environ.items() if k != 'NBBG_MARKER'}\n"
        "command = ['setsid', 'sleep', '99']\n"
        "started = subprocess.Popen(command, close_fds=False, env=loose)\n"
        "print('child', started.pid)"
    )
    project.write("long.ipynb", children, LONG)
    project.write("short.ipynb", "import os\nprint(os.environ['CUDA_VISIBLE_DEVICES'])")
    project.nbbg("run", "long.ipynb", "--engine", engine, "--grace", "0.1")
    run = project.until_running(1, "child")
    project.nbbg("run", "short.ipynb")
    until(lambda: project.run(2)["reason"].startswith("waiting for a slot"))
    os.kill(run["runner_pid"], signal.SIGKILL)
    until(lambda: "its runner was killed" in project.run(1)["reason"])
    time.sleep(0.5)
    assert project.state(2) == "submitted"
    os.kill(run["pid"], signal.SIGKILL)
    project.nbbg("wait", "2")
    assert (project.log(2), project.run(2)["gpu"]) == ("5\n", "5")
    child = int(project.log(1).split()[1])
    who = process.identity(child)
    if who:
        process.send(who, signal.SIGKILL)


def test_kills_never_make_it_more(project: Project, other: Project, tmp_path: Path) -> None:
    """Runners, engines and supervisors are killed at random: never more at work than slots."""
    stamps = tmp_path / "stamps"
    project.environment |= sharing.environment(stamps)
    limits = ["--machine-jobs", "3", "--gpus", "0,1", "--per-gpu", "2", "--jobs", "4"]
    both = (project, other)
    for each in both:
        each.write("train.ipynb", *sharing.cells("time.sleep(0.5)"))
        each.nbbg("run", "train.ipynb", "--runs", "6", *limits)
    chance = random.Random(5)  # noqa: S311
    for _ in range(8):
        time.sleep(chance.random() / 2)
        each = chance.choice(both)
        running = [run for run in each.runs() if run["state"] == "running"]
        pids = [chance.choice(running)[kind] for kind in ("pid", "runner_pid") if running]
        supervisor = each.supervisor()
        victims = [[supervisor], pids[:1], pids[1:], [*pids, supervisor]][chance.randrange(4)]
        for who in [process.identity(pid) for pid in victims if pid]:
            if who:
                process.send(who, signal.SIGKILL)
    for each in both:
        until(lambda each=each: _goes_on(each), patience=60)  # type: ignore[misc]
    found = sharing.most(stamps)
    assert found[None] == 3
    assert max(found.values()) <= 3
    assert found["0"] <= 2 >= found["1"]
    free = slots.Slots(a_batch(machine_jobs=3), project.environ())
    until(lambda: free.free() == 3)


def _goes_on(each: Project) -> bool:
    """Whether all have succeeded; what can be started again is."""
    runs = each.runs()
    if each.supervisor() is None:
        each.nbbg("retry", "--failed", code=None)
        each.nbbg("resume", code=None)
    return {run["state"] for run in runs} == {"succeeded"}
