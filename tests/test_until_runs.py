"""`nbbg run a b --until decided` with real notebooks: launched, killed, told, and asked again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import TYPE_CHECKING

import nbbg
from tests.project import PYTHON, until

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.project import Project

WORK = "import os, nbbg\nnbbg.log(accuracy={} + int(os.environ['SEED']) % 3)"
UNTIL = ("--until", "decided", "--metric", "accuracy", "--max-runs", "8", "-j", "4")


def write(project: Project) -> None:
    """Two arms, of which the second is better."""
    project.write("resnet.ipynb", WORK.format(0))
    project.write("vit.ipynb", WORK.format(1))


def test_until_decided(project: Project) -> None:
    """Decided at the first look though its supervisor was killed, and said by every command."""
    write(project)
    first = project.nbbg("run", "resnet.ipynb", "vit.ipynb", *UNTIL).stdout
    assert "until decided by accuracy: looked at after 6, 7, 8 runs of each arm" in first
    until(lambda: project.state(2) == "succeeded")
    if pid := project.supervisor():
        os.kill(pid, signal.SIGKILL)
    again = project.nbbg("run", "resnet.ipynb", "vit.ipynb", *UNTIL, "--wait")
    verdict = "decided: vit is better than resnet (look 1 of 3, 6 seeds)"
    assert f"{verdict}; 4 were not needed" in again.stderr
    (batch,) = project.status()["batches"]
    assert (batch["counts"], batch["total"], batch["done"]) == ({"succeeded": 12}, 12, 12)
    assert (batch["until"]["winner"], batch["until"]["over"]) == ("vit", True)
    assert f"{verdict}; 4 were not needed" in project.nbbg("status").stdout
    assert verdict in project.nbbg("show", "3").stdout
    assert verdict in project.nbbg("resume", "b1").stderr
    compared = project.nbbg("compare", "--metric", "accuracy")
    assert f"b1: {verdict}" in compared.stderr
    assert "stopped" not in compared.stderr
    assert "stopped" not in project.nbbg("results").stdout
    once_more = project.nbbg("run", "resnet.ipynb", "vit.ipynb", *UNTIL, "--wait").stdout
    assert f"b1: {verdict}" in once_more
    assert [run["state"] for run in project.runs()] == ["succeeded"] * 12 + ["stopped"] * 4
    project.nbbg("resume", "16")
    until(lambda: project.state(16) == "succeeded")
    assert project.state(15) == "stopped"


def test_new_runs_alone_count(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that were there before the looks were fixed have no part in them; from Python too."""
    write(project)
    project.nbbg("run", "resnet.ipynb", "--runs", "2", "-j", "2", "--wait")
    monkeypatch.chdir(project.root)
    monkeypatch.setenv("HOME", str(project.home))
    monkeypatch.setenv("NBBG_PYTHON", PYTHON)
    batch = nbbg.run(
        ["resnet.ipynb", "vit.ipynb"],
        until="decided",
        metric="accuracy",
        max_runs=6,
        jobs=4,
        lower_is_better=True,
    )
    batch.wait()
    assert batch.verdict == "decided: resnet is better than vit (look 1 of 1, 6 seeds)"
    assert sorted({run.number for run in batch.runs}) == [3, 4, 5, 6, 7, 8]
    look = json.loads((project.batch("b2") / "look-1.json").read_text())
    assert sorted(map(int, look["values"]["vit"])) == [3, 4, 5, 6, 7, 8]


def test_without_scipy_nothing_is_launched(project: Project, tmp_path: Path) -> None:
    """What to install is said before anything is created."""
    write(project)
    (tmp_path / "scipy.py").write_text("raise ModuleNotFoundError('no', name='scipy')")
    project.environment["PYTHONPATH"] = str(tmp_path)
    done = project.nbbg("run", "resnet.ipynb", "vit.ipynb", *UNTIL, code=2)
    assert "pip install 'nbbg[compare]'" in done.stderr
    assert not (project.root / ".nbbg").exists()


def test_a_sweep_with_a_wrong_metric(project: Project) -> None:
    """Three arms stop at their first look where the metric is none, naming those that there are."""
    project.write("train.ipynb", "import nbbg\nnbbg.log(loss=lr)", parameters="lr = 0.1")
    sweep = ("train.ipynb", "-p", "lr=1,2,3", "--baseline", "train/lr=1")
    asked = ("--until", "decided", "--metric", "acc", "--max-runs", "9")
    done = project.nbbg("run", *sweep, *asked, "-j", "4", "--wait", code=1)
    assert "look 1: no run has a metric 'acc'; there are loss" in done.stderr
    counts = project.status()["batches"][0]["counts"]
    assert counts["succeeded"] % 3 == 0
    assert counts["stopped"] == 27 - counts["succeeded"]


def test_one_launch_of_two(project: Project) -> None:
    """The same command twice at the same instant makes one batch."""
    write(project)
    argv = [PYTHON, "-P", "-m", "nbbg", "run", "resnet.ipynb", "vit.ipynb", *UNTIL]
    both = [
        subprocess.Popen(argv, cwd=project.root, env=project.environ(), stdout=subprocess.DEVNULL)
        for _ in range(2)
    ]
    assert [child.wait(60) for child in both] == [0, 0]
    assert len(project.status()["batches"]) == 1
    project.nbbg("stop", "b1")
