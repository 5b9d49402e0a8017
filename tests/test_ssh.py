"""Runs on other machines, over real sshd's on this one, each with a home of its own."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import threading
import time
from typing import TYPE_CHECKING

import pytest

import nbbg
from nbbg.ops import hosts
from tests import machines
from tests.places import COUNTS, GATE, files_with
from tests.project import LONG, until
from tests.wheels import make_index

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.machines import Machine
    from tests.project import Project


@pytest.fixture
def two(project: Project) -> Iterator[dict[str, Machine]]:
    """Two machines that the project knows, a connection to each of which is kept."""
    with machines.machines(project, "gpu1", "gpu2", shared=True) as made:
        machines.add(project, *made)
        yield made


@pytest.fixture
def apart(project: Project) -> Iterator[dict[str, Machine]]:
    """The same, with a connection of its own for each call, as ssh has it if nothing is said."""
    with machines.machines(project, "gpu1", "gpu2") as made:
        machines.add(project, *made)
        yield made


@pytest.fixture
def one(project: Project) -> Iterator[Machine]:
    """One machine that the project's ssh knows."""
    with machines.machines(project, "gpu1") as made:
        project.write("train.ipynb", COUNTS)
        yield made["gpu1"]


def states(project: Project, *names: str) -> list[str]:
    """The state of each run."""
    return [run["state"] for run in project.runs(*names)]


def numbers(*found: Machine) -> list[int]:
    """What the runs wrote on these machines, each its number."""
    texts = [
        path.read_text() for each in found if (path := each.home / "work/proj/numbers").exists()
    ]
    return sorted(int(line) for text in texts for line in text.split())


def test_runs_are_dealt_and_come_home(project: Project, two: dict[str, Machine]) -> None:
    """Half of the runs on each machine; records, logs and notebooks as if they had run here."""
    project.write("train.ipynb", COUNTS, "import nbbg\nnbbg.log(loss=0.5)\nprint('here')", "1 + 1")
    said = project.nbbg("run", "train.ipynb", "--runs", "4", "--on", "gpu1,gpu2").stdout
    assert "runs 1-4" in said
    project.nbbg("wait", "b1")
    assert states(project) == ["succeeded"] * 4
    assert [numbers(two["gpu1"]), numbers(two["gpu2"])] == [[1, 3], [2, 4]]
    run = project.run(3)
    assert (run["executor"], run["metrics"]) == ("ssh", {"loss": 0.5})
    assert "here" in project.log(3)
    table = project.nbbg("results").stdout.splitlines()
    assert [line.split()[6] for line in table] == ["machine", "gpu1", "gpu2", "gpu1", "gpu2"]
    some = project.nbbg("results", "--where", 'machine == "gpu2"', "--csv", "-").stdout
    assert [line.split(",")[3] for line in some.splitlines()] == ["run", "2", "4"]
    found = project.nbbg("compare", "--metric", "loss", "--by", "machine", "--json").stdout
    arms = {arm["arm"]: arm["runs"] for arm in json.loads(found)["arms"]}
    assert arms == {"train machine=gpu1": {"1": 1, "3": 3}, "train machine=gpu2": {"2": 2, "4": 4}}
    assert project.put_out(3)["cells"][2]["outputs"][0]["data"] == {"text/plain": "2"}


CUTS = int(os.environ.get("NBBG_CUTS", "5"))  # of the link, at random


def cut(link: machines.Link, dice: random.Random) -> None:
    """Cut what goes through a link, at some instant of its work."""
    goal, deadline = link.passed + dice.randrange(60_000), time.monotonic() + 2 * dice.random()
    until(lambda: link.passed >= goal or time.monotonic() > deadline)
    link.cut()


def test_a_link_that_is_cut_at_random_heals(project: Project, apart: dict[str, Machine]) -> None:
    """Launch, status and fetch while both links break: each number once, each log whole."""
    lines = "import time\nfor i in range(40):\n    print('line', i)\n    time.sleep(0.02)"
    project.write("train.ipynb", COUNTS, lines)
    dice = random.Random(CUTS)  # noqa: S311 - no secret
    over = threading.Event()
    count = [0]

    def break_them() -> None:
        while count[0] < CUTS and not over.is_set():
            cut(dice.choice([each.link for each in apart.values()]), dice)
            count[0] += 1

    breaking = threading.Thread(target=break_them)
    breaking.start()
    words = ("run", "train.ipynb", "--runs", "12", "--on", "gpu1,gpu2", "--jobs", "3")
    try:
        while breaking.is_alive() or set(states(project)) != {"succeeded"}:
            project.nbbg(*words, code=None)
            project.nbbg("status", code=None)
            told = {run["state"]: run["reason"] for run in project.runs()}
            assert not {"failed", "lost", "killed", "stopped"}.intersection(told), told
    finally:
        over.set()
        breaking.join()
    assert count[0] == CUTS
    assert len(project.runs()) == 12
    assert numbers(*apart.values()) == list(range(1, 13))
    whole = "".join(f"line {i}\n" for i in range(40))
    assert [project.log(run) for run in range(1, 13)] == [whole] * 12
    assert all(project.put_out(run)["cells"][1]["outputs"] for run in range(1, 13))


