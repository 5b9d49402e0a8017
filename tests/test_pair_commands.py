"""`nbbg convert`, `pair`, `sync` and `check` as a person types them, over folders and bad input."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.project import Project


def edit(path: Path, old: str, new: str) -> None:
    """Edit a file as a person would."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def code(path: Path) -> list[str]:
    """The sources of a notebook."""
    return ["".join(cell["source"]) for cell in json.loads(path.read_text())["cells"]]


def listed(root: Path) -> list[str]:
    """The user's files of a project."""
    found = (path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    return sorted(name for name in found if not name.startswith(".nbbg/"))


def converted(project: Project, *arguments: str, exit_code: int = 0) -> dict[str, Any]:
    """`nbbg convert --json`."""
    done = project.nbbg("convert", *arguments, "--json", code=exit_code)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_folder_is_converted(project: Project) -> None:
    """With its folders, without what is excluded; same names in different folders stay apart."""
    for name in ("a", "sub/a", "sub/deep/b", "old/c", ".ipynb_checkpoints/a"):
        project.write(f"books/{name}.ipynb", f"name = {name!r}", "!ls")
    words = ("books", "--to", "py", "--recursive", "--exclude", "old/*")
    dry = converted(project, *words, "--dry-run")
    assert len(dry["converted"]) == 3
    assert not [name for name in listed(project.root) if name.endswith(".py")]
    done = project.nbbg("convert", *words)
    assert done.stderr == "3 converted, 0 unchanged, 0 refused\n"
    assert "books/sub/a.ipynb -> books/sub/a.py: books/sub/a.py made" in done.stdout
    made = [name for name in listed(project.root) if name.endswith(".py")]
    assert made == ["books/a.py", "books/sub/a.py", "books/sub/deep/b.py"]
    assert "name = 'sub/a'" in (project.root / "books/sub/a.py").read_text()
    again = converted(project, *words)
    assert [len(again[key]) for key in ("converted", "unchanged", "refused")] == [0, 3, 0]
    only = converted(project, "books", "-r", "--include", "b.*", "--to", "ipynb")
    assert [one["file"] for one in only["unchanged"]] == ["books/sub/deep/b.py"]
    assert len(converted(project, "books")["unchanged"]) == 1


def test_bad_input_stops_no_other(project: Project) -> None:
    """A file that can't be converted is a line with its reason, untouched; the others are done."""
    root = project.root
    project.write("good.ipynb", "x = 1")
    bad = {
        "empty": b"",
        "torn": b'{"cells": [',
        "list": b"[]",
        "other": b'{"a": 1}',
        "binary": bytes(range(256)),
        "latin": '{"é"'.encode("latin-1"),
    }
    for name, data in bad.items():
        (root / f"{name}.ipynb").write_bytes(data)
    (root / "folder.ipynb").mkdir()
    outside = root.parent / "outside.ipynb"
    outside.write_text((root / "good.ipynb").read_text())
    (root / "link.ipynb").symlink_to(outside)
    (root / "gone.ipynb").symlink_to("nowhere")
    found = converted(project, ".", "--to", "py", exit_code=1)
    reasons = {one["file"].removesuffix(".ipynb"): one["reason"] for one in found["refused"]}
    assert set(reasons) == {*bad, "folder", "link", "gone"}
    assert all(1 <= len(reason.splitlines()) <= 2 for reason in reasons.values())
    assert reasons["empty"] == "empty.ipynb: the file is empty"
    assert "leads out of the project through a link" in reasons["link"]
    assert reasons["folder"].startswith("folder.ipynb: is a folder, not a notebook")
    assert [one["made"] for one in found["converted"]] == [["good.py"]]
    assert {name: (root / f"{name}.ipynb").read_bytes() for name in bad} == bad
    assert not list(root.parent.glob("*.py"))
    done = project.nbbg("convert", "torn.ipynb", code=2)
    assert done.stderr == "nbbg: torn.ipynb:1:12: is cut off: Expecting value\n"
    project.nbbg("convert", "good.ipynb", "-o", "torn.ipynb", code=2)
    project.nbbg("convert", "good.ipynb", "good.py", "-o", "x.py", code=2)
    assert "none: no such file" in project.nbbg("convert", "none", code=2).stderr


def test_a_folder_of_its_own_for_the_scripts(project: Project) -> None:
    """Pairs over two trees are made, found, synced and checked; jupytext's metadata name them."""
    root = project.root
    for name in ("a", "sub/a"):
        project.write(f"books/{name}.ipynb", f"name = {name!r}", "!ls")
    project.nbbg("pair", "books", "--scripts", "scripts", "-r")
    assert [name for name in listed(root) if name.endswith(".py")] == [
        "scripts/a.py",
        "scripts/sub/a.py",
    ]
    metadata = json.loads((root / "books/a.ipynb").read_text())["metadata"]
    assert metadata["jupytext"]["formats"] == "books///ipynb,scripts///py:percent"
    assert project.nbbg("sync").stderr == "0 synced, 2 unchanged, 0 refused\n"
    edit(root / "scripts/sub/a.py", "# !ls", "# !pwd")
    done = project.nbbg("check", code=1)
    assert "scripts/sub/a.py: was edited, and the other half of its pair was not" in done.stderr
    done = project.nbbg("check", "--diff", "books/sub/a.ipynb", code=1)
    assert done.stdout.splitlines()[2:] == ["@@ cell 2 differs: `!ls` / `!pwd`", "-!ls", "+!pwd"]
    assert "1 would be synced" in project.nbbg("sync", "--dry-run").stderr
    assert code(root / "books/sub/a.ipynb")[1] == "!ls"
    project.nbbg("sync", "scripts/sub/a.py")
    assert code(root / "books/sub/a.ipynb")[1] == "!pwd"
    assert project.nbbg("check").stderr.endswith(" in order, 0 not\n")
    assert project.nbbg("check", "--diff", "scripts/a.py").stdout == ""
    project.write("other/a.ipynb", "name = 'a'", "!ls")
    done = project.nbbg("pair", "other/a.ipynb", "--scripts", "scripts", code=2)
    assert "scripts/a.py: is the script of books/a.ipynb already" in done.stderr


def test_a_checkout_has_no_record(project: Project) -> None:
    """Touched and copied files are never overwritten; both edited waits for a choice."""
    root = project.root
    project.write("a.ipynb", "x = 1")
    project.nbbg("pair", "a.ipynb")
    edit(root / "a.py", "x = 1", "x = 2")
    edit(root / "a.ipynb", "x = 1", "x = 3")
    os.utime(root / "a.ipynb", (1, 1))
    done = project.nbbg("sync", code=1)
    assert "a.ipynb and a.py were both edited: cell 1 differs: `x = 3` / `x = 2`" in done.stderr
    project.nbbg("sync", "a.py", "--from", "notebook")
    assert "x = 3" in (root / "a.py").read_text()
    assert "x = 2" in (root / ".a.py.~1~").read_text()
    for path in (root / ".nbbg/pairs").iterdir():
        path.unlink()
    edit(root / "a.py", "x = 3", "x = 4")
    done = project.nbbg("sync", "a.py", code=1)
    assert "nbbg has not seen them the same" in done.stderr
    found = json.loads(project.nbbg("sync", "--from", "script", "--json").stdout)
    assert found["synced"][0]["kept"] == [".a.ipynb.~1~"]
    assert code(root / "a.ipynb") == ["x = 4"]


def test_a_moved_project_keeps_its_records(project: Project) -> None:
    """Records name files within the project, and move with it."""
    project.write("a.ipynb", "x = 1")
    project.nbbg("pair", "a.ipynb")
    moved = project.root.with_name("moved")
    project.root.rename(moved)
    project.root = moved
    edit(moved / "a.py", "x = 1", "x = 2")
    project.nbbg("sync")
    assert code(moved / "a.ipynb") == ["x = 2"]


def test_jupytexts_configuration_is_read(project: Project) -> None:
    """A `jupytext.toml` above the notebooks says where scripts go, in conversions too."""
    text = 'formats = "notebooks///ipynb,scripts///py:percent"\n'
    (project.root / "jupytext.toml").write_text(text)
    path = project.write("notebooks/a.ipynb", "x = 1")
    before = path.read_bytes()
    done = project.nbbg("convert", "notebooks/a.ipynb")
    assert done.stdout == "notebooks/a.ipynb <-> scripts/a.py: scripts/a.py made\n"
    assert path.read_bytes() == before
    edit(project.root / "scripts/a.py", "x = 1", "x = 2")
    project.nbbg("sync")
    assert code(path) == ["x = 2"]


def test_a_project_that_can_not_be_written_has_no_record(project: Project) -> None:
    """Pairs work without a store; where the sides differ, a person is asked."""
    project.write("a.ipynb", "x = 1")
    (project.root / ".nbbg").write_text("in the way")
    project.nbbg("pair", "a.ipynb")
    project.nbbg("sync")
    edit(project.root / "a.py", "x = 1", "x = 2")
    assert "nbbg has not seen them the same" in project.nbbg("sync", code=1).stderr


def test_a_hook_is_given_every_file_of_a_commit(project: Project) -> None:
    """Modules without cells are no notebooks: they are in order, and in the way of no sync."""
    project.write("a.ipynb", "x = 1", "!ls")
    project.nbbg("pair", "a.ipynb")
    (project.root / "module.py").write_text("import os\n# rm x\n")
    project.write("lone.ipynb", "x = 1\n# %%\n!ls")
    names = ("a.ipynb", "a.py", "module.py", "lone.ipynb")
    assert project.nbbg("check", *names).stderr == "3 in order, 0 not\n"
    project.nbbg("sync", *names)
    (project.root / "lone.ipynb").write_text("{")
    assert "lone.ipynb:1:2: is cut off" in project.nbbg("check", *names, code=1).stderr
    hooks = (Path(__file__).parents[1] / ".pre-commit-hooks.yaml").read_text()
    assert [line.split()[-1] for line in hooks.splitlines() if "entry:" in line] == [
        "check",
        "sync",
    ]
