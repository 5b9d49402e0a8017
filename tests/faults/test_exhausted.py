"""No file descriptors, no processes, no memory left: a sentence or a wait, never a wrong state.

`NBBG_LIMITS=30` tries that many more limits of open files.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.faults.namespaces import Housed
from tests.project import until

if TYPE_CHECKING:
    from collections.abc import Iterator

MORE = int(os.environ.get("NBBG_LIMITS", "0"))
CGROUPS = Path("/sys/fs/cgroup/memory")  # of version 1; in version 2 the tester may make none
SOMEBODY = 54321  # a user with no process


@pytest.fixture
def housed(tmp_path: Path) -> Iterator[Housed]:
    """A project whose commands are limited by `before`."""
    made = Housed(tmp_path / "project", tmp_path / "home")
    for folder in (made.root, made.root / ".git", made.home):
        folder.mkdir()
    yield made
    made.end_all()


def check_and_go_on(project: Housed, count: int) -> None:
    """Nothing is told that is not so; without the limit, the same command completes it."""
    project.before = ()
    until(lambda: not any(run["state"] in ("running", "submitted") for run in project.runs()))
    for run in project.runs():
        assert run["state"] in ("queued", "stopped", "succeeded", "failed", "exited", "lost")
        if run["state"] in ("failed", "exited"):
            assert run["reason"]
    project.end_all()  # a supervisor that works under the limit
    project.nbbg("run", "train.ipynb", "--runs", str(count))
    project.nbbg("wait", "train")
    found = [run for run in project.runs("train") if run["state"] == "succeeded"]
    assert sorted(run["number"] for run in found) == list(range(1, count + 1))


@pytest.mark.parametrize("limit", sorted({7, 12, *range(4, 4 + MORE)}))
def test_few_open_files(housed: Housed, limit: int) -> None:
    """With a handful of open files a command says a sentence, or the run comes to its end."""
    housed.write("train.ipynb", "print('done')")
    housed.before = ("prlimit", f"--nofile={limit}")
    said = housed.nbbg("run", "train.ipynb", "--runs", "2", code=None)
    assert said.returncode in (0, 2), said.stderr
    assert len(said.stderr.splitlines()) <= 2, said.stderr
    for words in (("status",), ("status", "--json")):
        told = housed.nbbg(*words, code=None)
        assert told.returncode in (0, 2), told.stderr
        assert len(told.stderr.splitlines()) <= 3, told.stderr
    check_and_go_on(housed, 2)


@pytest.fixture
def poor() -> Iterator[Housed]:
    """A project of a user who may have few processes."""
    folder = Path(tempfile.mkdtemp(prefix="poor", dir="/tmp"))
    made = Housed(folder / "project", folder / "home")
    for each in (made.root, made.root / ".git", made.home):
        each.mkdir()
    made.write("train.ipynb", "print('done')")
    if os.geteuid() == 0:
        for each in (folder, *folder.rglob("*")):
            os.chown(each, SOMEBODY, SOMEBODY)
    yield made
    made.end_all()
    shutil.rmtree(folder)


@pytest.mark.parametrize("processes", [1, 2])
def test_no_processes_left(poor: Housed, processes: int) -> None:
    """Where no supervisor, runner or engine can be started it is said, and nothing is lost."""
    who: tuple[str, ...] = ()
    if os.geteuid() == 0:
        rights = ("--inh-caps=+dac_override", "--ambient-caps=+dac_override")  # to read this code
        ids = (f"--reuid={SOMEBODY}", f"--regid={SOMEBODY}", "--clear-groups")
        who = ("setpriv", *ids, *rights)
        poor.before = (*who, "prlimit", f"--nproc={processes}")
    else:  # who works here has processes already
        poor.before = ("prlimit", "--nproc=1")
    said = poor.nbbg("run", "train.ipynb", "--runs", "2", code=None)
    assert said.returncode in (0, 2)
    if processes == 1:
        assert "nbbg resume b1" in said.stderr
    poor.before = who
    until(lambda: not poor.members())
    assert [run["number"] for run in poor.runs()] == [1, 2]
    for run in poor.runs():
        assert run["state"] != "succeeded", run
        assert run["state"] in ("queued", "stopped") or run["reason"], run
    poor.nbbg("run", "train.ipynb", "--runs", "2")
    poor.nbbg("wait", "train")
    assert [run["state"] for run in poor.runs()] == ["succeeded"] * 2


TAKES = "held = []\nwhile True: held.append(bytearray(b'x') * (8 << 20))"


def test_no_memory_left_for_python(housed: Housed) -> None:
    """A notebook that gets no more memory ends in its cell, and says why."""
    limits = "import resource\nresource.setrlimit(resource.RLIMIT_AS, (1 << 29, 1 << 29))"
    housed.write("train.ipynb", limits, TAKES)
    housed.nbbg("run", "train.ipynb", "--wait", code=1)
    assert housed.run(1)["state"] in ("failed", "exited")  # nothing is left to show it with
    assert housed.run(1)["cell"] == 2
    shown = housed.nbbg("notebook", "1", "-o", "-").stdout  # whole, where IPython was all there
    assert "MemoryError" in housed.log(1) + shown


@pytest.fixture
def small_group() -> Iterator[Path | None]:
    """A cgroup with little memory; None where none can be made."""
    group = CGROUPS / f"nbbg-test-{os.getpid()}"
    try:
        group.mkdir()
    except OSError:
        yield None
        return
    (group / "memory.limit_in_bytes").write_text(str(120 << 20))
    yield group
    until(lambda: not (group / "cgroup.procs").read_text())
    group.rmdir()


def test_killed_for_memory(housed: Housed, small_group: Path | None) -> None:
    """A run that the kernel kills for memory says so, with the cell and what it had printed."""
    if small_group is None:
        return  # `test_no_memory_left_for_python` has to do
    enters = f"open({str(small_group / 'cgroup.procs')!r}, 'w').write('0')\nprint('inside')"
    housed.write("train.ipynb", enters, TAKES)
    housed.nbbg("run", "train.ipynb", "--wait", code=1)
    run = housed.run(1)
    assert (run["state"], run["signal"], run["cell"]) == ("killed", "SIGKILL", 2)
    assert "out of memory" in run["reason"]
    assert housed.log(1) == "inside\n"
