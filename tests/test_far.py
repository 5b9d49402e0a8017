"""What two sides that are not alike, or that die halfway, make of each other: over real sshd's."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import nbbg
from nbbg import faults, model, paths
from nbbg.executors.ssh import Ssh
from nbbg.store import submissions
from tests import machines
from tests.places import COUNTS, GATE
from tests.project import PYTHON, until
from tests.test_ssh import numbers, states

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.machines import Machine
    from tests.project import Project

_CUT = """\
#!/bin/sh
case "$*" in *"nbbg.far take"*)
    cat >{top}/asked
    if grep -q '"incoming": ".new' {top}/asked; then
        mv {top}/asked {top}/late && echo "Connection closed" >&2 && exit 255
    fi
    exec /usr/bin/ssh -F {folder}/config "$@" <{top}/asked ;;
esac
exec /usr/bin/ssh -F {folder}/config "$@"
"""


@pytest.fixture
def one(project: Project) -> Iterator[Machine]:
    """One machine that the project knows."""
    with machines.machines(project, "gpu1") as made:
        machines.add(project, "gpu1")
        yield made["gpu1"]


@pytest.fixture
def two(project: Project) -> Iterator[dict[str, Machine]]:
    """Two machines that the project knows."""
    with machines.machines(project, "gpu1", "gpu2") as made:
        machines.add(project, *made)
        yield made


def another_nbbg(folder: Path, version: str, written: int) -> Path:
    """A Python with an nbbg of another version, that writes records of that format."""
    packages = folder / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    shutil.copytree(
        Path(nbbg.__file__).parent, packages / "nbbg", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name, old, new in (
        ("__init__.py", f'__version__ = "{nbbg.__version__}"', f'__version__ = "{version}"'),
        ("paths.py", f"FORMAT_VERSION = {paths.FORMAT_VERSION}", f"FORMAT_VERSION = {written}"),
    ):
        path = packages / "nbbg" / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
    here = Path(PYTHON).parents[1]
    (packages / "all.pth").write_text(f"{here}/{packages.relative_to(folder)}\n")
    (folder / "pyvenv.cfg").write_text((here / "pyvenv.cfg").read_text())
    (folder / "bin").mkdir()
    python = folder / "bin/python"
    python.symlink_to(os.path.realpath(PYTHON))
    return python


def test_another_version_of_the_same_format_works(
    project: Project, one: Machine, tmp_path: Path
) -> None:
    """It is said, and runs are carried there and come home, whichever side is the newer."""
    project.write("train.ipynb", COUNTS)
    for name, version in (("older", "0.0.7"), ("newer", "77.0")):
        python = another_nbbg(tmp_path / name, version, paths.FORMAT_VERSION)
        words = ("host", "add", name, f"gpu1:{name}", "--python", PYTHON)
        project.nbbg(*words, "--nbbg", python)
        said = project.nbbg("host", "check", name).stdout
        assert f"nbbg {version} there, {nbbg.__version__} here: the format is the same" in said
        project.nbbg("run", "train.ipynb", "--on", name, "--note", name)
    project.nbbg("wait", "b1", "b2")
    assert states(project) == ["succeeded"] * 2
    found = [(one.home / name / "numbers").read_text() for name in ("older", "newer")]
    assert found == ["1\n", "2\n"]


def test_another_format_is_refused_before_anything_is_done(
    project: Project, one: Machine, tmp_path: Path
) -> None:
    """Whichever side is the newer: one sentence, and nothing was started there or recorded here."""
    project.write("train.ipynb", COUNTS)
    python = another_nbbg(tmp_path / "newer", "77.0", paths.FORMAT_VERSION + 1)
    project.nbbg("host", "add", "newer", "gpu1:newer", "--python", PYTHON, "--nbbg", python)
    said = project.nbbg("run", "train.ipynb", "--on", "newer", code=2).stderr
    assert said.startswith("nbbg: newer: its nbbg 77.0 writes records of format 2, this one of 1\n")
    assert not (project.batch("b1")).exists()
    # The client is upgraded after a launch: its `resume` starts nothing there.
    project.nbbg("run", "train.ipynb", "--on", "gpu1")
    project.nbbg("wait", "b1")
    (config,) = one.home.glob("work/proj/.nbbg/from/*")
    before = sorted(config.rglob("*"))
    request = f'{{"folder": "work/proj", "token": "{config.name}", "format": 2}}'
    for verb in ("take", "give-back", "signal", "stores"):
        words = [PYTHON, "-P", "-m", "nbbg.far", verb]
        done = subprocess.run(
            words, cwd=one.home, input=request, capture_output=True, text=True, check=True
        )
        assert '"fault": "records of another format"' in done.stdout
    assert sorted(config.rglob("*")) == before


def test_a_take_that_comes_too_late_takes_nothing(
    project: Project, two: dict[str, Machine]
) -> None:
    """A host that begins to take runs when they were dealt to another one leaves them to that."""
    project.write("train.ipynb", COUNTS)
    top = two["gpu1"].folder.parent
    link = top / "bin/ssh"
    usual = link.read_text()
    link.write_text(_CUT.format(top=top, folder=top))
    said = project.nbbg("run", "train.ipynb", "--runs", "2", "--on", "gpu1", code=2).stderr
    assert "Connection closed" in said
    link.write_text(usual)
    project.nbbg("resume", "b1", "--on", "gpu2")
    late = (top / "late").read_text()
    done = subprocess.run(
        ["/usr/bin/ssh", "-F", top / "config", "gpu1", f"{PYTHON} -P -m nbbg.far take"],
        input=late,
        capture_output=True,
        text=True,
        check=True,
    )
    assert '"given": [[1, 2]]' in done.stdout
    project.nbbg("wait", "b1")
    assert [numbers(two["gpu1"]), numbers(two["gpu2"])] == [[], [1, 2]]
    # And where it is wanted there after all, it goes there.
    project.nbbg("run", "train.ipynb", "--runs", "4", "--on", "gpu1")
    project.nbbg("wait", "b2")
    assert numbers(*two.values()) == [1, 2, 3, 4]


def test_a_move_that_is_cut_is_begun_again(project: Project, two: dict[str, Machine]) -> None:
    """Runs that were given back, and dealt to nobody since, are dealt to their host again."""
    project.write("train.ipynb", GATE, COUNTS)
    project.nbbg("run", "train.ipynb", "--runs", "3", "--on", "gpu1")
    project.until_running(1, "at the gate")
    kill_at(project, "before 2.json", "resume", "b1", "--on", "gpu2")
    (two["gpu1"].home / "work/proj/go").touch()
    project.nbbg("wait", "1")
    assert numbers(two["gpu1"]) == [1]
    project.nbbg("resume", "b1")
    project.nbbg("wait", "b1")
    assert sorted(numbers(*two.values())) == [1, 2, 3]


def test_who_adopts_knows_where_runs_went(project: Project, two: dict[str, Machine]) -> None:
    """Runs that were dealt anew since the launch are not started again by a fresh client."""
    project.write("train.ipynb", GATE, COUNTS)
    project.nbbg("run", "train.ipynb", "--runs", "2", "--on", "gpu1")
    project.until_running(1, "at the gate")
    project.nbbg("resume", "b1", "--on", "gpu2")
    project.until_running(2, "at the gate")
    shutil.rmtree(project.root / ".nbbg")
    machines.add(project, "gpu1", "gpu2")
    token = project.nbbg("host", "adopt", "gpu1").stdout.split()[0]
    project.nbbg("host", "adopt", "gpu1", token)
    until(lambda: states(project) == ["running", "running"])
    project.nbbg("resume")
    # What only the other one knows is learned from it.
    (project.batch("b1") / paths.JOBS / "2.json").unlink()
    project.nbbg("host", "adopt", "gpu2", token)
    assert (project.batch("b1") / paths.JOBS / "2.json").exists()
    for each in two.values():
        (each.home / "work/proj/go").touch()
    project.nbbg("wait", "b1")
    assert [numbers(two["gpu1"]), numbers(two["gpu2"])] == [[1], [2]]


def kill_at(project: Project, step: str, *words: str) -> None:
    """Have a command killed at a step of its own."""
    folder = project.home / "faults"
    (folder / faults.FIRED).mkdir(parents=True, exist_ok=True)
    (folder / step).write_text("9")
    project.environment[faults.NAME] = str(folder)
    project.nbbg(*words, code=-signal.SIGKILL)
    del project.environment[faults.NAME]


def test_a_run_is_handed_over_alone_and_signalled(
    project: Project, one: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`submit` gives a host one run, once; `cancel` reaches its runner; what has ended stays so."""
    project.write("train.ipynb", "import os\nopen('began', 'a').write('x')", GATE)
    kill_at(project, "before 1.json", "run", "train.ipynb", "--on", "gpu1")
    batch = project.batch("b1")
    assert not submissions.of(batch)
    monkeypatch.setenv("PATH", project.environment["PATH"])
    executor, attempt = Ssh(), batch / "runs/1/1"
    tickets = {executor.submit(attempt).place["job"] for _ in range(2)}
    assert tickets == {f"{batch}:gpu1:1"}
    (ticket,) = tickets
    until(lambda: executor.poll([ticket])[ticket].word is model.Word.RUNNING)
    until((one.home / "work/proj/began").exists)
    executor.cancel(ticket, signal.SIGTERM)
    until(lambda: project.state(1) == "stopped")
    executor.cancel(ticket, signal.SIGTERM)
    assert executor.submit(attempt).place["job"] == ticket
    assert project.state(1) == "stopped"
    assert (one.home / "work/proj/began").read_text() == "x"


