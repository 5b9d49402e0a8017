"""The main job: a notebook runs N times in the background."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.project import Project

PRINTS = "import os\nprint('number', os.environ['RUN_NUMBER'], 'seed', os.environ['SEED'])"


def test_runs_succeed_with_their_numbers_and_seeds(project: Project) -> None:
    """`run --runs 3` leaves three succeeded runs, each with its own number, seed and output."""
    project.write("train.ipynb", PRINTS, "1 + 1")
    said = project.nbbg("run", "train.ipynb", "--runs", "3", "--jobs", "2", "--seed", "10").stdout
    assert said.startswith("batch b1: runs 1-3, 2 at a time, local")
    project.nbbg("wait", "b1")
    runs = project.runs()
    assert [(r["number"], r["seed"], r["state"]) for r in runs] == [
        (1, 11, "succeeded"),
        (2, 12, "succeeded"),
        (3, 13, "succeeded"),
    ]
    executed = json.loads(Path(runs[2]["output"]).read_bytes())
    assert executed["cells"][0]["outputs"][0]["text"] == "number 3 seed 13\n"
    assert executed["cells"][1]["outputs"][0]["data"]["text/plain"] == "2"


def test_the_same_command_twice_starts_nothing(project: Project) -> None:
    """A target that is reached makes no batch and starts no run."""
    project.write("train.ipynb", PRINTS)
    project.nbbg("run", "train.ipynb", "--runs", "2", "--wait")
    said = project.nbbg("run", "train.ipynb", "--runs", "2").stdout
    assert "nothing to start" in said
    assert [run["attempt"] for run in project.runs()] == [1, 1]
    assert [batch["id"] for batch in project.status()["batches"]] == ["b1"]


@pytest.mark.parametrize("engine", ["ipython", "kernel"])
def test_a_bar_for_notebooks_is_text(project: Project, engine: str) -> None:
    """`tqdm.notebook` can be read in `status` and the log, however it is imported."""
    project.write(
        "train.ipynb",
        "from tqdm.notebook import tqdm\nfor _ in tqdm(range(7), display=True): pass",
        "import tqdm.notebook\nfor _ in tqdm.notebook.trange(8): pass",
    )
    project.nbbg("run", "train.ipynb", "--engine", engine, "--wait")
    assert "7/7" in project.log(1)
    assert "8/8" in project.log(1)
