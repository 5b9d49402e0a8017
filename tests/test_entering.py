"""A run is inside of its interpreter's environment: PATH, VIRTUAL_ENV, conda's variables."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import IPython
import pytest

from nbbg.notebook.interpreters import entering
from tests.project import PYTHON, Project

if TYPE_CHECKING:
    from collections.abc import Mapping

TOKEN = "a-token-of-conda"
SHOW = (
    "import os, shutil, json\n"
    "names = ('CONDA_PREFIX', 'CONDA_DEFAULT_ENV', 'VIRTUAL_ENV', 'FLAVOUR', 'MINE', 'OTHER',\n"
    "         'GONE', 'DOLLAR', 'SEEN', 'RUN_NUMBER')\n"
    "print(json.dumps({name: os.environ[name] for name in names if name in os.environ}))\n"
    "print(json.dumps([shutil.which('python'), len(os.environ.get('SERVICE_TOKEN', ''))]))\n"
    "print(os.environ['PATH'])"
)


def conda_environment(prefix: Path, variables: Mapping[str, str], *, python: bool = True) -> Path:
    """An environment as conda lays it out: a Python of its own, no pyvenv.cfg, its state."""
    (prefix / "conda-meta").mkdir(parents=True)
    (prefix / "conda-meta" / "history").touch()
    state = {"version": 1, "env_vars": dict(variables)}
    (prefix / "conda-meta" / "state").write_text(json.dumps(state))
    (prefix / "bin").mkdir()
    if not python:
        return prefix
    shutil.copy(os.path.realpath(sys.executable), prefix / "bin" / "python")
    library = Path(os.__file__).parent
    own = prefix / "lib" / library.name
    own.mkdir(parents=True)
    for entry in library.iterdir():
        if entry.name not in ("site-packages", "EXTERNALLY-MANAGED"):
            (own / entry.name).symlink_to(entry)
    (own / "site-packages").symlink_to(Path(IPython.__file__).parents[1])
    return prefix


def said(project: Project, run: int) -> tuple[dict[str, str], list[object], list[str]]:
    """What the cell `SHOW` has printed: variables, the python on PATH, PATH."""
    variables, python, path = project.log(run).splitlines()
    return json.loads(variables), json.loads(python), path.split(os.pathsep)


def test_a_conda_environment_is_entered(project: Project) -> None:
    """By name or by path its variables are set, another's are gone, and `.env` wins."""
    configured = {
        "flavour": "ml",
        "MINE": "theirs",
        "GONE": "***unset***",
        "DOLLAR": "${HOME}",
        "SERVICE_TOKEN": TOKEN,
    }
    ml = conda_environment(project.home / "micromamba" / "envs" / "ml", configured)
    other = conda_environment(project.home / "other", {"OTHER": "1"}, python=False)
    package = ml / "etc" / "conda" / "env_vars.d" / "package.json"
    package.parent.mkdir(parents=True)
    package.write_text(json.dumps({"SEEN": "package", "FLAVOUR": "package"}))
    project.environment |= {
        "PATH": f"{other}/bin:{os.environ['PATH']}",
        "CONDA_PREFIX": str(other),
        "CONDA_DEFAULT_ENV": "other",
        "VIRTUAL_ENV": "/old/venv",
        "OTHER": "1",
        "GONE": "still there",
    }
    (project.root / ".env").write_text("MINE=mine\n")
    project.write("train.ipynb", SHOW)
    for run, named in enumerate(("conda:ml", str(ml)), 1):
        project.nbbg("run", "train.ipynb", "--python", named, "--wait")
        variables, python, path = said(project, run)
        assert variables == {
            "CONDA_PREFIX": str(ml),
            "CONDA_DEFAULT_ENV": "ml",
            "FLAVOUR": "ml",
            "SEEN": "package",
            "MINE": "mine",
            "DOLLAR": "${HOME}",
            "RUN_NUMBER": str(run),
        }
        assert python == [str(ml / "bin" / "python"), len(TOKEN)]
        assert path[0] == str(ml / "bin")
        assert f"{other}/bin" not in path
    assert TOKEN not in (project.batch("b1") / "batch.json").read_text()
    project.nbbg("run", "train.ipynb", "--python", str(other), code=2)


