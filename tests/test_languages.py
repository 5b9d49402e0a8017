"""Notebooks in other languages: bash with its real kernel, and parameters in some more."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from nbbg import process
from nbbg.notebook import languages
from tests.project import PYTHON, Project, notebook

if TYPE_CHECKING:
    from pathlib import Path

PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ"
    "AAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@pytest.fixture
def bash(project: Project, tmp_path: Path) -> Project:
    """A project where the kernel `bash` is known."""
    prefix = tmp_path / "jupyter"
    words = [PYTHON, "-m", "bash_kernel.install", "--prefix", str(prefix)]
    subprocess.run(words, check=True, capture_output=True)
    project.environment["JUPYTER_PATH"] = str(prefix / "share" / "jupyter")
    return project


def write(project: Project, *cells: str, parameters: str = "", kernel: str = "bash") -> None:
    """Write `work.ipynb` in the language of that kernel."""
    made: dict[str, Any] = notebook(*cells, parameters=parameters, kernel=kernel)
    made["metadata"]["kernelspec"]["language"] = kernel
    (project.root / "work.ipynb").write_text(json.dumps(made))


def test_a_notebook_in_bash(bash: Project) -> None:
    """Its outputs, images too, its own environment, and the parameters in its own words."""
    write(
        bash,
        'echo "run $RUN_NUMBER: $name"; echo oops >&2',
        f"echo {PIXEL} | base64 -d > pixel.png; display < pixel.png",
        'echo "$((lr + 1))"',
        parameters="name=nobody\nlr=1",
    )
    bash.nbbg("run", "work.ipynb", "-p", "name=it's $HOME", "-p", "lr=41", "--wait")
    cells = bash.executed(1)["cells"]
    assert cells[1]["source"] == "# Parameters\nname='it'\"'\"'s $HOME'\nlr=41"
    assert cells[1]["metadata"]["tags"] == ["injected-parameters"]
    assert cells[2]["outputs"][0]["text"] == "run 1: it's $HOME\noops\n"
    (image,) = cells[3]["outputs"]
    assert image["data"]["image/png"].strip().startswith("iVBORw0K")
    assert cells[4]["outputs"][0]["text"] == "42\n"
    assert [cell["execution_count"] for cell in cells] == [1, 2, 3, 4, 5]
    assert bash.log(1).startswith("run 1: it's")  # and nothing of the kernel's own
    said = bash.nbbg("run", "work.ipynb", "-p", "rate=1", code=2).stderr
    assert "has a parameter rate (known: lr, name)" in said


def test_errors_stops_and_deaths_of_a_bash_kernel(bash: Project) -> None:
    """A command that fails names its cell; a stop and a SIGKILL are told, and soon."""
    write(bash, 'echo begun; [ "$SEED" != 1 ] || (exit 3)', "echo asleep; sleep 300", "echo never")
    bash.nbbg("run", "work.ipynb", "--runs", "3", "--jobs", "3")
    bash.nbbg("wait", "1", code=1)
    assert bash.run(1)["reason"] == "cell 1: error: 3"
    for number in (2, 3):
        bash.until_running(number, "asleep")
    said = bash.nbbg("attach", "2", code=2).stderr
    assert "a kernel in bash can't be" in said
    assert "it is in cell 2 of 3, for " in said
    asked_at = time.time()
    bash.nbbg("stop", "2")
    assert bash.state(2) == "stopped"
    assert time.time() - asked_at < 8  # not the kernel's 10 s for its end, nor the grace
    engine = bash.run(3)["pid"]
    (kernel,) = [each for each in process.processes() if each.parent == engine]
    os.kill(kernel.identity.pid, signal.SIGKILL)
    bash.nbbg("wait", "3", code=1)
    assert bash.run(3)["reason"] == "SIGKILL in cell 2"
    assert "asleep" in bash.executed(3)["cells"][1]["outputs"][0]["text"]


def test_a_kernel_that_is_not_installed(project: Project) -> None:
    """One line with those that are, and nothing is launched."""
    write(project, "1", kernel="klingon")
    said = project.nbbg("run", "work.ipynb", code=2).stderr
    assert "there is no kernel 'klingon'; there are: " in said
    assert "python3" in said
    assert project.status()["batches"] == []


def test_without_papermill_only_parameters_are_refused(bash: Project, tmp_path: Path) -> None:
    """A notebook in another language runs without it; with parameters it says what to install."""
    broken = tmp_path / "broken" / "papermill"
    broken.mkdir(parents=True)
    (broken / "__init__.py").touch()
    bash.environment["PYTHONPATH"] = str(broken.parent)
    write(bash, "echo $x", parameters="x=1")
    assert "nbbg[languages]" in bash.nbbg("run", "work.ipynb", "-p", "x=2", code=2).stderr
    bash.nbbg("run", "work.ipynb", "--wait")
    assert bash.log(1) == "1\n"


@pytest.mark.parametrize(
    ("language", "lines"),
    [
        ("R", ['name = "a \\"$b\\" é"', "some = list(1, 0.5)", "none = NULL", "inf = -Inf"]),
        ("julia", ['name = "a \\"\\$b\\" é"', "some = [1, 0.5]", "none = nothing", "inf = -Inf"]),
        ("bash", ["name='a \"$b\" é'", "some=(1 0.5)", "none=", "inf=-inf"]),
        (
            "scala",
            [
                'val name = "a \\"$b\\" é"',
                "val some = Seq(1, 0.5)",
                "val none = None",
                "val inf = -Double.PositiveInfinity",
            ],
        ),
    ],
)
def test_parameters_in_other_languages(language: str, lines: list[str]) -> None:
    """Text is kept to the letter, what a language interpolates too; no infinity becomes a name."""
    given = {"name": 'a "$b" é', "some": [1, 0.5], "none": None, "inf": float("-inf")}
    source = languages.parameters({}, language, "any", given)
    assert source.splitlines()[1:] == lines
    assert source.splitlines()[0].endswith("Parameters")


@pytest.mark.parametrize(
    ("language", "given", "said"),
    [
        ("scheme", {"x": 1}, "papermill knows no parameters in scheme; run it without -p"),
        ("bash", {"x": {"a": 1}}, "can't be written in bash"),
        ("bash", {"x y": 1}, "can't be the name of a parameter"),
    ],
)
def test_what_a_language_has_no_words_for(language: str, given: Any, said: str) -> None:
    """It is refused with a sentence before anything is launched."""
    with pytest.raises(ValueError, match=said):
        languages.parameters({}, language, "any", given)


@pytest.mark.parametrize(
    "line", ["lr=1", "lr <- 1", "val lr: Double = 1", "export lr=1", "$lr = 1", "const lr = 1;"]
)
def test_the_names_that_a_cell_declares(line: str) -> None:
    """As the languages assign; a comparison is none."""
    cell = {
        "cell_type": "code",
        "source": f"# p\nif a == 2\n{line}",
        "metadata": {"tags": ["parameters"]},
    }
    assert list(languages.declared({"cells": [cell]})) == ["lr"]
