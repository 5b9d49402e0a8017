"""Names, notes, paths and secrets stay what they are: no shell, tmux or terminal obeys them."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nbbg.errors import EnvironmentFault
from nbbg.executors import tmux
from tests.places import tmux_of
from tests.project import LONG, Project, until

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
SECRET = "sup3r-s3cret-valu3-0451"
EVIL = [
    *("$(touch pwned)", "`touch pwned`", "; touch pwned;", "#(touch pwned)", "#{l:pwned}", "-x"),
    *("../../pwned", "/pwned", "~", "a\nb", "\x1b]0;pwned\x07", "{lr.__class__}", "%(x)s", "'\"\\"),
]


def test_values_and_notes_are_text(project: Project) -> None:
    """Values, notes and templates of any text name outputs inside the folder, and nothing runs."""
    project.write("train.ipynb", "print(repr(x))", parameters="x = ''")
    (project.root / "sets.json").write_text(json.dumps([{"x": text} for text in EVIL]))
    template = ["--output", "out/{x}-{run}", f"--note={''.join(EVIL)}"]
    project.nbbg("run", "train.ipynb", "-f", "sets.json", "-j", "4", *template, "--wait")
    for text, run in zip(EVIL, project.runs(), strict=True):
        assert Path(run["log"]).read_text() == f"{text!r}\n"
        output = Path(run["output"]).resolve()
        assert output.parent == project.root / "out"
        assert output.exists()
    said = project.nbbg("status").stdout + project.nbbg("show", "b1").stdout
    assert not CONTROLS.search(said)
    assert not [path for path in project.root.parent.rglob("*pwned*") if path.name == "pwned"]


@pytest.mark.parametrize(
    "name", ["..", "../x", "/x", "a/../b", "x\ny", "\x1b[2J", "arm:x", "", "a//b"]
)
def test_names_that_can_be_no_folder_are_refused(project: Project, name: str) -> None:
    """`--name` is no path out of anything, and nothing that a terminal obeys."""
    project.write("train.ipynb", "1")
    said = project.nbbg("run", "train.ipynb", f"--name={name}", code=2).stderr
    assert "a name such as base" in said
    assert not CONTROLS.search(said)


def test_what_a_notebook_says_does_not_steer_the_terminal(project: Project) -> None:
    """Last lines, exceptions, metrics and tracebacks are shown without control characters."""
    bad = "\\x1b]52;c;cHduZWQ=\\x07\\x9d0;pwned\\x9c\\x1b[2J\\x08\\x7f"
    project.write(
        "bad.ipynb",
        f"import nbbg\nnbbg.log(m='{bad}x')\nprint('{bad}y')\nraise ValueError('{bad}z')",
    )
    project.nbbg("run", "bad.ipynb", "--wait", code=1)
    for words in (
        ["status"],
        ["show", "1"],
        ["logs", "1"],
        ["results"],
        ["wait", "1"],
        ["retry", "9"],
    ):
        done = project.nbbg(*words, code=None)
        assert not CONTROLS.search(done.stdout + done.stderr), words


def test_tmux_is_told_no_text_to_interpret(tmp_path: Path) -> None:
    """A project named like a format of tmux, or like shell text, runs nothing but the runner."""
    root = tmp_path / "#(touch pwned) ; $(touch pwned) #{pane_id};"
    (root / ".git").mkdir(parents=True)
    (tmp_path / "home").mkdir()
    made = Project(root, tmp_path / "home")
    with tmux_of(made):
        made.write("#(touch pwned).ipynb", "print('fine')")
        made.nbbg(
            "run",
            "#(touch pwned).ipynb",
            "--executor",
            "tmux",
            "--note",
            "#(touch pwned)",
            "--wait",
        )
        assert made.log(1) == "fine\n"
        assert not list(tmp_path.rglob("pwned"))
    made.end_all()


def test_a_ticket_names_a_pane_or_nothing() -> None:
    """What a record says of a pane is no command of tmux."""
    for pane in ("%1;", "x", "; kill-server", "-t", "=nbbg:"):
        with pytest.raises(EnvironmentFault, match="is no pane"):
            tmux.attach(pane, "s", 1)


@pytest.mark.parametrize("how", [["--engine", "kernel"], ["--executor", "tmux"], []])
def test_no_process_list_shows_a_secret(project: Project, how: list[str]) -> None:
    """No command line of any process of a run, and none of its files, holds a value of `.env`."""
    (project.root / ".env").write_text(f"API_KEY={SECRET}\n")
    project.write("train.ipynb", f"import os, subprocess\nprint(os.environ['API_KEY'])\n{LONG}")
    with tmux_of(project):
        _launch_and_look(project, how)


def _launch_and_look(project: Project, how: list[str]) -> None:
    project.nbbg("run", "train.ipynb", *how)
    project.until_running(1, "5")
    lists = list(_command_lines())
    assert len(lists) > 2
    assert not any(SECRET.encode() in line for line in lists)
    shown = [
        project.nbbg(*words, code=None)
        for words in (["show", "1"], ["status"], ["logs", "1"], ["--debug", "show", "9"])
    ]
    project.nbbg("stop", "1")
    until(lambda: project.state(1) == "stopped")
    assert not any(SECRET in done.stdout + done.stderr for done in shown)
    for path in (project.root / ".nbbg").rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path


def _command_lines() -> Iterator[bytes]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has just ended
            yield path.read_bytes()
