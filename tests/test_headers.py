"""A notebook's header of inline script metadata gets an environment of its own, through uv."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nbbg.errors import NotebookError
from nbbg.notebook.interpreters import header
from tests import wheels
from tests.project import PYTHON, Project, notebook

MAKING = "making an environment for"
CELL = "import nbbg, nbbg_trial, os, sys\nprint(nbbg_trial.VALUE, nbbg.params(), sys.prefix)"


@pytest.fixture(name="index", scope="module")
def packed_index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of wheels."""
    return wheels.make_index(tmp_path_factory.mktemp("packages") / "wheels")


@pytest.fixture(name="chosen")
def without_a_named_interpreter(project: Project, index: Path) -> Project:
    """A project whose settings name no interpreter."""
    project.environment["UV_CACHE_DIR"] = str(index.parent / "cache")
    project.environment["NBBG_PYTHON"] = ""
    project.environment["UV_PYTHON"] = PYTHON
    project.environment["UV_PYTHON_DOWNLOADS"] = "never"
    return project


def made(project: Project) -> list[Path]:
    """The environments that were made, whole or not."""
    return sorted(project.home.glob(".cache/nbbg/environments/*"))


def script(head: str, *cells: str) -> str:
    """A percent script."""
    return "\n".join((head, *(f"# %%\n{cell}" for cell in cells), ""))


def test_a_header_gets_its_environment_once(chosen: Project, index: Path) -> None:
    """It is made for the first launch, found by the second, and shared by a notebook's own."""
    head = wheels.header(index, wheels.TRIAL)
    (chosen.root / "train.py").write_text(script(head, CELL))
    first = chosen.nbbg("run", "train.py", "--wait")
    assert f"{MAKING} train.py: {wheels.TRIAL}\n" in first.stderr
    python = made(chosen)[0] / "venv" / "bin" / "python"
    assert f"{python} (its PEP 723 header)" in first.stdout
    assert chosen.log(1) == f"trial {{}} {python.parents[1]}\n"
    (chosen.root / "same.ipynb").write_text(json.dumps(notebook(f"{head}\n", CELL)))
    again = chosen.nbbg("run", "train.py", "same.ipynb", "--wait")
    assert MAKING not in again.stderr
    assert [run["state"] for run in chosen.runs()] == ["succeeded"] * 3
    assert len(made(chosen)) == 1


def test_what_is_named_goes_before_the_header(chosen: Project) -> None:
    """With --python no environment is made, and a broken header is no matter."""
    (chosen.root / "train.py").write_text(script("# /// script\n# dependencies = 1\n# ///", "1"))
    done = chosen.nbbg("run", "train.py", "--python", PYTHON)
    assert f"{PYTHON} (--python)" in done.stdout
    assert not made(chosen)


@pytest.mark.parametrize(
    ("dependency", "more", "said"),
    [
        ("no-such-package", "", "no-such-package was not found"),
        (wheels.TRIAL, 'requires-python = ">=3.99"', "No interpreter found for Python >=3.99"),
        ("six>", "", "Unexpected end of version specifier"),
    ],
)
def test_what_uv_cant_make_is_said(
    chosen: Project, index: Path, dependency: str, more: str, said: str
) -> None:
    """uv's reason in one line, what to do in another; nothing is launched."""
    del chosen.environment["UV_PYTHON"]
    path = chosen.root / "train.py"
    path.write_text(script(wheels.header(index, dependency, more=more), "1"))
    done = chosen.nbbg("run", "train.py", code=2)
    told, reason, advice = done.stderr.splitlines()
    assert told.startswith(MAKING)
    assert reason.startswith(f"nbbg: {path}: uv can't make the environment of its header: ")
    assert said in reason
    assert advice.endswith("or name an interpreter: --python PATH")
    assert not (chosen.root / ".nbbg").exists()
    assert not list(made(chosen)[0].glob("venv"))


