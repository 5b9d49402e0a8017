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
# A busy machine's kernel sends with the next cell what a child or a thread printed in this one.
TRIES = 4

Cells = list[str]  # the outputs of each cell


@pytest.fixture
def executed(tmp_path: Path) -> Iterator[dict[str, tuple[Cells, list[Cells]]]]:
    """Of each notebook, its cells' outputs by nbbg, and by a kernel: one answer or several."""
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for root in (ours, theirs):
        parity.write(root, NAMES)
    (ours / ".git").mkdir()
    (tmp_path / "home").mkdir()
    project = Project(ours, tmp_path / "home")
    command = [PYTHON, reference.__file__]
    environment = {**project.environ(), "PYTHONHASHSEED": "0"}
    kernels = subprocess.Popen(
        [*command, *(str(path) for path in _paths(theirs))],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        names = [path.relative_to(ours) for path in _paths(ours)]
        project.nbbg("run", "--wait", "-j2", *names, code=1, timeout=PATIENCE)
        assert kernels.wait(PATIENCE) == 0
        found: dict[str, tuple[Cells, list[Cells]]] = {}
        for number, (name, path) in enumerate(zip(NAMES, _paths(theirs), strict=True), start=1):
            found[name] = (parity.normal(project.executed(number), ours), [_normal(path, theirs)])
            while unexpected({name: found[name]}) and len(found[name][1]) < TRIES:
                parity.write(theirs, [name])
                subprocess.run([*command, path], env=environment, check=True, timeout=PATIENCE)
                found[name][1].append(_normal(path, theirs))
        yield found
    finally:
        kernels.kill()
        kernels.wait()
        project.end_all()


def _normal(path: Path, root: Path) -> Cells:
    return parity.normal(json.loads(path.read_bytes()), root)


def _paths(root: Path) -> list[Path]:
    return [root / name / f"{name}.ipynb" for name in NAMES]


def different(executed: dict[str, tuple[Cells, list[Cells]]]) -> set[str]:
    """The cells whose outputs are those of none of the kernel's answers."""
    return {
        f"{name}: {cell}"
        for name, (ours, answers) in executed.items()
        for cell, one, *others in zip(parity.cells(name), ours, *answers, strict=True)
        if one not in others
    }


def unexpected(executed: dict[str, tuple[Cells, list[Cells]]]) -> set[str]:
    """Those of them that are not known to differ."""
    return different(executed) - KNOWN


@pytest.mark.timeout(3 * PATIENCE)
def test_outputs_are_those_of_a_kernel(
    executed: dict[str, tuple[Cells, list[Cells]]],
) -> None:
    """Each cell's outputs are equal, or it is one of those that are known to differ."""
    assert unexpected(executed) == set()
    assert KNOWN - different(executed) == set(), "no longer different: say so in docs/outputs.md"


def test_each_reason_is_said_to_users() -> None:
    """docs/outputs.md has a section for each reason why outputs differ."""
    page = (Path(__file__).parents[1] / "docs" / "outputs.md").read_text()
    sections = [line[3:].lower() for line in page.splitlines() if line.startswith("## ")]
    assert {reason.lower() for reason in DIFFERENT} <= set(sections)
