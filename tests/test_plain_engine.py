"""The `plain` engine: `python -u script.py`, its endings, and what it refuses at launch."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest

from nbbg.engines.plain import ending, script
from nbbg.errors import NotebookError
from nbbg.notebook import document
from tests.places import indented
from tests.project import LONG, notebook, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.project import Project

FRAME = '  File "/b/s.py", line 6, in <module>\n    f()\n'
INNER = '  File "/b/s.py", line 2, in f\n    g()\n  File "/lib/x.py", line 9, in g\n'
HEAD = "Traceback (most recent call last):\n"
RAISED = f"hm\n{HEAD}{FRAME}{INNER}json.decoder.JSONDecodeError: no: way\nmore\n"
SYNTAX = 'hm\n  File "/b/s.py", line 7\n    x = = 1\n        ^\nSyntaxError: invalid syntax\n'
THREAD = f"Exception in thread Thread-1 (f):\n{HEAD}{FRAME}ValueError: its own\n"
FOREIGN = HEAD + FRAME.replace("/b/s.py", "/elsewhere.py") + "ValueError: no\n"


def test_each_end_of_a_script(project: Project) -> None:
    """Exit 0 is a success; an exception, a code, a signal and a limit are told apart."""
    (project.root / "helper.py").write_text("HELP = 'helped'\n")
    facts = "import helper, nbbg, sys\nnbbg.log(loss=3)"
    says = "print(helper.HELP, __name__, lr, sys.argv[1:])"
    lists = "ls = [1]\nls += [2]\nprint(ls)"
    project.write("works.ipynb", facts, says, lists, parameters="lr = 1")
    project.write("raises.ipynb", "def f():\n    raise ValueError('bad')", "print('hm')\nf()", "1")
    project.write("exits.ipynb", "import sys", "sys.exit(3)")
    project.write("killed.ipynb", "import os", "os.kill(os.getpid(), 9)")
    project.write("slow.ipynb", LONG)
    names = ["works", "raises", "exits", "killed", "slow"]
    options = ("--engine", "plain", "--jobs", "2", "--timeout", "3", "--grace", "0.3", "--wait")
    project.nbbg("run", *(f"{name}.ipynb" for name in names), *options, code=1)
    found = {run["arm"]: (run["state"], run["reason"], run["output"]) for run in project.runs()}
    assert found == {
        "works": ("succeeded", "", None),
        "raises": ("failed", "cell 2: ValueError: bad", None),
        "exits": ("exited", "exit code 3", None),
        "killed": ("killed", "SIGKILL", None),
        "slow": ("timed out", "after 3 s", None),
    }
    assert project.log(1) == "helped __main__ 1 []\n[1, 2]\n"
    assert project.run(1)["metrics"] == {"loss": 3}
    shown = project.nbbg("show", "2").stdout
    assert "cell 2:\n    print('hm')\n    f()\n" in shown
    assert "    ValueError: bad\n" in shown
    assert "keeps a log only: nbbg logs 1" in project.nbbg("notebook", "1", code=2).stderr
    assert not (project.root / "outputs").exists()


def test_a_stop_and_parameters(project: Project) -> None:
    """A script is interrupted as it is in a terminal; parameters stand in it."""
    source = f"print('lr', lr)\ntry:\n{indented(LONG)}\nfinally:\n    print('finally')"
    project.write("train.ipynb", source, parameters="lr = 1")
    project.nbbg("run", "train.ipynb", "--engine", "plain", "-p", "lr=0.5")
    until(lambda: "\n2\n" in project.log(1))
    project.nbbg("stop", "1")
    run = project.run(1)
    assert (run["state"], run["reason"]) == ("stopped", "nbbg stop")
    assert project.log(1).startswith("lr 0.5\n0\n")
    assert "\nfinally\n" in project.log(1)


@pytest.mark.parametrize(
    ("option", "value"), [("--results", "x"), ("--allow-errors", ""), ("--executor", "inline")]
)
def test_what_a_log_can_not_do(project: Project, option: str, value: str) -> None:
    """Variables, errors that are passed over and a debugger need another engine."""
    project.write("train.ipynb", "x = 1")
    words = [option, value] if value else [option]
    said = project.nbbg("run", "train.ipynb", "--engine", "plain", *words, code=2).stderr
    assert "--engine" in said


@pytest.mark.parametrize(
    ("source", "line", "why"),
    [
        ("\n\nx = 1\n%time x", 4, "is IPython's"),
        ("x = !ls", 1, "is IPython's"),
        ("import os\nos.path?", 2, "is IPython's"),
        ("%%bash\nls", 1, "is IPython's"),
        ("x = (1 +\n     2)\n!ls", 3, "is IPython's"),
        (">>> x = 1", 1, "is IPython's"),
        ("import asyncio\nawait asyncio.sleep(0)", 2, "awaits at the top level"),
        ("def f():\n    display(1)", 2, "display is only there in IPython"),
        ("get_ipython()", 1, "get_ipython is only there"),
    ],
)
def test_what_python_does_not_do(tmp_path: Path, source: str, line: int, why: str) -> None:
    """What IPython would change is refused, with the cell and its line."""
    with pytest.raises(NotebookError, match=f"train.ipynb, cell 2, line {line}: .*{why}"):
        _made(tmp_path, "x = 1", source)


@pytest.mark.parametrize(
    "cells",
    [
        ("ls = [1]\nls += [2]", "cat = 5", "# %magic in a comment"),
        ("x = '''\n%no magic\n!nor this'''", "s = 'what?'  # who?"),
        ("from IPython.display import display\ndisplay(1)",),
        ("async def f():\n    await g()", "", "\n\nif True:\n\n    x = 1\n\n\n    y = 2\n"),
        ("x = 1\n\n# %%\n",),
    ],
)
def test_python_stays_as_it_is(tmp_path: Path, cells: tuple[str, ...]) -> None:
    """The cells stand in the script, each line as it was, and their places are known."""
    text = _made(tmp_path, *cells)
    places = script.lines(text, cells)
    lines = text.split("\n")
    for place, source in zip(places, cells, strict=True):
        wanted = source.strip("\n").split("\n")
        assert place is not None
        assert not source or lines[place - 1 : place - 1 + len(wanted)] == wanted


def test_a_tag_that_a_script_has_not(tmp_path: Path) -> None:
    """A cell that is to be left out, or may raise, is refused."""
    made = notebook("1", "1 / 0")
    made["cells"][1]["metadata"]["tags"] = ["raises-exception"]
    path = tmp_path / "train.ipynb"
    path.write_text(json.dumps(made))
    with pytest.raises(NotebookError, match="cell 2: is tagged raises-exception"):
        script.make(document.load(path), {})


def test_a_script_is_executed_as_it_is(tmp_path: Path) -> None:
    """Launched without parameters it keeps each byte, so tracebacks name its own lines."""
    path = tmp_path / "train.py"
    path.write_text("#!/usr/bin/env python\n# %%\nx = 1\n# rm x\n\n# %% [markdown]\n# hm\n")
    assert script.make(document.load(path), {}) == path.read_text()


@pytest.mark.parametrize(
    ("status", "log", "told"),
    [
        (0, RAISED, ("succeeded", None, None)),
        (1, RAISED, ("failed", 2, "JSONDecodeError: no: way")),
        (1, f"{RAISED}{HEAD}{FRAME}KeyError\n", ("failed", 2, "KeyError: ")),
        (1, SYNTAX, ("failed", 2, "SyntaxError: invalid syntax")),
        (1, THREAD, ("exited", None, None)),
        (1, FOREIGN, ("exited", None, None)),
        (1, "hm", ("exited", None, None)),
        (3, RAISED, ("exited", None, None)),
        (-signal.SIGKILL, RAISED, None),
    ],
)
def test_what_a_script_leaves(status: int, log: str, told: tuple[object, ...] | None) -> None:
    """Its exit status, and of exit code 1 the last traceback, where that is its own."""
    end = ending.of(status, log, "/b/s.py", [1, 5, 9])
    error = end and end["error"] and f"{end['error']['name']}: {end['error']['value']}"
    assert (end and (end["status"], end["ordinal"], error)) == told


def _made(folder: Path, *cells: str) -> str:
    path = folder / "train.ipynb"
    path.write_text(json.dumps(notebook(*cells)))
    return script.make(document.load(path), {})


def test_a_log_that_was_removed(project: Project) -> None:
    """How a script ended is recorded, although its user has removed the log and the script."""
    project.write("slow.ipynb", "import time\nprint('begun', flush=True)\ntime.sleep(3)")
    project.nbbg("run", "slow.ipynb", "--engine", "plain")
    until(lambda: "begun" in project.log(1))
    (project.attempt(1) / "log.txt").unlink()
    for path in (project.batch("b1") / "frozen" / "scripts").rglob("*.py"):
        path.unlink()
    project.nbbg("wait", "1")
    assert project.state(1) == "succeeded"
