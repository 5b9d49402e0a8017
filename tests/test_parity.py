"""Notebooks of our own give the outputs that they give in a Jupyter kernel, cell by cell.

They are executed by the `ipython` engine and by ipykernel under nbclient. Where the two differ the
cell is named in `DIFFERENT`, with its reason; docs/outputs.md says the same to users.
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


KNOWN = {
    f"{name}: {cell}"
    for reason in DIFFERENT.values()
    for name, cells in reason.items()
    for cell in cells
}
# A kernel reads what they write from a pipe, and on a busy machine sends it with the next cell.
LATE = {"streams: a child process", "streams: a descriptor"}
TRIES = 3


@pytest.fixture
def executed(tmp_path: Path) -> Iterator[dict[str, list[list[str]]]]:
    """Of each notebook, its cells' outputs by nbbg and by a kernel."""
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for root in (ours, theirs):
        parity.write(root, NAMES)
    (ours / ".git").mkdir()
    (tmp_path / "home").mkdir()
    project = Project(ours, tmp_path / "home")
    environment = {**project.environ(), "PYTHONHASHSEED": "0"}
    kernels = subprocess.Popen(
        [PYTHON, reference.__file__, *(str(path) for path in _paths(theirs))],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        names = [path.relative_to(ours) for path in _paths(ours)]
        project.nbbg("run", "--wait", "-j2", *names, code=1, timeout=PATIENCE)
        assert kernels.wait(PATIENCE) == 0
        found = {
            name: [
                parity.normal(project.executed(number), ours),
                parity.normal(json.loads(path.read_bytes()), theirs),
            ]
            for number, (name, path) in enumerate(zip(NAMES, _paths(theirs), strict=True), start=1)
        }
        for _ in range(TRIES):
            if not unexpected(found) or not unexpected(found) <= LATE:
                break
            parity.write(theirs, ["streams"])
            path = theirs / "streams" / "streams.ipynb"
            subprocess.run([PYTHON, reference.__file__, path], env=environment, check=True)
            found["streams"][1] = parity.normal(json.loads(path.read_bytes()), theirs)
        yield found
    finally:
        kernels.kill()
        kernels.wait()
        project.end_all()


def _paths(root: Path) -> list[Path]:
    return [root / name / f"{name}.ipynb" for name in NAMES]


def different(executed: dict[str, list[list[str]]]) -> set[str]:
    """The cells whose outputs are not equal."""
    return {
        f"{name}: {cell}"
        for name, (ours, theirs) in executed.items()
        for cell, one, other in zip(parity.cells(name), ours, theirs, strict=True)
        if one != other
    }


def unexpected(executed: dict[str, list[list[str]]]) -> set[str]:
    """Those of them that are not known to differ."""
    return different(executed) - KNOWN


@pytest.mark.timeout(2 * PATIENCE)
def test_outputs_are_those_of_a_kernel(executed: dict[str, list[list[str]]]) -> None:
    """Each cell's outputs are equal, or it is one of those that are known to differ."""
    assert unexpected(executed) == set()
    assert KNOWN - different(executed) == set(), "no longer different: say so in docs/outputs.md"


def test_each_reason_is_said_to_users() -> None:
    """docs/outputs.md has a section for each reason why outputs differ."""
    page = (Path(__file__).parents[1] / "docs" / "outputs.md").read_text()
    sections = [line[3:].lower() for line in page.splitlines() if line.startswith("## ")]
    assert {reason.lower() for reason in DIFFERENT} <= set(sections)
