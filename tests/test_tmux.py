"""The tmux executor's own: panes are a view of the runs, and never the truth about them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from nbbg import paths
from tests.places import GATE, TmuxServer, at, files_with, open_gate, states, tmux_of
from tests.project import LONG, PATIENCE, PYTHON, Project, alive, until
from tests.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def tmux(project: Project) -> Iterator[TmuxServer]:
    """tmux alone."""
    with tmux_of(project) as server:
        yield server


def test_a_pane_shows_the_end_of_the_log(project: Project, tmux: TmuxServer) -> None:
    """While a run goes on its pane shows what it prints."""
    prints = "for i in range(500):\n    print('line', i)"
    project.write("train.ipynb", prints, GATE)
    project.nbbg("run", "train.ipynb", "--executor", "tmux")
    project.until_running(1, "at the gate")
    pane = _pane(project)
    until(lambda: "line 499\nat the gate" in tmux("capture-pane", "-p", "-t", pane))


def test_a_flood_in_a_pane_does_not_hold_up_a_stop(project: Project, tmux: TmuxServer) -> None:
    """A notebook that prints faster than a terminal can show is stopped all the same."""
    project.write("train.ipynb", f"for _ in range(20000):\n    print('x' * 5000)\n{LONG}")
    project.nbbg("run", "train.ipynb", "--executor", "tmux", "--grace", "0.5")
    pid = project.until_running(1, "xxx")["pid"]
    assert tmux.pid
    project.nbbg("stop", "1", timeout=PATIENCE)
    assert project.state(1) == "stopped"
    assert not alive(pid)


def test_a_stuck_terminal_does_not_hold_up_the_run(project: Project, tmux: TmuxServer) -> None:
    """A tmux server that reads nothing any more does not keep the runner from its work."""
    project.write("train.ipynb", GATE, "for i in range(500):\n    print('x' * 1000)")
    project.nbbg("run", "train.ipynb", "--executor", "tmux")
    project.until_running(1, "at the gate")
    server = tmux.pid
    assert server is not None
    os.kill(server, signal.SIGSTOP)
    open_gate(project)
    try:
        project.nbbg("wait", "1", "--timeout", str(PATIENCE))
    finally:
        os.kill(server, signal.SIGCONT)


def test_the_end_of_the_server_is_not_the_end_of_the_run(
    project: Project, tmux: TmuxServer
) -> None:
    """`tmux kill-server` closes every pane, and the run goes on to its end."""
    project.write("train.ipynb", GATE, "print('after')")
    project.nbbg("run", "train.ipynb", "--executor", "tmux")
    project.until_running(1, "at the gate")
    server = tmux.pid
    assert server is not None
    tmux("kill-server")
    until(lambda: not alive(server))
    assert project.state(1) == "running"
    open_gate(project)
    project.nbbg("wait", "1")
    assert project.log(1) == "at the gate\nafter\n"


def test_attach_shows_the_pane(project: Project, tmux: TmuxServer) -> None:
    """`nbbg attach ID --pane` in a terminal shows the pane of that run; leaving ends nothing."""
    project.write("train.ipynb", "import os\nprint('this is run', os.environ['RUN_NUMBER'])", GATE)
    project.nbbg("run", "train.ipynb", "--runs", "2", "--jobs", "2", "--executor", "tmux")
    for number in (1, 2):
        project.until_running(number, "at the gate")
    argv = [PYTHON, "-P", "-m", "nbbg", "attach", "2", "--pane"]
    with Terminal(argv, project.root, project.environ()) as terminal:
        terminal.until("this is run 2")
        assert "this is run 1" not in terminal.shown()
        assert tmux("list-clients", "-F", "#{client_pid}").strip()
    assert [run["state"] for run in project.runs()] == ["running", "running"]


def test_attach_to_a_pane_that_is_gone_says_so(project: Project, tmux: TmuxServer) -> None:
    """After the end of the pane `attach` is refused with a sentence and the log to look at."""
    project.write("train.ipynb", "1")
    project.nbbg("run", "train.ipynb", "--executor", "tmux", "--wait")
    tmux("kill-server")  # which may have left by itself
    until(lambda: tmux.pid is None)
    said = project.nbbg("attach", "1", "--pane", code=2).stderr
    assert "is gone" in said
    assert "nbbg logs 1" in said


@pytest.mark.parametrize("executor", ["local", "tmux"])
def test_a_folder_may_have_any_name(executor: str, tmp_path: Path) -> None:
    """Blanks, quotes, dots, colons, dollars and line ends in a project's path harm nothing."""
    root = tmp_path / 'we\'re "a.b:c" $HOME;\n#{pane_id} ä'
    home = tmp_path / "home"
    (root / ".git").mkdir(parents=True)
    home.mkdir()
    project = Project(root, home)
    with at(executor, project) as place:
        project.write("tr ain's.ipynb", "import os\nprint(os.getcwd())")
        place.launch("tr ain's.ipynb")
        place.end()
        assert states(project) == ["succeeded"]
        assert project.log(1) == f"{root}\n"


