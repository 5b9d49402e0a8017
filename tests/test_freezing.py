"""`--freeze tree`: what runs is what was there at launch, whatever is edited since."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nbbg.errors import UsageError
from nbbg.ops import freezing
from tests.project import PYTHON, until

if TYPE_CHECKING:
    from tests.project import Project

WAITS = (
    "import os, time\nprint('ready', flush=True)\nwhile not os.path.exists('go'):\n"
    "    time.sleep(0.02)"
)
SAYS = "import utils, pkg.sub\nprint(utils.V, pkg.sub.V, os.path.exists('data.bin'))"
CHILD = (
    "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'import utils; print(utils.V)'])"
)
TREE = ("--freeze", "tree")


def git(root: Path, *words: str) -> None:
    """Run git, as somebody."""
    who = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org")
    subprocess.run(["git", "-C", root, *who, *words], check=True, capture_output=True)


def fill(project: Project) -> None:
    """A project with a module, a package, and data that git ignores."""
    (project.root / ".git").rmdir()
    (project.root / "pkg").mkdir()
    for name in ("utils.py", "pkg/__init__.py", "pkg/sub.py"):
        (project.root / name).write_text("V = 'old'\n")
    (project.root / ".gitignore").write_text("*.bin\n*_version.py\ngo\n")
    (project.root / "data.bin").write_bytes(b"data")
    git(project.root, "init", "-q")


def edit(project: Project) -> None:
    """What somebody does while it queues: one file edited, one deleted."""
    (project.root / "utils.py").write_text("V = 'new'  # not of the old one's size\n")
    (project.root / "pkg" / "sub.py").unlink()


@pytest.mark.parametrize("engine", ["ipython", "kernel", "plain"])
def test_sources_edited_after_the_launch_do_not_run(engine: str, project: Project) -> None:
    """Edited and deleted modules run as they were, in the engine and its children; data is live."""
    fill(project)
    project.write("train.ipynb", WAITS, SAYS, CHILD)
    said = project.nbbg("run", "train.ipynb", "--engine", engine, *TREE).stderr
    assert "frozen: 3 files of the project" in said
    until(lambda: "ready" in project.log(1))
    edit(project)
    (project.root / "go").touch()
    project.nbbg("wait", "1")
    assert project.log(1).splitlines()[-2:] == ["old old True", "old"]


def test_without_it_edited_modules_run_and_it_is_said(project: Project) -> None:
    """The notebook is as it was, its modules as they are; status, results and show say so."""
    fill(project)
    path = project.write(
        "train.ipynb", "import utils, nbbg\nnbbg.log(n=1)\nprint('first', utils.V)"
    )
    project.nbbg("run", "train.ipynb", "--wait")
    # Of another size: within the same second Python's own cache knows it by nothing else.
    (project.root / "utils.py").write_text("V = 'new'  # edited\n")
    project.nbbg("run", "train.ipynb", "--wait")
    assert [project.log(run) for run in (1, 2)] == ["first old\n", "first new\n"]
    sentence = "train: its runs used 2 versions of utils.py: nbbg diff 1 2"
    for words in (("status",), ("results",), ("results", "--best", "n")):
        assert sentence in project.nbbg(*words).stderr
    assert sentence in project.nbbg("show", "1").stdout
    assert "utils.py: another version" in project.nbbg("diff", "1", "2").stdout
    path.unlink()
    assert sentence in project.nbbg("status").stderr


def test_modules_that_did_not_change_are_recorded_alike(project: Project) -> None:
    """Frozen or not, in any engine, the same modules have the same hashes; nothing is said."""
    fill(project)
    project.write("train.ipynb", "import utils")
    for more in (TREE, ("--engine", "kernel")):
        project.nbbg("run", "train.ipynb", "--wait", *more)
    kept = [(project.attempt(run) / "imported.json").read_text() for run in (1, 2)]
    assert kept[0] == kept[1]
    assert kept[0].startswith('{"utils.py":"')
    assert "versions" not in project.nbbg("status").stderr


def test_a_notebook_without_modules_records_none(project: Project) -> None:
    """Nothing is written for a run that imports nothing of its project."""
    project.write("train.ipynb", "import json")
    project.nbbg("run", "train.ipynb", "--wait")
    assert not (project.attempt(1) / "imported.json").exists()


def test_a_later_attempt_runs_the_same_tree_after_a_move(project: Project) -> None:
    """Edited, moved, and tried again: the run still imports what was there at launch."""
    fill(project)
    project.write("train.ipynb", "import os\n" + SAYS, "assert os.path.exists('go')")
    project.nbbg("run", "train.ipynb", "--wait", *TREE, code=1)
    edit(project)
    project.root = project.root.rename(project.root.with_name("moved"))
    (project.root / "go").touch()
    project.nbbg("retry", "1")
    project.nbbg("wait", "1")
    assert project.log(1) == "old old True\n"
    assert (project.root / ".nbbg/batches/1/runs/1/2").is_dir()


HOOK = """import sys
from importlib.machinery import PathFinder
from importlib.util import spec_from_file_location
MAPPING = {{"mine": {package!r}}}
class Finder:
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name in MAPPING:
            return spec_from_file_location(name, MAPPING[name] + "/__init__.py")