def test_a_host_that_was_given_up_and_comes_back(project: Project, two: dict[str, Machine]) -> None:
    """What it did all the while is not taken for what the other host did since."""
    project.write("train.ipynb", "import os\nprint('on', os.environ['HOME'])", GATE, COUNTS)
    project.nbbg("run", "train.ipynb", "--runs", "2", "--on", "gpu1", "--jobs", "1")
    project.until_running(1, "at the gate")
    two["gpu1"].kill()
    project.nbbg("host", "give-up", "gpu1")
    project.nbbg("resume", "--on", "gpu2")
    (two["gpu1"].home / "work/proj/go").touch()
    # Run 1 was seen to be at work on this very machine, and is ended before it begins elsewhere.
    until(lambda: numbers(two["gpu1"]) == [2])
    two["gpu1"].start()
    project.nbbg("host", "remove", "gpu1")
    machines.add(project, "gpu1")
    until(lambda: states(project) == ["submitted", "running"])
    assert not (project.batch("b1") / "runs/2/1" / paths.RESULT).exists()
    (two["gpu2"].home / "work/proj/go").touch()
    project.nbbg("wait", "b1")
    assert all("homes/gpu2" in project.log(run) for run in (1, 2))
    assert numbers(two["gpu2"]) == [1, 2]


