"""Notebooks of our own give the outputs that they give in a Jupyter kernel, cell by cell.

They are executed by the `ipython` engine and by ipykernel under nbclient. Where the two differ the
cell is named in `DIFFERENT`, with its reason; docs/outputs.md says the same to users.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import parity, reference
from tests.project import PYTHON, Project

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = sorted(path.stem for path in parity.NOTEBOOKS.glob("*.ipy"))

# Why a cell's outputs differ: the sections of docs/outputs.md.
TRUE_ERROR = "what IPython only prints is an error of the cell too"
DIFFERENT: dict[str, dict[str, list[str]]] = {}


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, list[list[str]]]]:
    """Of each notebook, its cells' outputs by nbbg and by a kernel."""
    folder = tmp_path_factory.mktemp("parity")
    ours, theirs = folder / "ours", folder / "theirs"
    for root in (ours, theirs):
        parity.write(root, NAMES)
    (ours / ".git").mkdir()
    (folder / "home").mkdir()
    project = Project(ours, folder / "home")
    kernels = subprocess.Popen(
        [PYTHON, reference.__file__, *(str(path) for path in _paths(theirs))],
        env={**project.environ(), "PYTHONHASHSEED": "0"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        project.nbbg("run", "--wait", *(path.relative_to(ours) for path in _paths(ours)), code=1)
        assert kernels.wait(100) == 0
        yield {
            name: [
                parity.normal(project.executed(number), ours),
                parity.normal(json.loads(path.read_bytes()), theirs),
            ]
            for number, (name, path) in enumerate(zip(NAMES, _paths(theirs), strict=True), start=1)
        }
    finally:
        kernels.kill()
        kernels.wait()
        project.end_all()


def _paths(root: Path) -> list[Path]:
    return [root / name / f"{name}.ipynb" for name in NAMES]


@pytest.mark.parametrize("name", NAMES)
def test_outputs_are_those_of_a_kernel(executed: dict[str, list[list[str]]], name: str) -> None:
    """Each cell's outputs are equal, or it is one of those that are known to differ."""
    ours, theirs = executed[name]
    pairs = zip(parity.cells(name), ours, theirs, strict=True)
    found = [cell for cell, one, other in pairs if one != other]
    known = [cell for cells in DIFFERENT.values() for cell in cells.get(name, [])]
    assert sorted(found) == sorted(known)
