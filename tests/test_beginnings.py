"""What is wrong around a notebook rather than in it: its errors, modules, interpreter, folder."""

from __future__ import annotations

import json
import os
import shutil
import sysconfig
import venv
from typing import TYPE_CHECKING

import pytest

from nbbg.ops import missing
from tests.places import GATE, open_gate

if TYPE_CHECKING:
    from pathlib import Path

    from tests.project import Project

ENGINES = pytest.mark.parametrize("engine", ["ipython", "kernel"])


@ENGINES
def test_errors_that_are_allowed(project: Project, engine: str) -> None:
    """All cells are executed; it succeeds, and says which of them raised."""
    project.write("train.ipynb", "1 / 0", "x = 1", "import nowhere", "print('last')")
    project.write("exits.ipynb", "1 / 0", "import sys\nsys.exit(3)", "print('never')")
    words = ("train.ipynb", "exits.ipynb", "--allow-errors", "--engine", engine)
    project.nbbg("run", *words, "--results", "x", "--wait", code=1)
    first, second = project.runs()
    assert (first["state"], first["exit_code"]) == ("succeeded", 0)
    assert first["reason"] == "errors allowed, and raised in cells: 1, 3"
    assert (second["state"], second["reason"]) == ("exited", "exit code 3 in cell 2")
    assert (project.attempt(1) / "results" / "x.json").read_text() == "1"
    cells = project.executed(1)["cells"]
    said = [cell["metadata"]["papermill"]["status"] for cell in cells]
    assert said == ["failed", "completed", "failed", "completed"]
    assert cells[0]["outputs"][0]["ename"] == "ZeroDivisionError"


@ENGINES
def test_a_module_that_is_not_there(project: Project, engine: str) -> None:
    """`show` has the line that installs it where the run looked for it; a debugger is passed by."""
    project.write("train.ipynb", "import sklearn_of_another_world.deep")
    project.write("forgot.ipynb", "breakpoint()")
    project.nbbg("run", "train.ipynb", "forgot.ipynb", "--engine", engine, "--wait", code=1)
    shown = project.nbbg("show", "1").stdout
    python = project.environ()["NBBG_PYTHON"]
    assert f"\n  {python} -m pip install sklearn-of-another-world\n" in shown
    assert "\n  nbbg retry 1\n" in shown
    assert project.run(2)["state"] == "succeeded"
    assert "breakpoint() is passed by" in project.nbbg("logs", "2").stdout


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("ModuleNotFoundError", "No module named 'cv2'", "opencv-python-headless"),
        ("ModuleNotFoundError", "No module named 'sklearn.svm'", "scikit-learn"),
        ("ModuleNotFoundError", "No module named 'PIL'", "pillow"),
        ("ModuleNotFoundError", "No module named 'yaml'; 'yaml' is not a package", "pyyaml"),
        ("ModuleNotFoundError", "No module named 'torch'", "torch"),
        ("ModuleNotFoundError", "something else", ""),
        ("ImportError", "No module named 'torch'", ""),
    ],
)
def test_what_to_install(name: str, value: str, line: str) -> None:
    """The package of a module, which often has another name."""
    expected = f"'/my env/python' -m pip install {line}" if line else ""
    assert missing.install(name, value, "/my env/python") == expected


def test_what_is_gone_between_launch_and_start(project: Project, tmp_path: Path) -> None:
    """Interpreter or folder deleted, an environment broken: the record says which."""
    environment = tmp_path / "venv"
    venv.create(environment, with_pip=False)
    python = environment / "bin" / "python"
    (site,) = environment.glob("lib/python*/site-packages")
    (site / "ours.pth").write_text(sysconfig.get_path("purelib"))
    project.write("first.ipynb", GATE)
    project.write("second.ipynb", "1")
    project.nbbg("run", "first.ipynb", "second.ipynb", "--python", environment)
    project.until_running(1, "at the gate")
    python.unlink()
    open_gate(project)
    project.nbbg("wait", "b1", code=1)
    assert project.run(2)["state"] == "failed"
    assert f"its interpreter {python} is gone" in project.run(2)["reason"]
    python.write_text("#!/bin/sh\necho 'no module named encodings' >&2\nexit 1\n")
    python.chmod(0o755)
    project.nbbg("retry", "2")
    project.nbbg("wait", "2", code=1)
    assert project.run(2)["state"] == "exited"
    assert "its last line: no module named encodings" in project.run(2)["reason"]


def test_a_folder_that_vanished(project: Project) -> None:
    """A notebook's file may go after the launch; without its folder it can't run."""
    path = project.write(
        "folder/train.ipynb", "import os\nos.unlink('train.ipynb')", "print('ran')"
    )
    project.nbbg("run", "folder/train.ipynb", "--wait")
    assert not path.exists()
    assert project.executed(1)["cells"][1]["outputs"][0]["text"] == "ran\n"
    shutil.rmtree(path.parent)
    assert json.loads(project.nbbg("show", "1", "--json").stdout)["state"] == "succeeded"
    project.write(
        "folder/train.ipynb", f"import shutil\nshutil.rmtree({os.fspath(path.parent)!r})\n1/0"
    )
    project.nbbg("run", "folder/train.ipynb", "--wait", code=1)
    project.nbbg("retry", "2")
    project.nbbg("wait", "2", code=1)
    assert f"the notebook's folder {path.parent} is gone" in project.run(2)["reason"]
