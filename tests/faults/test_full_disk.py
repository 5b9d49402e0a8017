"""A disk that is full at each write, and then is not: nothing is promised that is not there.

`NBBG_DISKS=20` tries that many more points at which it is full.
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING

import pytest

from nbbg import paths
from tests.faults.namespaces import Housed, World, a_world
from tests.places import GATE
from tests.project import alive, notebook, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = 4096  # bytes, of which the disk gives no part
CELLS = ("print('begun')", "print('x' * 9000)")
FEW, ENOUGH = 60, 140  # pages: no launch fits into so few; in so many runs start, too
MORE = int(os.environ.get("NBBG_DISKS", "0"))
POINTS = sorted({0, 1, 2, 30, 96, 100, 145, *range(0, 160, 160 // MORE if MORE else 160)})


@pytest.fixture
def world() -> Iterator[World]:
    """Mounts of the test's own."""
    with a_world() as made:
        yield made


@pytest.fixture
def housed(world: World, tmp_path: Path) -> Iterator[Housed]:
    """A project on a small disk."""
    root, home = tmp_path / "project", tmp_path / "home"
    root.mkdir()
    home.mkdir()
    world.mount_disk(root, "3m")
    project = Housed(root, home, world=world)
    project.see(root / ".git").mkdir()
    yield project
    project.end_all()


def write(project: Housed, *cells: str) -> None:
    """The notebook of these tests."""
    project.see(project.root / "train.ipynb").write_text(json.dumps(notebook(*cells)))


