"""Runs on other machines, over real sshd's on this one, each with a home of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests import machines
from tests.places import COUNTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.machines import Machine
    from tests.project import Project


@pytest.fixture
def two(project: Project) -> Iterator[dict[str, Machine]]:
    """Two machines that the project knows."""
    with machines.machines(project, "gpu1", "gpu2") as made:
        machines.add(project, *made)
        yield made


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
    assert project.put_out(3)["cells"][2]["outputs"][0]["data"] == {"text/plain": "2"}
