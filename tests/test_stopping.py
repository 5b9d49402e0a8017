"""Stopping, resuming and retrying: whole trees end, and each run is executed as often as asked."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from nbbg import paths
from tests.places import COUNTS, GATE, NBBG, indented, kill, numbers, open_gate, states
from tests.project import LONG, PATIENCE, alive, until

if TYPE_CHECKING:
    from tests.project import Project

HIDES = """\
import multiprocessing, os, shutil, subprocess, sys, time

def note(name, *pids):
    with open("hidden", "a") as file:
        file.writelines(f"{pid} {name}\\n" for pid in pids)

def start(name, *argv, **given):
    child = subprocess.Popen(argv, stderr=subprocess.DEVNULL, **given)
    note(name, child.pid)
    return child

sleep, setsid = shutil.which("sleep"), shutil.which("setsid")
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        note("double fork", os.getpid())
        time.sleep(120)
    os._exit(0)
os.wait()
start("nohup", "nohup", sleep, "120", stdout=subprocess.DEVNULL)
start("without environment", "env", "-i", setsid, sleep, "120")
line = f"env -i {setsid} {sleep} 120 >/dev/null 2>&1 & echo $!"
note("orphan without environment", subprocess.check_output(line, shell=True, text=True).strip())
pool = multiprocessing.get_context("fork").Pool(2)
note("pool", *(worker.pid for worker in pool._pool))
ignore = (
    "import signal, time\\nfor number in (1, 2, 15):\\n    signal.signal(number, signal.SIG_IGN)"
    "\\nprint(flush=True)\\ntime.sleep(120)"
)
start("ignores signals", sys.executable, "-c", ignore, stdout=subprocess.PIPE).stdout.readline()
print("all hidden")"""


def _alive_in_hiding(project: Project) -> list[str]:
    """What HIDES started and is alive."""
    lines = (project.root / "hidden").read_text().splitlines()
    assert len(lines) == 7, lines
    return [line for line in lines if alive(int(line.split()[0]))]


@pytest.mark.parametrize("engine", ["ipython", "kernel"])
def test_stop_takes_the_whole_tree(project: Project, engine: str) -> None:
    """However a child hides, by session, orphanhood, environment or deafness, stop ends it."""
    project.write("train.ipynb", HIDES, "time.sleep(600)")
    project.nbbg("run", "train.ipynb", "--grace", "0.3", "--engine", engine)
    run = project.until_running(1, "all hidden")
    assert len(_alive_in_hiding(project)) == 7
    project.nbbg("stop", "1")
    assert _alive_in_hiding(project) == []
    assert not alive(run["pid"])
    assert states(project) == ["stopped"]


def test_stop_takes_the_whole_tree_without_a_runner(project: Project) -> None:
    """Whoever stops a run whose runner was killed ends its tree, as the runner would have."""
    project.write("train.ipynb", HIDES, "time.sleep(600)")
    project.nbbg("run", "train.ipynb", "--grace", "0.3")
    run = project.until_running(1, "all hidden")
    kill(run["runner_pid"])
    project.nbbg("stop", "1")
    left = _alive_in_hiding(project)
    for line in left:
        kill(int(line.split()[0]))
    # An orphan without its environment has nothing by which it could be known.
    assert [line for line in left if "orphan without" not in line] == []
    assert states(project) == ["stopped"]


def test_stop_ends_an_engine_that_hears_nothing(project: Project) -> None:
    """An engine that was halted with SIGSTOP is stopped too."""
    project.write("train.ipynb", LONG)
    project.nbbg("run", "train.ipynb", "--grace", "0.3")
    pid = project.until_running(1, "0")["pid"]
    os.kill(pid, signal.SIGSTOP)
    said = project.nbbg("stop", "1").stdout
    assert said == "run 1 stopped (nbbg stop in cell 1)\n"
    assert not alive(pid)


def test_stop_without_a_runner_of_an_engine_that_hears_nothing(project: Project) -> None:
    """Deep in a C call, its runner killed: a stop ends the engine, and the run is stopped."""
    project.write("train.ipynb", "import re\nprint('deep')\nre.match('(a?){40}a{40}', 'a' * 40)")
    project.nbbg("run", "train.ipynb", "--grace", "0.3")
    run = project.until_running(1, "deep")
    kill(run["runner_pid"])
    project.nbbg("stop", "1")
    assert states(project) == ["stopped"]
    assert not alive(run["pid"])


def test_stop_wakes_a_runner_that_was_halted(project: Project) -> None:
    """A runner that was halted with SIGSTOP does not keep its run from being stopped."""
    project.write("train.ipynb", LONG)
    project.nbbg("run", "train.ipynb", "--grace", "0.3")
    run = project.until_running(1, "0")
    os.kill(run["runner_pid"], signal.SIGSTOP)
    project.nbbg("stop", "1")
    assert states(project) == ["stopped"]
    assert not alive(run["pid"])


@pytest.mark.parametrize("end", ["by itself", "by a signal"])
def test_nothing_is_left_when_a_result_appears(project: Project, end: str) -> None:
    """What a notebook leaves behind, however it ends, is gone before its run counts as ended."""
    ends = "" if end == "by itself" else "os.kill(os.getpid(), 9)"
    project.write("train.ipynb", HIDES, ends)
    project.nbbg("run", "train.ipynb", "--grace", "0.3")
    result = project.batch("b1") / "runs" / "1" / "1" / paths.RESULT
    deadline = time.monotonic() + PATIENCE
    while not result.exists():
        assert time.monotonic() < deadline
        time.sleep(0.002)
    assert _alive_in_hiding(project) == []
    assert states(project) == ["killed" if ends else "succeeded"]


def test_what_is_left_without_a_runner_is_swept(project: Project) -> None:
    """When the runner was killed, the supervisor ends what carries the mark of the run."""
    project.write("train.ipynb", HIDES, GATE)
    project.nbbg("run", "train.ipynb", "--grace", "0.3")
    run = project.until_running(1, "at the gate")
    kill(run["runner_pid"])
    open_gate(project)
    project.nbbg("wait", "1")
    until(lambda: all("without environment" in line for line in _alive_in_hiding(project)))
    for line in _alive_in_hiding(project):
        kill(int(line.split()[0]))


def test_signals_ignored_where_it_was_typed_reach_the_run(project: Project) -> None:
    """What a script starts with `&`, or under `nohup`, ignores signals; its runs hear them."""
    cleans = f"try:\n{indented(LONG)}\nfinally:\n    open('cleaned', 'w').close()"
    project.write("train.ipynb", cleans)
    line = f"trap '' HUP INT TERM; {shlex.join(NBBG)} run train.ipynb --grace 5"
    environ = project.environ()
    subprocess.run(["sh", "-c", line], cwd=project.root, env=environ, check=True)
    project.until_running(1, "0")
    project.nbbg("stop", "1")
    assert states(project) == ["stopped"]
    assert (project.root / "cleaned").exists()


def test_a_batch_launched_inside_a_run_outlives_it(project: Project) -> None:
    """A run that launches a batch and ends, or is stopped, does not take that batch with it."""
    launch = f"import subprocess\nsubprocess.run({[*NBBG, 'run', 'inner.ipynb']}, check=True)"
    project.write("inner.ipynb", GATE)
    project.write("outer.ipynb", launch)
    project.nbbg("run", "outer.ipynb", "--wait")
    inner = project.until_running(2, "at the gate")
    assert (inner["arm"], inner["batch"]) == ("inner", "b2")
    project.write("stopped.ipynb", launch.replace("inner", "other"), LONG)
    project.write("other.ipynb", GATE)
    project.nbbg("run", "stopped.ipynb")
    until(lambda: len(project.runs()) == 4)
    project.until_running(4, "at the gate")
    project.nbbg("stop", "3")
    assert states(project, "stopped", "inner", "other") == ["running", "stopped", "running"]
    open_gate(project)
    project.nbbg("wait", "2", "4")


def test_a_queued_run_that_is_stopped_and_resumed_is_executed_once(project: Project) -> None:
    """Stopping and resuming what waits, while the supervisor is at work, confuses nobody."""
    project.write("train.ipynb", COUNTS, GATE)
    project.nbbg("run", "train.ipynb", "--runs", "3")
    project.until_running(1, "at the gate")
    for _ in range(2):
        assert "2 will not start" in project.nbbg("stop", "2").stdout
        assert states(project) == ["running", "stopped", "queued"]
        project.nbbg("resume", "2")
        assert states(project) == ["running", "queued", "queued"]
    open_gate(project)
    project.nbbg("wait", "b1")
    assert states(project) == ["succeeded"] * 3
    assert sorted(numbers(project)) == [1, 2, 3]
    until(lambda: project.supervisor() is None)
    assert (project.batch("b1") / paths.SUPERVISOR_LOG).read_text() == ""
    assert list(project.batch("b1").rglob(paths.ENVIRONMENT)) == []


def test_a_batch_is_stopped_twice_and_resumed(project: Project) -> None:
    """`stop b1` ends what lives and keeps the rest from starting; again it says so; then resume."""
    project.write("train.ipynb", COUNTS, GATE)
    project.nbbg("run", "train.ipynb", "--runs", "3", "--grace", "0.5")
    project.until_running(1, "at the gate")
    said = project.nbbg("stop", "b1").stdout
    assert "runs 2-3 will not start\n" in said
    assert "run 1 stopped (nbbg stop in cell 2)\n" in said
    assert states(project) == ["stopped"] * 3
    until(lambda: project.supervisor() is None)
    again = project.nbbg("stop", "b1")
    assert again.stdout == ""
    assert again.stderr == "runs 1-3 have ended already: stopped\n"
    open_gate(project)
    project.nbbg("resume")
    project.nbbg("wait", "b1")
    assert states(project) == ["succeeded"] * 3
    assert numbers(project) == [1, 1, 2, 3]


def test_an_attempt_that_was_not_begun_is_not_skipped(project: Project) -> None:
    """A run that waits for its second attempt when its batch is stopped makes it after `resume`."""
    fails = "import os\nassert os.environ['NBBG_ATTEMPT'] != '1'"
    project.write("train.ipynb", fails, GATE)
    project.nbbg("run", "train.ipynb", "--runs", "2", "--grace", "0.5")
    project.nbbg("wait", "b1", code=1)
    project.nbbg("retry", "--failed")
    project.until_running(1, "at the gate")
    assert "2 will not start" in project.nbbg("stop", "b1").stdout
    project.nbbg("resume")
    open_gate(project)
    project.nbbg("wait", "b1")
    assert [(run["state"], run["attempt"]) for run in project.runs()] == [
        ("succeeded", 3),
        ("succeeded", 2),
    ]


def test_commands_at_once_make_one_attempt(project: Project) -> None:
    """However many say `retry` at the same time, a failed run gets one attempt more."""
    project.write(
        "train.ipynb",
        "import os, time\nagain = os.environ['NBBG_ATTEMPT'] != '1'\n"
        "while again and not os.path.exists('go'): time.sleep(0.02)",
        "1 / 0",
    )
    project.nbbg("run", "train.ipynb", "--wait", code=1)
    commands = [
        subprocess.Popen(
            [*NBBG, "retry", "--failed"],
            cwd=project.root,
            env=project.environ(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(4)
    ]
    assert [command.wait(PATIENCE) for command in commands] == [0] * 4
    (project.root / "go").touch()
    project.nbbg("wait", "1", code=1)
    assert project.run(1)["attempt"] == 2
