"""`nbbg diff` and `nbbg restore`: what differed between two runs, and the code of one again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from nbbg.ops import provenance

if TYPE_CHECKING:
    from pathlib import Path

    from tests.project import Project

WHO = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org")
LOGS = "import nbbg, utils\nnbbg.log(loss=lr * 2)"
TREE = ("--freeze", "tree")


def git(root: Path, *words: str) -> str:
    """Run git, as somebody."""
    done = subprocess.run(
        ["git", "-C", root, *WHO, *words], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def fill(project: Project) -> str:
    """A project with a notebook and a module, committed; the commit."""
    (project.root / ".git").rmdir()
    (project.root / "utils.py").write_text("V = 'old'\n")
    (project.root / ".gitignore").write_text("outputs/\n")
    project.write("nb/train.ipynb", LOGS, parameters="lr = 0.5")
    project.environment["PYTHONPATH"] = str(project.root)
    git(project.root, "init", "-q")
    git(project.root, "add", "-A")
    git(project.root, "commit", "-qm", "first")
    return git(project.root, "rev-parse", "HEAD")


def difference(project: Project, *ids: str) -> dict[str, object]:
    """`nbbg diff --json`."""
    found: dict[str, object] = json.loads(project.nbbg("diff", "--json", *ids).stdout)
    return found


def test_all_that_differs_is_shown(project: Project) -> None:
    """Code by cell, sources, parameters, commit, what is not committed, variables, metrics."""
    first = fill(project)
    (project.root / "utils.py").write_text("V = 'dirty'\n")
    project.nbbg("run", "nb/train.ipynb", "--wait", *TREE)
    (project.root / "utils.py").write_text("V = 'new'\n")
    git(project.root, "commit", "-qam", "second")
    project.write("nb/train.ipynb", LOGS, "1 + 1", parameters="lr = 0.5")
    project.environment |= {"COLOUR": "blue", "MY_TOKEN": "not-to-be-seen"}
    project.nbbg("run", "nb/train.ipynb", "-p", "lr=1", "--name", "other", "--wait", *TREE)
    found = difference(project, "1", "other")
    second = git(project.root, "rev-parse", "HEAD")
    assert found["code"] == ["@@ cell 3 is in run 2 alone: `1 + 1`", "+1 + 1"]
    source = {"path": "utils.py", "how": "+1 -1"}
    lines = ["@@ -1 +1 @@", "-V = 'dirty'", "+V = 'new'"]
    assert found["sources"] == [{**source, "lines": lines}]
    assert found["given"] == {"commit": [first, second]}
    assert (found["params"], found["metrics"]) == ({"lr": [None, 1]}, {"loss": [1.0, 2]})
    assert found["dirty_diff"] == ["nb/train.ipynb", "utils.py"]
    assert found["environment"] == {"COLOUR": [None, "blue"]}
    assert (found["packages"], found["same"]) == ({}, False)
    text = project.nbbg("diff", "1", "b2", "--full").stdout
    for line in ("+V = 'new'", "utils.py: +1 -1", f"  git diff {first[:12]} {second[:12]}"):
        assert f"\n{line}\n" in text
    assert "+V = 'dirty'" in text
    assert "\x1b" not in text
    assert "not-to-be-seen" not in text


def test_nothing_that_differs_is_said(project: Project) -> None:
    """Two runs of one batch had the same, but for number and seed; more than one run is refused."""
    project.write("train.ipynb", "1")
    project.nbbg("run", "train.ipynb", "--runs", "2", "--wait")
    said = project.nbbg("diff", "1", "2").stdout
    assert "the same code, parameters, packages and environment were given to both" in said
    assert difference(project, "1", "2")["same"] is True
    said = project.nbbg("diff", "train", "2", code=2).stderr
    assert said == "nbbg: train means 2 runs\nname one of them: 1 2\n"


def test_packages_are_recorded_without_starting_the_interpreter(
    project: Project, tmp_path: Path
) -> None:
    """Names and versions are those that pip wrote, in an environment's own folder."""
    site = tmp_path / "venv" / "lib" / "python3.12" / "site-packages"
    for name in ("My_Package-1.2.dist-info", "old-0.1-py3.12.egg-info", "no_version.dist-info"):
        (site / name).mkdir(parents=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    expected = {"my-package": "1.2", "old": "0.1"}
    assert provenance.packages(python, project.environ()) == expected
    assert "ipython" in provenance.packages(sys.executable, {})


def test_a_notebook_comes_back_as_it_was(project: Project) -> None:
    """Edited since, restored beside itself or into a folder, never over anything; and it runs."""
    commit = fill(project)
    (project.root / "utils.py").write_text("V = 'dirty'\n")
    project.nbbg("run", "nb/train.ipynb", "--wait")
    project.write("nb/train.ipynb", "gone")
    done = project.nbbg("restore", "1")
    assert done.stdout == "nb/train_frozen1.ipynb\n"
    restored = json.loads((project.root / "nb" / "train_frozen1.ipynb").read_text())
    assert [cell["source"] for cell in restored["cells"]] == ["lr = 0.5", LOGS]
    assert "restore 1 -o FOLDER" in project.nbbg("restore", "1", code=2).stderr
    project.nbbg("restore", "1", "-o", "then")
    assert "is there already" in project.nbbg("restore", "1", "-o", "then", code=2).stderr
    assert (project.root / "then" / "nb" / "train.ipynb").exists()
    assert f"worktree add ../project-1 {commit}" in done.stderr
    for line in done.stderr.splitlines()[1:]:  # as it says
        subprocess.run(line, shell=True, check=True, cwd=project.root, capture_output=True)  # noqa: S602
    assert (project.root.parent / "project-1" / "utils.py").read_text() == "V = 'dirty'\n"
    assert "--freeze tree keeps the rest" in project.nbbg("restore", "1", "--tree", code=2).stderr


def test_a_script_comes_back_as_a_script(project: Project) -> None:
    """What was launched as a percent script is one again, with the same code."""
    text = "# %%\nx = 1\n# !rm x\n\n# %% [markdown]\n# words\n\n# %%\nprint(x)\n"
    (project.root / "s.py").write_text(text)
    project.nbbg("run", "s.py", "--wait")
    (project.root / "s.py").unlink()
    project.nbbg("restore", "1")
    assert (project.root / "s_frozen1.py").read_text().endswith(text)
    (project.root / "s_frozen1.py").rename(project.root / "s.py")
    project.nbbg("run", "s.py", "--runs", "1")  # the same code: nothing to do
    assert len(project.runs()) == 1


def test_a_whole_tree_comes_back(project: Project) -> None:
    """All that was frozen, with links and modes, is in a new folder, and can be launched there."""
    fill(project)
    (project.root / "link.py").symlink_to("utils.py")
    (project.root / "run.sh").write_text("#!/bin/sh\n")
    (project.root / "run.sh").chmod(0o755)
    project.nbbg("run", "nb/train.ipynb", "--wait", *TREE)
    for name in ("utils.py", "run.sh", "nb/train.ipynb"):
        (project.root / name).unlink()
    assert project.nbbg("restore", "1", "--tree").stdout == "restored-1\n"
    made = project.root / "restored-1"
    names = (".gitignore", "link.py", "nb/train.ipynb", "run.sh", "utils.py")
    found = {str(path.relative_to(made)) for path in made.rglob("*") if not path.is_dir()}
    assert found == set(names)
    assert os.access(made / "run.sh", os.X_OK)
    assert str((made / "link.py").readlink()) == "utils.py"
    said = project.nbbg("restore", "1", "--tree", code=2).stderr
    assert said.endswith("name another: nbbg restore 1 --tree -o FOLDER\n")