def test_a_virtual_environment_is_entered(project: Project) -> None:
    """`!python` and `%%bash` are those of the interpreter; what is recorded can be moved."""
    folder = project.root / "mine"
    site = str(Path(IPython.__file__).parents[1])
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    library = next(folder.glob("lib/python*/site-packages"))
    (library / "shared.pth").write_text(f"{site}\n")
    project.write("train.ipynb", SHOW)
    project.nbbg("run", "train.ipynb", "--python", "mine", "--wait")
    variables, python, path = said(project, 1)
    assert variables["VIRTUAL_ENV"] == str(folder)
    assert python[0] == str(folder / "bin" / "python")
    assert path[0] == str(folder / "bin")
    record = json.loads((project.batch("b1") / "batch.json").read_text())["arms"]["train"]
    assert str(folder) not in json.dumps(record)


def test_a_kernels_variables_are_set(project: Project) -> None:
    """The `env` of the kernel.json that a notebook names, filled in when the run starts."""
    kernels = project.home / ".local" / "share" / "jupyter" / "kernels" / "mine"
    kernels.mkdir(parents=True)
    spec = {
        "argv": [PYTHON, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "language": "python",
        "display_name": "Mine",
        "env": {"FLAVOUR": "${SERVICE_KEY}!", "SEEN": "$HOME", "SERVICE_TOKEN": TOKEN},
    }
    (kernels / "kernel.json").write_text(json.dumps(spec))
    project.environment |= {"NBBG_PYTHON": "", "SERVICE_KEY": "short"}
    path = project.write("train.ipynb", SHOW)
    path.write_text(path.read_text().replace('"python3"', '"mine"'))
    done = project.nbbg("run", "train.ipynb", "--wait")
    assert f"{PYTHON} (the kernel mine)" in done.stdout
    variables, python, _ = said(project, 1)
    assert (variables["FLAVOUR"], variables["SEEN"]) == ("short!", str(project.home))
    assert python[1] == len(TOKEN)
    assert TOKEN not in (project.batch("b1") / "batch.json").read_text()


def venv(prefix: Path) -> str:
    """A folder that can be taken for a virtual environment; returns its interpreter."""
    (prefix / "bin").mkdir(parents=True)
    (prefix / "pyvenv.cfg").touch()
    for name in ("python", "pip"):
        (prefix / "bin" / name).touch(0o755)
    return str(prefix / "bin" / "python")


def inside(base: Mapping[str, str], python: str) -> dict[str, str]:
    """The environment of a run with that interpreter."""
    changes = entering.entering(python, base)
    return entering.entered(base, changes.variables, python)


def test_an_active_environment_stays_as_it_is(tmp_path: Path) -> None:
    """What `activate` has set, and the user has changed since, is left alone."""
    python = venv(tmp_path / "venv")
    active = {
        "PATH": f"{tmp_path}/venv/bin:/usr/bin",
        "VIRTUAL_ENV": str(tmp_path / "venv"),
        "CONDA_PREFIX": "/conda",
        "PYTHONHOME": "/mine",
    }
    assert inside(active, python) == active
    behind = {**active, "PATH": f"{tmp_path}:/usr/bin"}
    assert inside(behind, python)["PATH"] == f"{tmp_path}/venv/bin:{tmp_path}:/usr/bin"


def test_what_another_environment_has_set_is_gone(tmp_path: Path) -> None:
    """Its folder on PATH, its names, and what was configured for it; nothing else."""
    python = venv(tmp_path / "venv")
    other = conda_environment(tmp_path / "c", {"THEIRS": "1", "CHANGED": "1"}, python=False)
    base = {
        "PATH": f"/first:{other}/bin:/usr/bin",
        "CONDA_PREFIX": str(other),
        "CONDA_DEFAULT_ENV": "c",
        "CONDA_SHLVL": "2",
        "CONDA_PREFIX_1": "/conda",
        "CONDA_EXE": "/conda/bin/conda",
        "PYTHONHOME": "/elsewhere",
        "THEIRS": "1",
        "CHANGED": "2",
    }
    assert inside(base, python) == {
        "PATH": f"{tmp_path}/venv/bin:/first:/usr/bin",
        "VIRTUAL_ENV": str(tmp_path / "venv"),
        "CONDA_EXE": "/conda/bin/conda",
        "CHANGED": "2",
    }


@pytest.mark.parametrize("path", ["{bin}:/usr/bin", "/usr/sbin:{bin}"])
def test_a_plain_interpreter_that_path_finds_changes_nothing(tmp_path: Path, path: str) -> None:
    """The order of PATH is the user's own where the right Python is found already."""
    python = tmp_path / "bin" / "python3"
    python.parent.mkdir()
    python.touch(0o755)
    base = {"PATH": path.format(bin=python.parent)}
    assert inside(base, str(python)) == base
    assert inside({"PATH": "/usr/bin"}, str(python)) == {"PATH": f"{python.parent}:/usr/bin"}