def test_a_machine_that_is_not_reached_is_unknown(
    project: Project, two: dict[str, Machine]
) -> None:
    """Its runs go on; here they are unknown, with ssh's words; a stop is told when it is back."""
    project.write("train.ipynb", f"print('begun')\n{LONG}")
    project.nbbg("run", "train.ipynb", "--runs", "4", "--on", "gpu1,gpu2", "--grace", "1")
    project.until_running(1, "begun")
    project.until_running(2, "begun")
    assert states(project) == ["running", "running", "submitted", "submitted"]
    assert "gpu2" in project.nbbg("status").stdout
    two["gpu1"].kill()
    until(lambda: states(project) == ["unknown", "running", "unknown", "submitted"])
    assert "Connection" in project.run(1)["reason"]
    said = project.nbbg("stop", "b1").stderr
    assert "run 1: the stop is recorded, and told when they are reached" in said
    assert states(project, "2", "3", "4") == ["stopped"] * 3
    two["gpu1"].start()
    until(lambda: project.state(1) == "stopped")
    assert len(numbers(*two.values())) == 0


def test_a_stop_that_nobody_was_told_of(project: Project, one: Machine) -> None:
    """What may have begun unseen is unknown, and what came of it arrives."""
    machines.add(project, "gpu1")
    project.write("train.ipynb", GATE, COUNTS)
    launched = project.nbbg("run", "train.ipynb", "--on", "gpu1").stdout
    assert "1 at a time on gpu1, ssh" in launched
    begun = "work/proj/.nbbg/from/*/batches/1/runs/1/1/process.json"
    until(lambda: any(one.home.glob(begun)))
    one.kill()
    said = project.nbbg("stop", "1")
    assert "run 1: the stop is recorded, and told when they are reached" in said.stderr
    assert "will not start" not in said.stdout
    assert project.state(1) == "unknown"
    assert "asked to stop, once gpu1 is reached" in project.run(1)["reason"]
    (one.home / "work/proj/go").touch()
    until(lambda: numbers(one) == [1])
    one.start()
    until(lambda: project.state(1) == "succeeded")


def test_a_stop_that_a_host_has_confirmed(project: Project, one: Machine) -> None:
    """It is a fact here, which needs nobody's word any more, and can be taken back."""
    machines.add(project, "gpu1")
    project.write("train.ipynb", GATE, COUNTS)
    project.nbbg("run", "train.ipynb", "--runs", "2", "--on", "gpu1")
    assert project.nbbg("stop", "2").stdout == "run 2 will not start\n"
    (project.batch("b1") / "told.json").unlink()
    (project.root / ".nbbg/index.db").unlink()
    (one.home / "work/proj/go").touch()
    until(lambda: states(project) == ["succeeded", "stopped"])
    project.nbbg("resume", "2")
    project.nbbg("wait", "b1")
    assert numbers(one) == [1, 2]


def test_a_fresh_client_adopts_what_was_left(project: Project, two: dict[str, Machine]) -> None:
    """The store here is deleted after the launch; the runs finish, and another store has all."""
    project.write("train.ipynb", GATE, COUNTS)
    project.nbbg("run", "train.ipynb", "--runs", "4", "--on", "gpu1,gpu2", "--jobs", "2")
    shutil.rmtree(project.root / ".nbbg")
    for each in two.values():
        (each.home / "work/proj/go").touch()
    until(lambda: numbers(*two.values()) == [1, 2, 3, 4])
    machines.add(project, "gpu1")
    said = project.nbbg("host", "adopt", "gpu1").stdout
    assert "b1" in said
    token = said.split()[0]
    said_then = project.nbbg("host", "adopt", "gpu1", token)
    assert "adopted: b1" in said_then.stdout
    assert "nbbg host add gpu2" in said_then.stderr
    assert states(project) == ["succeeded", "unknown", "succeeded", "unknown"]
    machines.add(project, "gpu2")
    until(lambda: states(project) == ["succeeded"] * 4)
    assert project.put_out(4)["cells"][0]["outputs"]
    # It is a project as any other.
    project.nbbg("run", "train.ipynb", "--runs", "5", "--on", "gpu1")
    project.nbbg("wait", "5")
    assert numbers(*two.values()) == [1, 2, 3, 4, 5]


