"""Notebooks of our own give the outputs that they give in a Jupyter kernel, cell by cell.

They are executed by the `ipython` engine, cold and warm, and by ipykernel under nbclient. Where the
engine differs from the kernel the cell is named in `DIFFERENT`, with its reason; docs/outputs.md
says the same to users.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import parity, reference
from tests.project import PYTHON, Project

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 110.0  # seconds
NAMES = sorted(path.stem for path in parity.NOTEBOOKS.glob("*.ipy"))

PRELOADED = "numpy,pandas,matplotlib.pyplot,asyncio,tqdm.auto,ipywidgets,multiprocessing,argparse"
# What differs between a warm and a cold start: which modules are loaded, how deep a stack is in C.
PRELOADING = {"magics: config list", "asynchronous: argparse"}

# Why the outputs of these cells differ; docs/outputs.md has a section for each reason.
DIFFERENT: dict[str, dict[str, list[str]]] = {
    "errors that IPython only prints": {
        "errors": [
            "exception group",
            "except star",
            "render fails",
            "custom handler",
            "unknown magic",
            "unknown cell magic",
            "UsageError",
        ],
        "magics": ["env missing", "cell magic after a comment"],
    },
    "tracebacks": {
        "asynchronous": ["argparse"],
        "errors": [
            "chained",
            "in handling",
            "recursion",
            "str fails",
            "xmode verbose",
            "showtraceback",
        ],
        "magics": ["script that exits with a code"],
        "main": ["source of a class"],
    },
    "nobody is there": {
        "errors": [
            "StdinNotImplementedError",
            "getpass",
            "breakpoint",
            "set_trace",
            "ipython set_trace",
            "debug magic",
            "debug a statement",
            "pdb on",
            "post mortem",
        ],
        "magics": [
            "pycat",
            "question",
            "own function",
            "double question",
            "wildcard",
            "psearch",
            "pdoc",
            "psource",
            "quickref",
            "page",
            "man",
            "less",
            "escaped help",
        ],
    },
    "streams": {
        "streams": [
            "bytes to a text stream",
            "surrogate",
            "names",
            "fileno of the streams",
            "errors of the streams",
            "an invalid escape",
        ],
        "magics": ["shell with interactive check"],
        "main": ["sigint"],
    },
    "asyncio": {
        "asynchronous": [
            "a task that prints later",
            "a cell that waits",
            "running loop",
            "call_soon",
            "asyncio.run",
        ],
    },
    "widgets": {
        "streams": ["tqdm auto"],
        "displays": ["tqdm notebook", "printed into it", "error in it", "interact"],
    },
    "no kernel": {
        "displays": ["JSON with odd values", "JSON that cannot be"],
        "magics": ["history", "config list", "connect info", "autosave", "subshell"],
        "main": ["in ipython", "faulthandler"],
    },
}


@pytest.fixture
def executed(tmp_path: Path) -> Iterator[dict[str, list[list[str]]]]:
    """Of each notebook, its cells' outputs by nbbg, by a kernel, and by nbbg with a warm start."""
    ours, theirs, warm = tmp_path / "ours", tmp_path / "theirs", tmp_path / "warm"
    for root in (ours, theirs, warm):
        parity.write(root, NAMES)
        (root / ".git").mkdir()
    (tmp_path / "home").mkdir()
    project = Project(ours, tmp_path / "home", {"NBBG_WARM": "off"})
    other = Project(warm, tmp_path / "home", {"NBBG_WARM": "on", "NBBG_PRELOAD": PRELOADED})
    kernels = subprocess.Popen(
        [PYTHON, reference.__file__, *(str(path) for path in _paths(theirs))],
        env={**project.environ(), "PYTHONHASHSEED": "0"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        names = [path.relative_to(ours) for path in _paths(ours)]
        project.nbbg("run", "--wait", "-j2", *names, code=1, timeout=PATIENCE)
        other.nbbg("run", "--wait", "-j2", *names, code=1, timeout=PATIENCE)
        assert kernels.wait(PATIENCE) == 0
        yield {
            name: [
                parity.normal(project.executed(number), ours),
                parity.normal(json.loads(path.read_bytes()), theirs),
                parity.normal(other.executed(number), warm),
            ]
            for number, (name, path) in enumerate(zip(NAMES, _paths(theirs), strict=True), start=1)
        }
    finally:
        kernels.kill()
        kernels.wait()
        project.end_all()
        other.end_all()


def _paths(root: Path) -> list[Path]:
    return [root / name / f"{name}.ipynb" for name in NAMES]


@pytest.mark.timeout(2 * PATIENCE)
def test_outputs_are_those_of_a_kernel(executed: dict[str, list[list[str]]]) -> None:
    """Each cell's outputs are equal, warm or cold, or it is one of those known to differ."""
    found = {
        f"{name}: {cell}"
        for name, (ours, theirs, _) in executed.items()
        for cell, one, other in zip(parity.cells(name), ours, theirs, strict=True)
        if one != other
    }
    forked = {
        f"{name}: {cell}"
        for name, (cold, _, warm) in executed.items()
        for cell, one, other in zip(parity.cells(name), cold, warm, strict=True)
        if one != other
    }
    assert forked - PRELOADING == set()
    known = {
        f"{name}: {cell}"
        for reason in DIFFERENT.values()
        for name, cells in reason.items()
        for cell in cells
    }
    assert found - known == set()
    assert known - found == set(), "no longer different: say so in docs/outputs.md"


def test_each_reason_is_said_to_users() -> None:
    """docs/outputs.md has a section for each reason why outputs differ."""
    page = (Path(__file__).parents[1] / "docs" / "outputs.md").read_text()
    sections = [line[3:].lower() for line in page.splitlines() if line.startswith("## ")]
    assert {reason.lower() for reason in DIFFERENT} <= set(sections)