def test_a_copied_project_does_not_mix_with_its_origin(project: Project, one: Machine) -> None:
    """A copy of the store is called as its origin: its batches are told from each other's."""
    project.write("train.ipynb", COUNTS)
    project.nbbg("run", "train.ipynb", "--on", "gpu1")
    project.nbbg("wait", "b1")
    copy = project.root.parent / "copy"
    shutil.copytree(project.root, copy)
    project.nbbg("run", "train.ipynb", "--runs", "2", "--on", "gpu1")
    project.nbbg("wait", "2")
    said = project.nbbg("run", "train.ipynb", "--runs", "3", "--on", "gpu1", folder=copy, code=2)
    assert "b2 there is another project's, of which this one is a copy" in said.stderr
    assert "rm .nbbg/called" in said.stderr
    assert "another project's" in project.nbbg("status", folder=copy).stdout
    (copy / ".nbbg/called").unlink()
    until(lambda: "queued" in project.nbbg("status", folder=copy).stdout)
    project.nbbg("resume", folder=copy)
    project.nbbg("wait", "b2", folder=copy)
    assert numbers(one) == [1, 2, 2, 3]


def test_what_is_no_text_comes_home(project: Project, one: Machine) -> None:
    """A record with bytes that are no text hides neither its run nor the others."""
    project.write("train.ipynb", COUNTS)
    project.nbbg("run", "train.ipynb", "--runs", "2", "--on", "gpu1")
    until(lambda: len(list(one.home.rglob(paths.RESULT))) == len("12"))
    (there,) = one.home.glob(f"work/proj/.nbbg/from/*/batches/1/runs/1/1/{paths.RESULT}")
    there.write_bytes(there.read_bytes().replace(b'"note": ""', b'"note": "caf\xe9"'))
    assert b"\xe9" in there.read_bytes()
    until(lambda: states(project)[1] == "succeeded")
    assert (project.attempt(1) / paths.RESULT).read_bytes() == there.read_bytes()


