"""Odd paths, file systems that lack something, an index that is none."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.faults.shims import WITHOUT_LINKS, WITHOUT_LOCKS, compiled
from tests.places import GATE, open_gate
from tests.project import PYTHON, Project

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ODD = "-a b'c\"d\n$(touch x) ü 試 %s {number}"


@pytest.fixture
def odd(tmp_path: Path) -> Iterator[Project]:
    """A project in a folder whose name holds everything that a name may hold."""
    made = Project(tmp_path / ODD, tmp_path / "home")
    for folder in (made.root, made.root / ".git", made.home):
        folder.mkdir()
    yield made
    made.end_all()


def test_a_folder_of_any_name(odd: Project) -> None:
    """Spaces, quotes, line ends, dashes, other scripts: all works there, and after a rename."""
    odd.write('-it\'s a "note".ipynb', GATE, "print('after')")
    odd.nbbg("run", './-it\'s a "note".ipynb', "--runs", "2")
    odd.until_running(1, "at the gate")
    there = Project(odd.root.with_name("plain"), odd.home)
    odd.root.rename(there.root)
    try:
        open_gate(there)
        there.nbbg("wait", "1")
        there.nbbg("resume", "b1", code=None)
        there.nbbg("wait", "b1")
        there.root.rename(odd.root)
        assert [run["state"] for run in odd.runs()] == ["succeeded"] * 2
        assert odd.log(2) == "at the gate\nafter\n"
        odd.nbbg("pair", './-it\'s a "note".ipynb')
        odd.nbbg("retry", "1", code=None)
        assert not any(name == "x" for name in os.listdir(odd.root))
    finally:
        there.end_all()


def test_a_folder_whose_name_is_no_text(tmp_path: Path) -> None:
    """A path that is not UTF-8 is refused with a sentence, and nothing is made in it."""
    root = os.fsencode(tmp_path) + b"/not\xff\xfetext"
    os.mkdir(root)
    home = tmp_path / "home"
    home.mkdir()
    notebook = Project(tmp_path, home).write("train.ipynb", "pass")
    os.rename(notebook, root + b"/train.ipynb")
    for words in (["run", "train.ipynb"], ["status"], ["pair", "train.ipynb"]):
        said = subprocess.run(
            [PYTHON, "-P", "-m", "nbbg", *words],
            cwd=root,
            env=Project(tmp_path, home).environ(),
            capture_output=True,
            check=False,
        )
        assert said.returncode == 2, said
        assert b"UTF-8" in said.stderr, said.stderr
        assert b"Traceback" not in said.stderr
        assert len(said.stderr.splitlines()) <= 2
    assert os.listdir(root) == [b"train.ipynb"]


def test_no_hard_links(project: Project) -> None:
    """Without hard links, facts are put in place by a rename that replaces nothing."""
    project.environment["LD_PRELOAD"] = str(compiled(WITHOUT_LINKS))
    project.write("train.ipynb", "print('done')")
    project.nbbg("run", "train.ipynb", "--runs", "2", "--wait")
    assert [run["state"] for run in project.runs()] == ["succeeded"] * 2
    code = "from nbbg import files; files.Folder('.').write_once('fact', b'2')"
    (project.root / "fact").write_text("1")
    again = subprocess.run(
        [sys.executable, "-c", code],
        cwd=project.root,
        env={**project.environ(), "PYTHONPATH": os.getcwd()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "FileExistsError" in again.stderr
    assert (project.root / "fact").read_text() == "1"


def test_no_locks(project: Project) -> None:
    """Where a file system has no locks the launch is refused, and not the first run of it."""
    project.environment["LD_PRELOAD"] = str(compiled(WITHOUT_LOCKS))
    project.write("train.ipynb", "print('done')")
    said = project.nbbg("run", "train.ipynb", code=2).stderr
    assert "there are no locks" in said
    assert "nothing was launched\nset `store` to another place\n" in said
    assert os.listdir(project.root / ".nbbg" / "batches") == []
