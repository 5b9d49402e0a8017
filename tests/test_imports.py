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
# With Python 3.11 it is 158, others need a few more; each further module costs 0.1 to 2 ms.
MOST_OF_STATUS = 163


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


def test_commands_import_no_notebook_library(watched: Project) -> None:
    """Launching an `.ipynb`, looking at its run, waiting for it and stopping it need none."""
    watched.write("train.ipynb", LONG)
    found = {"run": heavy(watched.nbbg("run", "train.ipynb").stderr)}
    watched.until_running(1, "3")
    for words in (
        ("status",),
        ("status", "--json", "b1"),
        ("show", "1"),
        ("logs", "1"),
        ("results",),
        ("stop", "1"),
        ("wait", "1"),
    ):
        found[" ".join(words)] = heavy(watched.nbbg(*words, code=None).stderr)
    assert found.pop("wait 1") <= {"tqdm"}
    assert not any(found.values()), found


def test_supervisor_and_runner_import_no_notebook_library(watched: Project) -> None:
    """What lives as long as a run is small: neither loads a library for notebooks."""
    watched.write("train.ipynb", "1 + 1")
    watched.nbbg("run", "train.ipynb")
    watched.nbbg("wait", "1")
    until(lambda: watched.supervisor() is None)
    said = (watched.batch("b1") / "supervisor.log").read_text()  # stderr of both
    assert {"nbbg.supervisor.loop", "nbbg.runner.attempt"} <= set(imported(said))
    assert not heavy(said)


def test_status_imports_few_modules(watched: Project) -> None:
    """`status` stays quick to start: whoever adds to what it imports has to say so here."""
    watched.write("train.ipynb", "1 + 1")
    watched.nbbg("run", "train.ipynb")
    watched.nbbg("wait", "1")
    modules = imported(watched.nbbg("status").stderr)
    assert len(modules) <= MOST_OF_STATUS, modules