def refused(project: Project, *words: str) -> list[str]:
    """What a launch there says that is refused; nothing is recorded of it."""
    said = project.nbbg("run", "train.ipynb", "--on", "gpu1", *words, code=2).stderr
    assert not list((project.root / ".nbbg").glob("batches/*"))
    lines = said.rstrip().split("\n")
    assert len(lines) <= 2, said
    return lines


def test_what_is_wrong_is_said_in_its_own_words(project: Project, one: Machine) -> None:
    """Unknown host, refused key, changed key, no rsync, no nbbg: nothing is launched."""
    assert "there is no host gpu1" in refused(project)[0]
    machines.add(project, "gpu1")
    keys = one.folder / "authorized"
    there = keys.read_text()
    keys.write_text("")
    assert "Permission denied (publickey)" in refused(project)[0]
    keys.write_text(there)
    one.lock_down(["sh", "env"])
    assert refused(project)[0] == "nbbg: gpu1: it has no rsync"
    one.lock_down([])
    one.kill()
    assert "Connection" in refused(project)[0]
    one.new_host_key()
    one.start()
    found = refused(project)
    assert "its host key has changed" in found[0]
    assert re.search("ssh-keygen (-f .* )?-R", found[1])


def test_a_machine_without_python_or_a_name(project: Project, one: Machine) -> None:
    """No Python there, a machine that nobody knows, a place that is none: said, not launched."""
    project.nbbg("host", "add", "gpu1", "gpu1:work/proj")
    one.lock_down(["sh", "mkdir", "rm", "find", "rsync"])
    found = refused(project)
    assert "neither uv nor a Python 3.11" in found[0]
    assert "--wheels FOLDER" in found[1]
    assert not list((one.home / ".cache/nbbg/far").glob("*"))
    project.nbbg("host", "remove", "gpu1")
    project.nbbg("host", "add", "gpu1", "nowhere.invalid:work/proj")
    assert "nowhere.invalid" in refused(project)[0]
    bad = project.nbbg("host", "add", "--", "gpu2", "-oProxyCommand=x:y", code=2)
    assert "names no machine" in bad.stderr
    assert "can't name a host" in project.nbbg("host", "add", "a/b", "x:y", code=2).stderr


def test_a_host_that_is_given_up(project: Project, two: dict[str, Machine]) -> None:
    """Its runs are lost, and say so; `resume` deals them to the other host of the batch."""
    project.write("train.ipynb", GATE, COUNTS)
    project.nbbg("run", "train.ipynb", "--runs", "4", "--on", "gpu1,gpu2")
    project.until_running(1, "at the gate")
    two["gpu1"].kill()
    project.nbbg("host", "give-up", "gpu1")
    until(lambda: states(project, "1", "3") == ["lost", "lost"])
    assert "given up by" in project.run(1)["reason"]
    (two["gpu2"].home / "work/proj/go").touch()
    project.nbbg("resume")
    project.nbbg("wait", "b1")
    assert states(project) == ["succeeded"] * 4
    assert numbers(two["gpu2"]) == [1, 2, 3, 4]
    assert [run["attempt"] for run in project.runs()] == [2, 1, 1, 1]


def test_a_failed_run_is_tried_again_where_it_was(project: Project, one: Machine) -> None:
    """`retry` makes the next attempt on the same machine; `.env` and data go along."""
    machines.add(project, "gpu1")
    (project.root / ".env").write_text("MY_TOKEN=very-secret-thing\n")
    (project.root / "data").mkdir()
    (project.root / "data/x").write_text("1")
    cell = (
        "import os, pathlib\nassert os.environ['MY_TOKEN'][:4] == 'very'\n"
        "print(os.environ['MY_TOKEN'])\nassert pathlib.Path('data/x').read_text() == '1'\n"
        "assert os.environ['NBBG_ATTEMPT'] == '2'\nimport mine\n"
        "pathlib.Path(os.environ['NBBG_CHECKPOINT_DIR'], 'c').write_text('saved')"
    )
    (project.root / "mine.py").write_text("")
    project.write("train.ipynb", cell)
    project.nbbg("run", "train.ipynb", "--on", "gpu1", "--send", "data", "--gpus", "0")
    project.nbbg("wait", "b1", code=1)
    project.nbbg("retry", "1")
    project.nbbg("wait", "b1")
    run = project.run(1)
    assert (run["state"], run["attempt"], run["gpu"]) == ("succeeded", 2, "0")
    assert not files_with(one.home, ["very-secret-thing"])
    assert not files_with(project.root / ".nbbg", ["very-secret-thing"])
    project.nbbg("pull", "--checkpoint", "--path", "data")
    assert (project.batch("b1") / "runs/1/checkpoint/c").read_text() == "saved"
    assert (project.root / "pulled/gpu1/data/x").read_text() == "1"


