"""A sync that is killed at any step loses nothing, and the next one brings the pair into step."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

from nbbg.notebook import pairing
from nbbg.ops import pairs

if TYPE_CHECKING:
    from collections.abc import Callable

STEPS = ("open", "fsync", "link", "rename", "remove", "mkdir", "chmod", "chown")
MOST = 200  # steps that no sync has


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder of its own, which is a project."""
    monkeypatch.chdir(tmp_path)
    Path(".git").mkdir()


def write() -> None:
    """Write a notebook whose outputs and attachments no script holds."""
    output = nbformat.v4.new_output("stream", text="kept\n")
    cells = [
        nbformat.v4.new_code_cell("x = 1", id="one", execution_count=7, outputs=[output]),
        nbformat.v4.new_code_cell("!ls", id="two"),
        nbformat.v4.new_markdown_cell("# T", id="three", attachments={"a.png": {"image/png": ""}}),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), "a.ipynb")


def edit(name: str, old: str, new: str) -> None:
    """Edit a file as a person would."""
    text = Path(name).read_text()
    assert old in text
    Path(name).write_text(text.replace(old, new))


def killed_at(step: int, work: Callable[[], object]) -> bool:
    """Do the work in a child that is killed just before its step; whether it came that far."""
    child = os.fork()
    if child == 0:
        _count(step)
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.waitstatus_to_exitcode(status) == 0
    return False


def _count(step: int) -> None:
    """Kill this process at the step-th call that changes a file or its folder."""
    left = step

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        writes = event != "open" or arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if event.removeprefix("os.") in STEPS and writes:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    real = os.fsync

    def fsync(fd: Any) -> None:
        watch("fsync", ())
        real(fd)

    os.fsync = fsync


def files() -> set[str]:
    """The user's files, and what a sync has left beside them."""
    return {path.name for path in Path().iterdir()} - {".git", ".nbbg"}


def cells() -> list[dict[str, Any]]:
    """The notebook's cells."""
    found: list[dict[str, Any]] = json.loads(Path("a.ipynb").read_text())["cells"]
    return found


def whole(text: str) -> None:
    """Check that what no script holds is there, and that both sides have their text."""
    code, command, markdown = cells()
    assert (code["id"], code["execution_count"], code["source"]) == ("one", 7, [text])
    assert code["outputs"][0]["text"] == ["kept\n"]
    assert command["source"] == ["!ls"]
    assert markdown["attachments"] == {"a.png": {"image/png": ""}}
    assert f"# %%\n{text}\n\n# %%\n# !ls\n" in Path("a.py").read_text()


def start() -> None:
    """A folder with a pair in step."""
    for name in files():
        Path(name).unlink()
    write()
    (done,) = pairs.pair([Path("a.ipynb")], lambda _: "")
    assert not done.refused


def sync() -> pairs.Outcome:
    """Sync the pair."""
    (done,) = pairs.sync([Path("a.py")])
    return done


def through_all(prepare: Callable[[], None], work: Callable[[], object], text: str) -> int:
    """Kill the work at each of its steps, then sync; the number of steps."""
    for step in range(1, MOST):
        prepare()
        reached = killed_at(step, work)
        for name in ("a.ipynb", "a.py"):
            assert not Path(name).exists() or Path(name).read_bytes()[-1:] == b"\n"
        done = sync()
        assert not done.refused, (step, done.refused)
        whole(text)
        second = sync()
        assert second.report
        assert not second.report.changed
        left = {name for name in files() if not re.fullmatch(r"\.a\.\w+\.~\d~", name)}
        assert left <= {"a.ipynb", "a.py"}, (step, left)
        if not reached:
            return step
    raise AssertionError(step)


def test_a_sync_from_the_script_may_be_killed() -> None:
    """The edit of the script arrives in the notebook, whose outputs are kept."""

    def prepare() -> None:
        start()
        edit("a.py", "x = 1", "x = 2")

    assert through_all(prepare, sync, "x = 2") > 8


def test_a_sync_from_the_notebook_may_be_killed() -> None:
    """The edit of the notebook arrives in the script."""

    def prepare() -> None:
        start()
        edit("a.ipynb", "x = 1", "x = 3")

    assert through_all(prepare, sync, "x = 3") > 8


def test_pairing_may_be_killed() -> None:
    """A pairing that was begun is a pair, or none yet; both are whole."""

    def prepare() -> None:
        for name in files():
            Path(name).unlink()
        write()

    def work() -> None:
        list(pairs.pair([Path("a.ipynb")], lambda _: ""))

    for step in range(1, MOST):
        prepare()
        reached = killed_at(step, work)
        (done,) = pairs.pair([Path("a.ipynb")], lambda _: "")
        assert not done.refused
        whole("x = 1")
        if not reached:
            assert step > 8
            return


def test_both_edited_and_killed_keeps_both() -> None:
    """Where a person chose a side, the other is in the file or in its backup at every step."""

    def work() -> None:
        list(pairs.sync([Path("a.py")], pairing.Side.SCRIPT))

    for step in range(1, MOST):
        start()
        edit("a.py", "x = 1", "x = 'script'")
        edit("a.ipynb", "x = 1", "x = 'book'")
        reached = killed_at(step, work)
        texts = [path.read_text() for path in Path().iterdir() if path.is_file()]
        assert any("x = 'book'" in text for text in texts)
        assert any("x = 'script'" in text for text in texts)
        list(pairs.sync([Path("a.py")], pairing.Side.SCRIPT))
        whole("x = 'script'")
        if not reached:
            return