def test_without_uv_a_line_says_what_to_install(chosen: Project, index: Path) -> None:
    """There is none on PATH, and none beside nbbg."""
    (chosen.root / "train.py").write_text(script(wheels.header(index, wheels.TRIAL), "1"))
    apart = chosen.root / "apart"  # nbbg's interpreter, in a folder without uv
    code = f"import sys; sys.path[:0] = {sys.path!r}; from nbbg.cli import main; sys.exit(main())"
    subprocess.run([PYTHON, "-m", "venv", "--without-pip", apart], check=True)
    done = subprocess.run(
        [apart / "bin" / "python", "-c", code, "run", "train.py"],
        cwd=chosen.root,
        env={**chosen.environ(), "PATH": "/nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "there is no uv to make it\npip install 'nbbg[uv]'" in done.stderr


def test_two_launches_at_once_make_it_once(chosen: Project, index: Path) -> None:
    """The second waits for the first, and finds what that has made."""
    for name in ("a.py", "b.py"):
        (chosen.root / name).write_text(script(wheels.header(index, wheels.TRIAL), CELL))
    launches = [
        subprocess.Popen(
            [PYTHON, "-P", "-m", "nbbg", "run", name],
            cwd=chosen.root,
            env=chosen.environ(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ("a.py", "b.py")
    ]
    said = "".join(launch.communicate(timeout=60)[1] for launch in launches)
    assert [launch.returncode for launch in launches] == [0, 0], said
    assert said.count(MAKING) == 1
    assert len(made(chosen)) == 1


def test_what_is_half_made_is_made_anew(chosen: Project, index: Path) -> None:
    """What a killed launch left behind, and one whose Python is gone, are not used."""
    (chosen.root / "train.py").write_text(script(wheels.header(index, wheels.TRIAL), CELL))
    chosen.nbbg("run", "train.py", "--wait")
    folder = made(chosen)[0]
    (folder / "made").unlink()
    shutil.rmtree(folder / "venv" / "lib")
    assert MAKING in chosen.nbbg("run", "train.py", "--wait").stderr
    python = folder / "venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/nowhere/python3.11")
    assert MAKING in chosen.nbbg("run", "train.py", "--wait").stderr


def test_a_lock_is_kept_to(chosen: Project, index: Path) -> None:
    """The versions of `uv lock --script` are installed, and what nbbg adds beside them."""
    script_file = chosen.root / "train.py"
    script_file.write_text(script(wheels.header(index, f"{wheels.TRIAL}<1"), "1"))
    lock = [PYTHON, "-m", "uv", "lock", "--quiet", "--script", str(script_file)]
    subprocess.run(lock, check=True, env={**os.environ, **chosen.environment})
    script_file.write_text(script(wheels.header(index, wheels.TRIAL), "1"))
    chosen.nbbg("run", "train.py")
    (installed,) = made(chosen)[0].glob("venv/lib/python*/site-packages/nbbg_trial-*.dist-info")
    assert installed.name == "nbbg_trial-0.9.dist-info"


def read(*sources: str) -> header.Header | None:
    """The header of a notebook with these code cells."""
    cells: list[dict[str, Any]] = [{"cell_type": "code", "source": source} for source in sources]
    text = {"cell_type": "markdown", "source": "# /// script"}
    return header.read({"cells": [text, *cells]}, Path("/project/a/train.ipynb"))


def test_a_header_is_read_as_it_is_written() -> None:
    """In the first cell with code, among other lines; elsewhere it is none."""
    block = '# /// script\n# requires-python = ">=3.9"\n#\n# dependencies = ["a", "b"]\n# ///'
    found = read("  \n", f"#!/usr/bin/env python\n{block}\nimport a", "1")
    assert found is not None
    assert (found.dependencies, found.requires_python) == (("a", "b"), ">=3.9")
    assert read("import a", block) is None
    assert read(f"%%writefile x.py\n{block}") is None
    assert read() is None
    assert read("# /// other\n# a = 1\n# ///") is None


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("# /// script\n# dependencies = []", "has no end"),
        ("# /// script\nimport a\n# ///", "has no end"),
        ("# /// script\n# a = 1\n# ///\n# /// script\n# a = 1\n# ///", "is there twice"),
        ("# /// script\n# dependencies = [\n# ///", "is no TOML"),
        ('# /// script\n# dependencies = "a"\n# ///', "no list of texts"),
        ("# /// script\n# requires-python = 3\n# ///", "no text"),
    ],
)
def test_a_bad_header_is_refused(source: str, said: str) -> None:
    """A person who wrote one means it: it is not passed over."""
    with pytest.raises(NotebookError, match=said):
        read(source)


def test_a_script_for_uv_says_the_same_from_anywhere() -> None:
    """Further dependencies are added, tables go along, folders become absolute."""
    found = read(
        "# /// script\n# dependencies = [\n#   'mine', # why\n# ]\n# [tool.uv]\n"
        '# exclude-newer = "2026-01-01"\n# [tool.uv.sources]\n'
        "# mine = { path = '../mine', editable = true }\n"
        '# other = [{ path = "/other" }]\n# ///'
    )
    assert found is not None
    lines = found.script("ipython>=7.30").splitlines()
    assert lines[1] == '# dependencies = ["mine", "ipython>=7.30"]'
    assert '# exclude-newer = "2026-01-01"' in lines
    assert '# mine = { path = "/project/mine", editable = true }' in lines
    assert '# other = [{ path = "/other" }]' in lines
    again = read("\n".join(lines))
    assert again is not None
    assert again.dependencies == ("mine", "ipython>=7.30")