def test_what_waits_is_dealt_anew(project: Project, two: dict[str, Machine]) -> None:
    """`resume --on` moves what a host confirms it has not started, there and back again."""
    project.write("train.ipynb", GATE, COUNTS)
    project.nbbg("run", "train.ipynb", "--runs", "4", "--on", "gpu1")
    project.until_running(1, "at the gate")
    project.nbbg("resume", "b1", "--on", "gpu2")
    assert [run["machine"] for run in project.runs()] == ["gpu1", "gpu2", "gpu2", "gpu2"]
    project.until_running(2, "at the gate")
    project.nbbg("resume", "b1", "--on", "gpu1,gpu2")
    assert [run["machine"] for run in project.runs()] == ["gpu1", "gpu2", "gpu1", "gpu2"]
    for each in two.values():
        (each.home / "work/proj/go").touch()
    project.nbbg("wait", "b1")
    assert states(project) == ["succeeded"] * 4
    assert [numbers(two["gpu1"]), numbers(two["gpu2"])] == [[1, 3], [2, 4]]


def test_nbbg_is_set_up_there(project: Project, one: Machine, tmp_path: Path) -> None:
    """A machine without a package index and without nbbg gets it from wheels carried over."""
    wheels = make_index(tmp_path / "wheels", "nbbg")
    (wheels / "nbbg-0.0.1-py3-none-any.whl").write_text("another version, as `pip download` brings")
    project.nbbg("host", "add", "gpu1", "gpu1:work/proj", "--wheels", wheels)
    project.environment["NBBG_PYTHON"] = ""
    said = project.nbbg("host", "check", timeout=110).stdout
    assert "runs in " in said
    assert len(list((one.home / ".cache/nbbg/far").iterdir())) == 1
    launched = project.nbbg("run", "train.ipynb", "--on", "gpu1").stdout
    assert "ipython, the python of each machine, to outputs/train/" in launched
    until(lambda: any(one.home.glob("work/proj/.nbbg/from/*/batches/1/runs/1/1/result.json")))
    shutil.rmtree(one.home / ".cache/nbbg/far")  # as where nbbg was upgraded here since
    project.nbbg("wait", "b1", timeout=110)
    assert numbers(one) == [1]
    # Nobody else may write to what is executed, though the login there has a umask of 0.
    (made,) = (one.home / ".cache/nbbg/far").iterdir()
    assert not [path for path in (made.parent, made, made / "env") if path.stat().st_mode & 0o77]


def test_a_full_disk_there_publishes_nothing(project: Project, one: Machine) -> None:
    """What can't be carried is said in rsync's words, waits here, and goes when there is room."""
    work = one.home / "work"
    work.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=80m,nr_inodes=30", "none", str(work)]
    if subprocess.run(mount, check=False).returncode:
        pytest.skip("this user may not mount")
    try:
        machines.add(project, "gpu1")
        said = project.nbbg("run", "train.ipynb", "--on", "gpu1", code=2).stderr
        assert "No space left on device" in said
        assert said.endswith("b1 is recorded; to submit it again: nbbg resume b1\n")
        assert states(project) == ["queued"]
        assert not list(work.glob("proj/.nbbg/from/*/batches/1"))
        subprocess.run(["mount", "-o", "remount,nr_inodes=9000", work], check=True)
        project.nbbg("resume", "b1")
        project.nbbg("wait", "b1")
        assert numbers(one) == [1]
    finally:
        project.end_all()
        machines.end_all(one.home)
        subprocess.run(["umount", work], check=True)


def test_what_a_person_should_know_of_a_host() -> None:
    """Another version of nbbg there, or another time, is said."""
    other, late = hosts.notes({"version": "0.0.1"}, -120.0)
    assert other.startswith("nbbg 0.0.1 there")
    assert late.startswith("its clock is 120 s behind this one")
    assert hosts.notes({"version": nbbg.__version__}, 2.0) == []