sys.meta_path.append(Finder)
"""


@pytest.mark.parametrize("how", ["path", "hook", "link"])
def test_the_frozen_tree_wins_over_an_editable_install(how: str, project: Project) -> None:
    """A package that is installed from the project by any of three ways is the frozen one."""
    fill(project)
    package = project.root / "src" / "mine"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("V = 'old'\n")
    installed = project.home / "venv"
    subprocess.run([PYTHON, "-m", "venv", "--without-pip", installed], check=True)
    site = next(installed.glob("lib/python3*/site-packages"))
    ours = [entry for entry in sys.path if entry.endswith("site-packages")]
    lines = {"path": str(package.parent), "hook": "import __editable___mine_finder", "link": ""}
    (site / "mine.pth").write_text("\n".join((*ours, lines[how])))
    (site / "__editable___mine_finder.py").write_text(HOOK.format(package=str(package)))
    if how == "link":
        (site / "mine").symlink_to(package)
    project.write("notebooks/train.ipynb", "import mine\nprint(mine.V, mine.__file__)")
    project.nbbg("run", "notebooks/train.ipynb", "--python", installed, "--wait", *TREE)
    tree = project.batch("b1") / "tree"
    assert project.log(1) == f"old {tree}/src/mine/__init__.py\n"
    (package / "__init__.py").write_text("V = 'new'  # not of the old one's size\n")
    project.nbbg("run", "notebooks/train.ipynb", "--python", installed, "--wait")
    assert project.log(2).startswith(f"new {site if how == 'link' else package.parent}/mine/")


def test_a_sitecustomize_of_the_user_is_still_executed(project: Project) -> None:
    """The user's own `sitecustomize`, which ours hides, does what it did."""
    fill(project)
    (project.home / "own").mkdir()
    (project.home / "own" / "sitecustomize.py").write_text("import sys\nsys.mine = 'theirs'\n")
    project.environment["PYTHONPATH"] = str(project.home / "own")
    project.write("train.ipynb", "import os, sys, utils\nprint(sys.mine, utils.__file__)")
    project.nbbg("run", "train.ipynb", "--wait", *TREE)
    assert project.log(1) == f"theirs {project.batch('b1')}/tree/utils.py\n"


def test_a_launch_inside_a_frozen_run_is_not_part_of_its_tree(project: Project) -> None:
    """What has a run import its tree is no part of the environment of a batch launched in it."""
    fill(project)
    project.write("inner.ipynb", "import utils\nprint(utils.V)")
    launch = f"!{PYTHON} -P -m nbbg run inner.ipynb"
    project.write("outer.ipynb", "open('utils.py', 'w').write('V = 2')", launch)
    project.nbbg("run", "outer.ipynb", "--wait", *TREE)
    project.nbbg("wait", "2")
    assert project.log(2) == "2\n"
    assert "twins" not in (project.batch("b2") / "batch.json").read_text()


