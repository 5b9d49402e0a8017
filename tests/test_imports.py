"""What the commands and the processes of a run import: counted and named, never timed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.project import LONG, until

if TYPE_CHECKING:
    from tests.project import Project

# Each takes from 20 ms to 1 s to import, and memory for as long as a process lives.
NOTEBOOK_LIBRARIES = {"IPython", "jsonschema", "jupytext", "nbclient", "nbformat"}
HEAVY = NOTEBOOK_LIBRARIES | {"psutil", "tqdm"}
# What Python's own library has that takes 1 to 10 ms, and that no reader needs.
SLOW = {"ast", "dataclasses", "inspect", "logging", "platform", "shutil", "socket", "tempfile"}
OF_PROCESSES = {"subprocess", "threading"}
# The most modules beyond those of a bare Python. Each costs 0.1 to 2 ms, at every start; whoever
# adds to them has to say so here. Counted with Python 3.11, and 5 more, which other versions need.
BUDGETS = {
    "run train.ipynb": 190,
    "status": 112,
    "status --json b1": 112,
    "show 1": 128,
    "logs 1": 130,
    "results": 127,
    "stop 1": 137,
    "wait 1": 118,
    "supervisor": 117,
    "runner": 142,
}


@pytest.fixture
def watched(project: Project) -> Project:
    """A project in which every Python process says on stderr what it imports."""
    project.environment["PYTHONPROFILEIMPORTTIME"] = "1"
    return project


def imported(stderr: str) -> list[str]:
    """The modules that a process imported after Python's own start."""
    lines = [line for line in stderr.splitlines() if line.startswith("import time:")]
    names = [line.rpartition("|")[2].strip() for line in lines]
    return names[names.index("site") + 1 :]


def heavy(stderr: str) -> set[str]:
    """Those of them that belong to a heavy library."""
    return HEAVY & {name.partition(".")[0] for name in imported(stderr)}


def own_programs(said: str) -> dict[str, list[str]]:
    """What the supervisor and the runner of a batch have imported, from its log."""
    found = {}
    for part in said.split("imported package\n")[1:]:
        names = imported(part)
        for program, module in (("supervisor", "nbbg.supervisor.loop"), ("runner", "nbbg.runner")):
            if module in names:
                found[program] = names
                break
    return found


def test_each_program_imports_few_modules(watched: Project) -> None:
    """Commands, supervisor and runner keep within their budgets, without what is slow to import."""
    watched.write("train.ipynb", "1 + 1")
    found = {"run train.ipynb": imported(watched.nbbg("run", "train.ipynb").stderr)}
    watched.environment.pop("PYTHONPROFILEIMPORTTIME")
    watched.nbbg("wait", "1")
    watched.environment["PYTHONPROFILEIMPORTTIME"] = "1"
    until(lambda: watched.supervisor() is None)
    for words in list(BUDGETS)[1:-2]:
        found[words] = imported(watched.nbbg(*words.split(), code=None).stderr)
    found |= own_programs((watched.batch("b1") / "supervisor.log").read_text())
    assert found.keys() == BUDGETS.keys()
    for words, names in found.items():
        assert len(names) <= BUDGETS[words], (words, names)
        assert HEAVY.isdisjoint(names), words
    for words in ("status", "status --json b1", "show 1", "wait 1", "supervisor"):
        assert (SLOW | OF_PROCESSES).isdisjoint(found[words]), words
    for words in ("logs 1", "results", "stop 1", "runner"):
        assert {"dataclasses", "inspect", "logging", "tempfile"}.isdisjoint(found[words]), words


def test_commands_import_no_notebook_library(watched: Project) -> None:
    """Looking at a run that works, waiting for it and stopping it need none."""
    watched.write("train.ipynb", LONG)
    watched.nbbg("run", "train.ipynb")
    watched.until_running(1, "3")
    found = {}
    for words in ("status", "show 1", "logs 1", "stop 1", "wait 1"):
        found[words] = heavy(watched.nbbg(*words.split(), code=None).stderr)
    assert found.pop("wait 1") <= {"tqdm"}
    assert not any(found.values()), found
