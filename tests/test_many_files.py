"""Folders of notebooks: several processes, files that were not touched, and work that is spared."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jupytext import stringparser

from nbbg.errors import NotebookError
from nbbg.notebook import agreement, calling, commands, fitting, scripts
from nbbg.ops import forked
from tests.project import Project, until
from tests.test_round_trip import LINES, NOTEBOOKS, PYTHON

PERCENT = {"extension": ".py", "format_name": "percent"}


def converted(project: Project, *more: str) -> dict[str, Any]:
    """`nbbg convert --to py --json` of all."""
    done = project.nbbg("convert", ".", "--to", "py", "--json", *more)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def many(project: Project) -> list[Path]:
    """Ten notebooks."""
    for number in range(10):
        project.write(f"{number}.ipynb", f"n = {number}", "!ls")
    return sorted(project.root.glob("*.ipynb"))


def test_results_come_in_order_and_a_killed_worker_costs_one() -> None:
    """What its worker can't finish is told of that piece alone, and all others are done."""

    def work(number: int) -> str:
        if number == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return f"{number} done"

    found = list(forked.run(range(9), work, lambda number, how: f"{number} {how}", 2))
    assert found.pop(3) == "3 was killed by SIGKILL"
    assert found == [f"{number} done" for number in range(9) if number != 3]


def test_stopping_early_leaves_no_process() -> None:
    """Who takes no more results has no workers afterwards."""
    results = forked.run(range(9), lambda _: os.getpid(), lambda *_: 0, 2)
    pid = next(results)
    results.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_an_untouched_folder_is_unchanged(project: Project) -> None:
    """Whatever is touched is read again, and only what was edited is written."""
    books_there = many(project)
    assert len(converted(project)["converted"]) == 10
    assert len(converted(project)["unchanged"]) == 10
    time.sleep(0.1)
    converted(project)
    books_there[0].touch()
    assert len(converted(project)["unchanged"]) == 10
    about = books_there[1].stat()
    books_there[1].write_text(books_there[1].read_text().replace("n = 1", "n = 100"))
    os.utime(books_there[1], ns=(about.st_atime_ns, about.st_mtime_ns))
    found = converted(project)
    assert [one["file"] for one in found["converted"]] == ["1.ipynb"]
    (project.root / "2.py").unlink()
    assert [one["file"] for one in converted(project)["converted"]] == ["2.ipynb"]


def test_an_untouched_folder_does_not_hide_an_edit(project: Project) -> None:
    """An edited script is refused, and a new configuration is followed, as if nothing was noted."""
    many(project)
    converted(project)
    time.sleep(0.1)
    converted(project)
    script = project.root / "4.py"
    script.write_text(script.read_text() + "y = 2\n")
    done = project.nbbg("convert", ".", "--to", "py", code=1)
    assert "4.py: was edited since nbbg made it" in done.stderr
    (project.root / "jupytext.toml").write_text('formats = "ipynb,scripts//py:percent"\n')
    project.nbbg("convert", ".", "--to", "py")
    assert len(list((project.root / "scripts").glob("*.py"))) == 10


def test_ctrl_c_leaves_whole_files(project: Project) -> None:
    """No process and no half-written file is left, and the rest is converted the next time."""
    for number in range(150):
        project.write(f"{number}.ipynb", *(f"x{n} = '{number}'" for n in range(100)))
    command = [sys.executable, "-m", "nbbg", "convert", ".", "--to", "py"]
    process = subprocess.Popen(
        command, cwd=project.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    until(lambda: any(project.root.glob("*.py")))
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, b"")
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    assert not list(project.root.glob(".*.new"))
    found = converted(project)
    assert len(found["converted"] + found["unchanged"]) == 150


@settings(max_examples=400, deadline=None, derandomize=True, database=None)
@given(NOTEBOOKS)
def test_comments_are_known_without_a_second_reading(made: list[dict[str, Any]]) -> None:
    """Which commands are comments in the script is the same as when the script is read for it."""
    notebook = {"cells": made, "metadata": PYTHON, "nbformat": 4, "nbformat_minor": 4}
    notebook = fitting.fitted(notebook, [(Path("a.py"), PERCENT)])
    try:
        text, back = scripts.written(notebook, Path("a.py"), PERCENT)
        agreement.check_lossless(notebook, back, Path("a.ipynb"), Path("a.py"))
    except NotebookError:
        return
    quick = scripts.commented(notebook, back, text, Path("a.py"), PERCENT)
    whole = scripts.literally(text, Path("a.py"), PERCENT)
    assert commands.made(back, quick) == commands.made(back, whole)


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.lists(LINES | st.text("'\"\\# a", max_size=8)), st.sampled_from(["python", "R", "julia"]))
def test_quotes_are_found_as_jupytext_finds_them(lines: list[str], language: str) -> None:
    """What is remembered about lines is what jupytext's own parser says."""
    calling.warm()
    assert stringparser.__file__ is not None
    spec = importlib.util.spec_from_file_location("jupytext.untouched", stringparser.__file__)
    assert spec is not None
    assert spec.loader is not None
    untouched = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(untouched)
    mine, its = stringparser.StringParser(language), untouched.StringParser(language)
    for line in lines:
        mine.read_line(line)
        its.read_line(line)
        assert (mine.single, mine.triple) == (its.single, its.triple)