def test_a_tree_is_imported_in_this_very_process(project: Project) -> None:
    """`--executor inline` imports from the tree too."""
    fill(project)
    project.write(
        "train.ipynb", "import sys\nsys.path.insert(0, '')\nimport utils\nprint(utils.__file__)"
    )
    project.nbbg("run", "train.ipynb", "--executor", "inline", "--python", PYTHON, *TREE)
    assert project.log(1) == f"{project.batch('b1')}/tree/utils.py\n"


def test_which_files_are_frozen(project: Project) -> None:
    """Tracked files, new sources, and what can be imported beside them; links, modes and names."""
    fill(project)
    root, outside = project.root, project.home / "shared"
    outside.mkdir()
    (outside / "common.py").write_text("")
    (outside / "one.py").write_text("V = 1")
    git(root, "add", "-A")
    (root / "pkg" / "_version.py").write_text("ignored, and imported")
    (root / "größe ü.py").write_text("")
    (root / "run.sh").write_text("")
    (root / "run.sh").chmod(0o755)
    (root / "alias.py").symlink_to("utils.py")
    (root / "absolute.py").symlink_to(root / "utils.py")
    (root / "one.py").symlink_to(outside / "one.py")
    (root / "shared").symlink_to(outside)
    (root / "nowhere.py").symlink_to("/nowhere")
    (root / "up").symlink_to("..")
    (root / "new.csv").write_text("")
    (root / ".env").write_text("A=1")
    (root / "outputs").mkdir()
    (root / "outputs" / "made.py").write_text("")
    (root / "pkg" / "__init__.py").unlink()
    os.mkfifo(root / "pipe.py")
    (root / "large.py").write_bytes(b"#" * (freezing.LARGEST_FILE + 1))
    tree = freezing.choose(root, root / ".nbbg")
    freezing.copy(tree, project.home / "tree")
    assert sorted(freezing.frozen_files(project.home / "tree")) == sorted(
        [
            *(".gitignore", "absolute.py", "alias.py", "größe ü.py", "one.py", "pkg/_version.py"),
            *("pkg/sub.py", "run.sh", "shared/common.py", "shared/one.py", "utils.py"),
        ]
    )
    assert tree.large == ["large.py"]
    assert str(tree).endswith("left out, as larger than 10 MB: large.py")
    copied = project.home / "tree"
    assert (
        (copied / "absolute.py").readlink() == (copied / "alias.py").readlink() == Path("utils.py")
    )
    assert not (copied / "one.py").is_symlink()
    assert [(copied / name).stat().st_mode & 0o777 for name in ("run.sh", "utils.py")] == [
        0o700,
        0o600,
    ]
    assert (copied / "utils.py").stat().st_nlink == (root / "utils.py").stat().st_nlink == 1


def test_which_files_are_frozen_without_git(project: Project) -> None:
    """Sources alone; no environment, data, outputs or hidden folder."""
    fill(project)
    subprocess.run(["rm", "-r", project.root / ".git"], check=True)
    for name in ("data/a.py", "venv/a.py", "other/pyvenv.cfg", "other/a.py", ".hidden/a.py"):
        (project.root / name).parent.mkdir(exist_ok=True)
        (project.root / name).write_text("")
    tree = freezing.choose(project.root, project.root / ".nbbg")
    assert tree.names == ["pkg/__init__.py", "pkg/sub.py", "utils.py"]


def test_a_repository_without_git_is_frozen_all_the_same(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the program is not installed, sources are chosen as in a project without it."""
    (project.root / "one.py").write_text("")
    (project.root / ".git").mkdir(exist_ok=True)
    monkeypatch.setenv("PATH", str(tmp_path))
    names = freezing.choose(project.root, project.root / ".nbbg").names
    assert "one.py" in names


def test_too_much_is_refused(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than the cap is refused before anything is copied, with what to do."""
    fill(project)
    monkeypatch.setattr(freezing, "MOST_FILES", 2)
    with pytest.raises(UsageError, match="have git ignore what is no source"):
        freezing.choose(project.root, project.root / ".nbbg")
    said = project.nbbg("run", "train.ipynb", "--freeze", "all", code=2).stderr
    assert "must be notebook or tree" in said
