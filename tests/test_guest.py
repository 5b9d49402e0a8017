"""The part of nbbg that runs in the user's own interpreter: Python 3.8, no library but IPython."""

from __future__ import annotations

import ast
import json
import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nbbg.engines import commands
from tests.project import Project, until

if TYPE_CHECKING:
    from collections.abc import Iterator

OLDEST = (3, 8)
LIBRARIES = {"IPython", "traitlets"}  # which is IPython's own
FILES = commands.guest_files()


def parsed(name: str) -> ast.Module:
    """A guest file, as the oldest Python reads it."""
    return ast.parse((commands.PACKAGE / name).read_bytes(), name, feature_version=OLDEST)


def module_name(name: str) -> str:
    """What a guest file is imported as."""
    path = f"nbbg/{name}".removesuffix(".py").removesuffix("/__init__")
    return path.replace("/", ".")


MODULES = {module_name(name) for name in FILES}


def imports(tree: ast.Module, *, late: bool) -> Iterator[set[str]]:
    """What is imported, as a module or out of one: when the file is imported, or also later."""
    inner = [
        *(node for node in ast.walk(tree) if isinstance(node, ast.If) and for_types(node)),
        *(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and not late),
    ]
    left_out = {id(node) for each in inner for node in ast.walk(each)}
    for node in ast.walk(tree):
        if id(node) in left_out:
            continue
        if isinstance(node, ast.Import):
            yield from ({alias.name} for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ({node.module, f"{node.module}.{alias.name}"} for alias in node.names)


def for_types(block: ast.If) -> bool:
    """Whether a block is for the type checker alone."""
    return "TYPE_CHECKING" in ast.dump(block.test)


def top(names: set[str]) -> str:
    """The library that an import is of."""
    return min(names).partition(".")[0]


@pytest.mark.parametrize("name", FILES)
def test_the_oldest_python_reads_it(name: str) -> None:
    """Every guest file is Python 3.8, and none of its annotations is evaluated."""
    nodes = list(ast.walk(parsed(name)))
    from_ = [node for node in nodes if isinstance(node, ast.ImportFrom)]
    annotated = any(isinstance(node, ast.FunctionDef | ast.AnnAssign) for node in nodes)
    assert not annotated or "__future__" in {node.module for node in from_}


@pytest.mark.parametrize("name", FILES)
def test_it_needs_no_other_library(name: str) -> None:
    """To be imported, a guest file needs the standard library and IPython alone."""
    there = sys.stdlib_module_names | LIBRARIES | {"nbbg"}
    assert {top(names) for names in imports(parsed(name), late=False)} <= there


@pytest.mark.parametrize("name", FILES)
def test_it_needs_no_other_part_of_nbbg(name: str) -> None:
    """What a guest file imports of nbbg, late imports included, goes along with it."""
    for names in imports(parsed(name), late=True):
        assert top(names) != "nbbg" or names & MODULES, names


OF_A_RUN = """import nbbg, random, sys
nbbg.seed_everything()
for step in nbbg.track(range(3), resume=True):
    nbbg.log(loss=step, drawn=random.random())
    nbbg.saved(step)
print(sys.version_info[:2], lr, nbbg.params(), nbbg.should_stop())
answer = {"a": [1, 2]}
!python -c "import sys; print(sys.version_info[:2])"
"""


def installed(version: str) -> str:
    """An interpreter of that version: pyenv's, or one on PATH; or nothing."""
    home = pwd.getpwuid(os.getuid()).pw_dir  # not HOME: the tests have one of their own
    roots = {os.environ.get("PYENV_ROOT", home), f"{home}/.pyenv"}
    places = [str(path) for root in roots for path in Path(root).glob(f"versions/{version}.*")]
    there = [f"{place}/bin/python" for place in places] + [shutil.which(f"python{version}") or ""]
    for python in filter(None, there):
        asked = subprocess.run([python, "-V"], capture_output=True, check=False)
        if asked.returncode == 0:
            return python
    return ""


OLD = [version for version in ("3.8", "3.9") if installed(version)]
OWN = f"{sys.version_info[0]}.{sys.version_info[1]}"


@pytest.mark.parametrize("version", OLD or [OWN])  # the oldest that are here
def test_a_notebook_runs_in_an_old_python(version: str, project: Project, tmp_path: Path) -> None:
    """Both engines, and `import nbbg` with all that it offers, where nbbg is not installed."""
    python = tmp_path / "old" / "bin" / "python"
    base = installed(version) or sys.executable
    subprocess.run([base, "-m", "venv", tmp_path / "old"], check=True)
    subprocess.run([python, "-m", "pip", "install", "-qq", "ipython", "ipykernel"], check=True)
    project.write("train.ipynb", OF_A_RUN, parameters="lr: float = 0.5")
    given = ("-p", "lr=0.25", "--results", "answer", "--python", python)
    project.nbbg("run", "train.ipynb", "--engine", "ipython", *given)
    project.nbbg("run", "train.ipynb", "--engine", "kernel", *given)
    until(lambda: all(run["ended_at"] for run in project.runs()))
    numbers = version.replace(".", ", ")
    for run in project.runs():
        assert run["state"] == "succeeded", project.log(run["id"])
        assert run["metrics"]["loss"] == 2
        said = project.log(run["id"]).splitlines()
        assert said[-2:] == [f"({numbers}) 0.25 {{'lr': 0.25}} False", f"({numbers})"]
        kept = project.attempt(run["id"]) / "results" / "answer.json"
        assert json.loads(kept.read_text()) == {"a": [1, 2]}
    batch = project.batch("b1") / "guest"
    subprocess.run([python, "-m", "compileall", "-q", "-f", batch], check=True)


@pytest.mark.parametrize("engine", ["ipython", "kernel"])
def test_nbbg_is_imported_after_a_move(engine: str, project: Project) -> None:
    """A notebook that asks for nbbg only after its project was moved is served, and recorded."""
    project.write(
        "train.ipynb",
        "import os, time\nprint('ready', flush=True)\n"
        "while not os.path.exists('go'):\n    time.sleep(0.05)",
        "import nbbg\nnbbg.log(loss=nbbg.should_stop() + 0.5)\nanswer = 42",
    )
    project.nbbg("run", "train.ipynb", "--engine", engine, "--results", "answer")
    project.until_running(1, "ready")
    project.root = project.root.rename(project.root.with_name("moved"))
    (project.root / "go").touch()
    project.nbbg("wait", "1")
    assert project.run(1)["metrics"] == {"loss": 0.5}
    assert (project.attempt(1) / "results" / "answer.json").read_text() == "42"