def fill(project: Housed, leave: int = 0) -> None:
    """Leave so many pages of the disk."""
    fd = os.open(project.see(project.root / "filling"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for size in (1 << 16, PAGE):
        with contextlib.suppress(OSError):
            while True:
                os.write(fd, bytes(size))
    os.ftruncate(fd, max(0, os.fstat(fd).st_size - leave * PAGE))
    os.close(fd)


def make_space(project: Housed) -> None:
    """Remove what filled the disk."""
    project.see(project.root / "filling").unlink()


@pytest.mark.parametrize("pages", POINTS)
def test_full_during_a_launch(housed: Housed, pages: int) -> None:
    """Refused in two lines and nothing of it there; or acknowledged, and in the end it succeeds."""
    write(housed, *CELLS)
    fill(housed, pages)
    launched = housed.nbbg("run", "train.ipynb", "--runs", "2", "--jobs", "2", code=None)
    allowed = [2] * (pages < ENOUGH) + [0] * (pages > FEW)
    assert launched.returncode in allowed, launched.stderr
    if launched.returncode:
        assert len(launched.stderr.splitlines()) == 2, launched.stderr
        assert "No space left on device" in launched.stderr
        batches = housed.see(housed.root / paths.STORE / paths.BATCHES)
        assert not batches.exists() or os.listdir(batches) == []
        assert housed.runs() == []
    elif pages >= ENOUGH:
        until(lambda: any(run["state"] != "queued" for run in housed.runs()))
    make_space(housed)
    housed.nbbg("run", "train.ipynb", "--runs", "2", "--wait")
    assert [(run["id"], run["number"], run["state"]) for run in housed.runs()] == [
        (1, 1, "succeeded"),
        (2, 2, "succeeded"),
    ]


def test_full_while_it_runs(housed: Housed) -> None:
    """A run whose disk fills keeps its lock, loses prints at most, and ends right with room."""
    prints = "for i in range(3000): print(i)\nimport sys\nprint('e' * 9000, file=sys.stderr)"
    logs = "import nbbg, warnings\nwarnings.simplefilter('ignore')\nnbbg.log(loss=1)"
    write(housed, GATE, prints, logs, "open('/proc/self/cwd/../over', 'w').close()")
    housed.nbbg("run", "train.ipynb", "--runs", "2")
    housed.until_running(1, "at the gate")
    fill(housed)
    housed.see(housed.root / "go").symlink_to("nowhere")  # needs no page; exists() says no
    housed.see(housed.root / "train.ipynb").rename(housed.see(housed.root / "go.ipynb"))
    housed.see(housed.root / "go").unlink()
    housed.see(housed.root / "go.ipynb").rename(housed.see(housed.root / "go"))
    until((housed.root.parent / "over").exists)
    run = housed.run(1)
    assert run["state"] == "running"  # not ended, as long as that can't be written
    refused = housed.nbbg("stop", "2", code=None)
    assert refused.returncode in (0, 2)
    for words in (("status",), ("show", "1"), ("logs", "1"), ("notebook", "1", "-o", "-")):
        housed.nbbg(*words)
    assert housed.nbbg("retry", "1", code=None).returncode in (0, 2)
    make_space(housed)
    housed.nbbg("wait", "1")
    housed.nbbg("resume")
    housed.nbbg("wait", "b1")
    assert [run["state"] for run in housed.runs()] == ["succeeded"] * 2
    assert "the disk was full" in housed.run(1)["reason"]
    assert housed.see(housed.run(1)["output"]).exists()


def test_stop_and_clean_on_a_full_disk(housed: Housed) -> None:
    """What a full disk needs works on one: runs are stopped, and cleaning makes room."""
    write(housed, "print('x' * 9000)")
    housed.nbbg("run", "train.ipynb", "--runs", "2", "--wait")
    write(housed, GATE)
    housed.nbbg("run", "train.ipynb", "--runs", "+2")
    running = housed.until_running(3, "at the gate")
    fill(housed)
    stopped = housed.nbbg("stop", "b2").stdout
    assert not alive(running["pid"])
    assert "run 3 running (over, but the disk is full" in stopped
    assert "the disk is full" in housed.nbbg("status").stdout
    done = housed.nbbg("clean", "1", "--yes")
    assert done.stdout.startswith("run 1: 1 succeeded\n"), done.stderr
    make_space(housed)
    housed.nbbg("wait", "b2", code=1)
    assert [run["state"] for run in housed.runs()] == ["succeeded"] * 2 + ["stopped"] * 2
    assert housed.nbbg("clean").stdout == "nothing to clean\n"


def test_full_when_pairs_are_made(housed: Housed) -> None:
    """`pair` and `sync` on a full disk change neither side, and say so in a sentence."""
    write(housed, *CELLS)
    fill(housed)
    said = housed.nbbg("pair", "train.ipynb", code=2)
    assert "No space left on device" in said.stderr
    assert not housed.see(housed.root / "train.py").exists()
    make_space(housed)
    housed.nbbg("pair", "train.ipynb")
    script = housed.see(housed.root / "train.py")
    script.write_text(script.read_text() + "\n# %%\nprint('more')\n")
    before = script.read_bytes(), housed.see(housed.root / "train.ipynb").read_bytes()
    fill(housed)
    said = housed.nbbg("sync", code=None)
    assert said.returncode in (1, 2)
    assert "No space left on device" in said.stderr
    assert before == (script.read_bytes(), housed.see(housed.root / "train.ipynb").read_bytes())
    make_space(housed)
    housed.nbbg("sync")
    assert b"more" in housed.see(housed.root / "train.ipynb").read_bytes()


def test_full_when_the_index_is_made(housed: Housed) -> None:
    """Without room for an index the facts are read."""
    write(housed, *CELLS)
    housed.nbbg("run", "train.ipynb", "--runs", "2", "--wait")
    index = housed.see(housed.root / paths.STORE / paths.INDEX)
    index.unlink()
    fill(housed)
    assert [run["state"] for run in housed.runs()] == ["succeeded"] * 2
    make_space(housed)
    housed.nbbg("status")
    assert index.stat().st_size > 0


def test_read_only(housed: Housed, world: World) -> None:
    """From a read-only store all is read, and what would change it says a sentence."""
    write(housed, GATE)
    housed.nbbg("run", "train.ipynb", "--runs", "2")
    housed.until_running(1, "at the gate")
    write(housed, "pass")
    housed.end_all()
    world.do("mount", "-o", "remount,ro", housed.root)
    assert [run["state"] for run in housed.runs()] == ["lost", "queued"]
    for words in (("status",), ("show", "1"), ("logs", "1"), ("results",), ("settings",)):
        housed.nbbg(*words)
    elsewhere = housed.root.parent / "elsewhere.ipynb"
    housed.nbbg("notebook", "1", "-o", elsewhere)
    assert "at the gate" in elsewhere.read_text()
    launches = ("run train.ipynb", "run train.ipynb --runs 2 --mix")
    for command in (*launches, "stop 2", "resume", "pause b1", "jobs b1 2"):
        said = housed.nbbg(*command.split(), code=2)
        why = "not yours to write" if command.startswith("run") else "Read-only file system"
        assert why in said.stderr, said.stderr
        assert str(housed.root) in said.stderr, said.stderr
        assert len(said.stderr.splitlines()) <= 3  # that the notebook has changed is said first
    assert [run["state"] for run in housed.runs()] == ["lost", "queued"]
    assert not housed.members()
