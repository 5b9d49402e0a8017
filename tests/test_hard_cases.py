"""What notebook runners are known to do badly, one test a case, with real processes.

Each case is a notebook, or a signal at the wrong moment, under which papermill, nbclient or an
in-process runner loses outputs, tells an untruth, hangs, or leaves processes behind. All cases of
an engine share one project.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

from nbbg import process
from tests.places import kill
from tests.project import LONG, Project, alive, notebook, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nbbg.model import Identity

LONGER = LONG.replace("1200", "12000")  # ten minutes; the fixture ends it
BEFORE = "import ctypes, os, sys\nprint('before')"
HALF = "print('half')\n"
ENDINGS = {
    "raises": "raise ValueError('bad')",
    "exits": "sys.exit(3)",
    "speaks": "sys.exit('no data')",
    "killed": "os.kill(os.getpid(), 9)",
    "os_exit": "os._exit(7)",
    "segfault": "ctypes.string_at(0)",
    "memory": (
        "import resource\nmost = 4 << 30\nresource.setrlimit(resource.RLIMIT_AS, (most, most))\n"
        "x = bytearray(8 << 30)"
    ),
}
BAR = (
    "import time\nfrom tqdm import tqdm\nfor i in tqdm(range(60), mininterval=0):\n"
    "    time.sleep(0.005)"
)
GIL = "import sys\nprint('deep')\nsum(range(10**13))"
CHILD = "import subprocess\nchild = subprocess.Popen(['sleep', '300'])\nprint('pid', child.pid)\n"


@pytest.fixture(scope="module", params=["ipython", "warm", "kernel"])
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Project]:
    """A project in which an engine has executed what ends by itself, and executes the rest."""
    folder = tmp_path_factory.mktemp(request.param)
    warm = request.param == "warm"
    given = {"NBBG_ENGINE": "ipython" if warm else request.param}
    given["NBBG_WARM"] = "on" if warm else "off"
    project = Project(folder / "project", folder / "home", given)
    for path in (project.root, project.root / ".git", project.home):
        path.mkdir()
    try:
        yield _launched(project)
    finally:
        project.end_all()
        shutil.rmtree(folder)


def _launched(project: Project) -> Project:
    """Everything is at work at the same time: first what lives long."""
    project.write("long.ipynb", LONGER)
    project.write("child.ipynb", CHILD + LONGER)
    project.nbbg("run", "child.ipynb", "--grace", "0.3")
    project.nbbg("run", "long.ipynb", "--runs", "4", "--jobs", "9", "--grace", "0.3")
    for name, source in ENDINGS.items():
        project.write(f"{name}.ipynb", BEFORE, HALF + source, "print('after')")
    project.write("bar.ipynb", BAR)
    _write(project, "plain.ipynb", {"metadata": {}})
    tagged = notebook("1 / 0", "open('x', 'w')", "print('after')")
    tagged["cells"][0]["metadata"]["tags"] = ["raises-exception"]
    tagged["cells"][1]["metadata"]["tags"] = ["skip-execution"]
    _write(project, "tags.ipynb", tagged)
    project.write("flag.ipynb", "print(flag is False)", parameters="flag = True")
    names = [*(f"{name}.ipynb" for name in ENDINGS), "bar.ipynb", "plain.ipynb", "tags.ipynb"]
    project.nbbg("run", *names, "--jobs", "2")
    project.nbbg("run", "flag.ipynb", "-p", "flag=false")
    project.nbbg("wait", "b3", "b4", code=1)
    return project


def _write(project: Project, name: str, changes: dict[str, Any]) -> None:
    made = {**notebook("print('runs')"), **changes}
    (project.root / name).write_text(json.dumps(made))


def _run(project: Project, name: str) -> dict[str, Any]:
    return project.runs(name)[0]


def _texts(project: Project, name: str) -> list[str]:
    """The streams of each cell of the executed notebook that was put out."""
    executed = nbformat.from_dict(project.put_out(_run(project, name)["id"]))
    nbformat.validate(executed)
    return ["".join(each.get("text", "") for each in cell.outputs) for cell in executed.cells]


def _tree(run: dict[str, Any]) -> list[Identity]:
    return process.tree([run["runner_pid"]], "", run["pid"])


def _live(project: Project, number: int) -> dict[str, Any]:
    """A run of `long`, in its cell, that has printed."""
    name = project.runs("long")[number - 1]["id"]
    return project.until_running(name, "\n3\n")


@pytest.mark.parametrize(
    ("name", "state", "reason"),
    [
        ("raises", "failed", "cell 2: ValueError: bad"),
        ("exits", "exited", "exit code 3 in cell 2"),
        ("killed", "killed", "SIGKILL in cell 2"),
        ("speaks", "exited", "exit code 1 in cell 2; no data"),
        ("os_exit", "exited", "exit code 7 in cell 2"),
        ("segfault", "killed", "SIGSEGV in cell 2"),
        ("memory", "failed", "cell 2: MemoryError"),
    ],
)
def test_each_end_is_told_as_what_it_was(
    shared: Project, name: str, state: str, reason: str
) -> None:
    """Exception, code, signal, crash: with the cell, and the outputs up to that instant."""
    run = _run(shared, name)
    assert run["state"] == state
    assert run["reason"].startswith(reason)
    first, second, third = _texts(shared, name)
    assert (first, third) == ("before\n", "")
    assert second.startswith("half\n")


def test_a_crash_shows_where_it_stood_and_what_was_said(shared: Project) -> None:
    """The card of a segfault has the line of the cell and the last output, no frame of ours."""
    card = shared.nbbg("show", _run(shared, "segfault")["id"]).stdout
    stood, said = card.split("last lines:")
    assert re.search(r"it stood at:\n    cell 2, line \d+, in <module>\n.*string_at", stood)
    assert "half\n" in said
    assert "Fatal Python error: Segmentation fault" in said
    assert "nbbg/engines" not in card


def test_sigterm_to_the_runner(shared: Project) -> None:
    """It stops the run, and what the cell had printed is in the executed notebook."""
    run = _live(shared, 1)
    os.kill(run["runner_pid"], signal.SIGTERM)
    shared.nbbg("wait", str(run["id"]), code=1)
    ended = shared.run(run["id"])
    assert (ended["state"], ended["reason"]) == ("stopped", "SIGTERM to its runner in cell 1")
    printed = shared.executed(run["id"])["cells"][0]["outputs"][0]["text"]
    assert printed.startswith("0\n1\n2\n3\n")
    assert not alive(run["pid"])


def test_sighup_to_the_runner(shared: Project) -> None:
    """The terminal may go: the run goes on, and is said to."""
    run = _live(shared, 2)
    os.kill(run["runner_pid"], signal.SIGHUP)
    before = len(shared.log(run["id"]))
    until(lambda: len(shared.log(run["id"])) > before)
    assert shared.state(run["id"]) == "running"
    assert alive(run["runner_pid"])


def test_sigkill_to_the_runner(shared: Project) -> None:
    """The run goes on, is said to, and its outputs are those of this instant."""
    run = _live(shared, 3)
    kill(run["runner_pid"])
    before = shared.log(run["id"])
    until(lambda: len(shared.log(run["id"])) > len(before))
    ended = shared.run(run["id"])
    assert (ended["state"], ended["reason"]) == (
        "running",
        "its runner was killed; the engine goes on",
    )
    printed = shared.executed(run["id"])["cells"][0]["outputs"][0]["text"]
    assert printed.startswith(before.replace("\r", ""))


def test_a_c_call_that_holds_the_gil(shared: Project) -> None:
    """No interrupt reaches it, yet a stop ends the whole tree."""
    shared.write("gil.ipynb", GIL)
    shared.nbbg("run", "gil.ipynb", "--grace", "0.3")
    run = shared.until_running(_run(shared, "gil")["id"], "deep")
    tree = _tree(run)
    assert tree
    shared.nbbg("stop", str(run["id"]))
    assert not any(process.alive(who) for who in tree)
    assert shared.state(run["id"]) == "stopped"


def test_a_child_of_the_notebook(shared: Project) -> None:
    """SIGTERM to the runner ends what the notebook has started, too."""
    run = shared.until_running(_run(shared, "child")["id"], "pid ")
    child = int(shared.log(run["id"]).split()[1])
    assert alive(child)
    os.kill(run["runner_pid"], signal.SIGTERM)
    shared.nbbg("wait", str(run["id"]), code=1)
    assert not alive(child)


def test_the_outputs_of_a_running_cell(shared: Project) -> None:
    """They can be read at any instant, are never torn, and are never behind the log."""
    run = _live(shared, 4)
    for _ in range(3):
        known = shared.log(run["id"])
        now = shared.executed(run["id"])
        nbformat.validate(nbformat.from_dict(now))
        assert now["cells"][0]["outputs"][0]["text"].startswith(known)


def test_a_process_that_a_signal_has_stopped(shared: Project) -> None:
    """`status` says so, and what to type; after that it goes on."""
    run = _live(shared, 4)
    engine = shared.run(run["id"])["pid"]
    kernels = [each.identity.pid for each in process.processes() if each.parent == engine]
    halted = kernels[0] if kernels else engine
    os.kill(halted, signal.SIGSTOP)
    said = f"stopped by a signal (SIGSTOP) in cell 1; kill -CONT {halted}"
    until(lambda: shared.run(run["id"])["reason"] == said)
    os.kill(halted, signal.SIGCONT)
    until(lambda: shared.run(run["id"])["reason"] == "")


def test_a_progress_bar(shared: Project) -> None:
    """Sixty steps of tqdm are one line, the last."""
    (text,) = _texts(shared, "bar")
    assert text.count("\n") <= 1
    assert "60/60" in text
    assert "59/60" not in text


def test_no_kernelspec(shared: Project) -> None:
    """A notebook that names no kernel runs."""
    assert _run(shared, "plain")["state"] == "succeeded"
    assert _texts(shared, "plain") == ["runs\n"]


def test_tags(shared: Project) -> None:
    """`raises-exception` and `skip-execution` are honoured."""
    assert _run(shared, "tags")["state"] == "succeeded"
    assert _texts(shared, "tags") == ["", "", "after\n"]
    assert not (shared.root / "x").exists()


def test_a_boolean_parameter(shared: Project) -> None:
    """`-p flag=false` is False, and no text."""
    (run,) = [run for run in shared.runs() if run["notebook"] == "flag.ipynb"]
    assert shared.log(run["id"]) == "True\n"


def test_an_unknown_kernelspec(shared: Project) -> None:
    """One line says which kernels there are."""
    spec = {"kernelspec": {"name": "nowhere", "display_name": "?", "language": "python"}}
    _write(shared, "unknown.ipynb", {"metadata": spec})
    environment = dict(shared.environment)
    shared.environment["NBBG_PYTHON"] = ""
    shared.environment["JUPYTER_PATH"] = os.path.join(sys.prefix, "share", "jupyter")
    try:
        said = shared.nbbg("run", "unknown.ipynb", code=2).stderr
    finally:
        shared.environment.clear()
        shared.environment.update(environment)
    assert len(said.splitlines()) <= 2
    assert "nowhere" in said
    assert "python3" in said


def test_a_malformed_notebook(shared: Project) -> None:
    """One line names the file, the position and the reason."""
    (shared.root / "broken.ipynb").write_text('{"cells": [}')
    said = shared.nbbg("run", "broken.ipynb", code=2).stderr
    assert len(said.splitlines()) == 1
    assert "broken.ipynb:1:12: " in said


def test_an_unknown_parameter(shared: Project) -> None:
    """It is refused, and the known ones are named."""
    said = shared.nbbg("run", "flag.ipynb", "-p", "falg=false", code=2).stderr
    assert "falg" in said
    assert "known: flag" in said


def test_a_killed_kernel_engine_leaves_no_sockets(project: Project, tmp_path: Path) -> None:
    """Who kills the engine has nothing to tidy up: the runner removes its sockets."""
    sockets = tmp_path / "t"
    sockets.mkdir()
    project.environment["TMPDIR"] = str(sockets)
    project.write("long.ipynb", LONG)
    project.nbbg("run", "long.ipynb", "--engine", "kernel")
    project.until_running(1, "1")
    os.kill(project.run(1)["pid"], signal.SIGKILL)
    project.nbbg("wait", "1", code=1)
    assert project.state(1) == "killed"
    assert not [name for name in os.listdir(sockets) if name.startswith("nbbg-")]
    assert not (project.attempt(1) / "connection.json").exists()


@pytest.mark.parametrize("engine", ["ipython", "kernel"])
def test_a_crash_after_the_last_cell_is_told(project: Project, engine: str) -> None:
    """What crashes while Python ends does not undo the run, and is said, by both engines."""
    crash = "import atexit, os, signal\natexit.register(os.kill, os.getpid(), signal.SIGSEGV)"
    project.write("crash.ipynb", crash)
    project.nbbg("run", "crash.ipynb", "--engine", engine, "--wait")
    assert project.run(1)["reason"] == "SIGSEGV after its last cell"