def test_one_batch_that_is_broken_there_hides_no_other(project: Project, one: Machine) -> None:
    """Its runs are unknown, and what can't be read is named; those of others come home."""
    project.write("train.ipynb", GATE)
    project.nbbg("run", "train.ipynb", "--on", "gpu1")
    project.until_running(1, "at the gate")
    (there,) = one.home.glob("work/proj/.nbbg/from/*/batches/1")
    (there / paths.BATCH).write_text("{")
    project.write("other.ipynb", COUNTS)
    project.nbbg("run", "other.ipynb", "--on", "gpu1")
    project.nbbg("wait", "2", timeout=30)
    assert states(project) == ["unknown", "succeeded"]
    assert "b1 can't be read there" in project.run(1)["reason"]


def test_the_records_of_one_side_are_not_sent_as_data(project: Project, one: Machine) -> None:
    """`--send .` and `pull --path .` carry the project's files, and not the records of either."""
    project.write("train.ipynb", COUNTS)
    (project.root / ".env").write_text("A=1\n")
    project.nbbg("run", "train.ipynb", "--on", "gpu1", "--send", ".")
    project.nbbg("wait", "b1")
    there = one.home / "work/proj"
    assert (there / "train.ipynb").exists()
    assert sorted(path.name for path in (there / ".nbbg").iterdir()) == [".gitignore", "from"]
    project.nbbg("pull", "--path", ".")
    assert (project.root / "pulled/gpu1/numbers").read_text() == "1\n"
    assert not (project.root / "pulled/gpu1/.nbbg").exists()
    name = "a 'name'\n\"of\" two lines"
    (there / name).write_text("x")
    project.nbbg("pull", "--path", name)
    assert (project.root / "pulled/gpu1" / name).read_text() == "x"
    modes = {path: path.stat().st_mode & 0o77 for path in there.glob(".nbbg/**/*")}
    assert not {path for path, mode in modes.items() if mode}


def test_names_that_mean_something_to_a_shell(project: Project, one: Machine) -> None:
    """A folder there may be called anything; nothing of it is carried out."""
    folder = 'it\'s $(touch owned) `touch owned`; touch owned & "x" *'
    words = ("host", "add", "odd", f"gpu1:{folder}", "--nbbg", PYTHON, "--python", PYTHON)
    project.nbbg(*words)
    project.write("train.ipynb", COUNTS)
    (project.root / "da;ta&$(x)").mkdir()
    (project.root / "da;ta&$(x)/a").write_text("1")
    project.nbbg("run", "train.ipynb", "--on", "odd", "--send", "da;ta&$(x)")
    project.nbbg("wait", "b1")
    assert (one.home / folder / "numbers").read_text() == "1\n"
    assert (one.home / folder / "da;ta&$(x)/a").read_text() == "1"
    assert not list(one.home.rglob("owned"))