def test_the_environment_is_the_callers_and_not_the_servers(
    project: Project, tmux: TmuxServer
) -> None:
    """A tmux server that runs already hands its own environment to its panes; a run has ours."""
    environ = {**os.environ, "TMUX_TMPDIR": str(tmux.folder), "FLAVOUR": "of the server"}
    words = ["tmux", "-f", os.devnull, "new-session", "-d", "-s", "mine", "sleep 60"]
    subprocess.run(words, env=environ, check=True)
    project.write(
        "train.ipynb", "import os\nprint(os.environ.get('FLAVOUR'), 'TMUX' in os.environ)"
    )
    project.environment["FLAVOUR"] = "of the caller"
    project.nbbg("run", "train.ipynb", "--executor", "tmux", "--wait")
    assert project.log(1) == "of the caller False\n"
    assert "mine" in tmux("list-sessions")


def test_a_tmux_that_fails_leaves_the_batch_to_a_person(project: Project) -> None:
    """Where no pane can be made the batch stops with tmux's own words, and no secret stays."""
    tools = project.home / "bin"
    tools.mkdir()
    (tools / "tmux").write_text("#!/bin/sh\necho no room for a pane >&2\nexit 1\n")
    (tools / "tmux").chmod(0o755)
    project.environment["PATH"] = f"{tools}:{os.environ['PATH']}"
    project.environment["SERVICE_TOKEN"] = "swordfish"
    project.write("train.ipynb", "1")
    project.nbbg("run", "train.ipynb", "--runs", "2", "--executor", "tmux")
    project.nbbg("wait", "b1", code=1)
    assert [run["state"] for run in project.runs()] == ["stopped", "stopped"]
    assert "no room for a pane" in project.run(2)["reason"]
    until(lambda: project.supervisor() is None)
    assert files_with(project.root / ".nbbg", ["swordfish"]) == set()


@pytest.mark.parametrize("starts", [True, False])
def test_a_tmux_server_that_is_killed_while_it_answers(project: Project, starts: bool) -> None:
    """Where tmux does not say what it did, the runner is looked for; without one it is said."""
    tools = project.home / "bin"
    tools.mkdir()
    carries = '"$@" >/dev/null 2>&1 &' if starts else ""
    script = f'#!/bin/sh\nwhile [ "$1" != -PF ]; do shift; done\nshift 2\n{carries}\nexit 0\n'
    (tools / "tmux").write_text(script)
    (tools / "tmux").chmod(0o755)
    project.environment["PATH"] = f"{tools}:{os.environ['PATH']}"
    project.environment["FLAVOUR"] = "of the caller"
    project.write("train.ipynb", "import os\nprint(os.environ['FLAVOUR'])")
    project.nbbg("run", "train.ipynb", "--executor", "tmux", "--wait", code=0 if starts else 1)
    run = project.run(1)
    assert (run["state"], run["attempt"]) == ("succeeded" if starts else "stopped", 1)
    if starts:
        assert project.log(1) == "of the caller\n"
    else:
        assert "its server ended while it made a window" in run["reason"]


def _pane(project: Project) -> str:
    ticket = json.loads((project.attempt(1) / paths.TICKET).read_bytes())
    return str(ticket["pane"])
