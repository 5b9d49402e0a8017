"""`nbbg attach`: looking into a run, with real kernels."""

from __future__ import annotations

import os
import signal

import pytest

from nbbg import paths, process
from nbbg.engines.kernel.subshell import SilentError, Subshell
from tests.project import PYTHON, Project
from tests.terminal import Terminal

GATE = "import os, time\nwhile not os.path.exists('open'): print('.', end=''); time.sleep(0.02)"


def launch(project: Project, *cells: str, engine: str = "kernel") -> None:
    """Launch a run, and wait until it is at the gate after these cells."""
    project.write("train.ipynb", *cells, GATE, "print('after')")
    project.nbbg("run", "train.ipynb", "--engine", engine)
    project.until_running(1, ".")


def open_gate(project: Project) -> None:
    """Let the run go to its end."""
    (project.root / "open").touch()
    project.nbbg("wait", "1", "--timeout", "60")


def attach(project: Project, *words: str, code: int = 0) -> str:
    """What `nbbg attach 1` prints."""
    done = project.nbbg("attach", "1", *words, code=code)
    return done.stderr if code else done.stdout


def test_a_running_kernel_can_be_looked_into(project: Project) -> None:
    """While a cell runs its variables are shown, code is executed, and the record has no trace."""
    launch(project, "losses = [0.5, 0.25]; _secret = 1\n1 + 1")
    rows = [line.split() for line in attach(project).splitlines()]
    assert rows == [["NAME", "TYPE", "SIZE", "VALUE"], ["losses", "list", "2", "[0.5,", "0.25]"]]
    assert attach(project, "--vars").split()[4:6] == ["losses", "list"]
    assert attach(project, "-c", "print('seen'); len(losses)") == "seen\n2\n"
    assert attach(project, "-c", "%who list") == "losses\t \n"
    assert attach(project, "-c", "losses.append(0.125)") == ""
    raised = attach(project, "-c", "1 / 0", code=1)
    assert raised.endswith("ZeroDivisionError: division by zero\n")
    assert "looking.py" not in raised
    threads = "import threading; print(sum('subshell' in t.name for t in threading.enumerate()))"
    assert attach(project, "-c", threads) == "1\n"  # its own; those before it were deleted
    open_gate(project)
    assert set(project.log(1).replace("after\n", "")) == {"."}
    executed = project.executed(1)["cells"]
    assert [cell["execution_count"] for cell in executed] == [1, 2, 3]
    assert [len(cell["outputs"]) for cell in executed] == [1, 1, 1]


def test_the_notebook_keeps_its_own(project: Project) -> None:
    """`_`, `Out` and the count are as if nobody had looked in; what was assigned stays."""
    project.write("train.ipynb", "41", GATE, "print(_, Out, given, len(In))")
    project.nbbg("run", "train.ipynb", "--engine", "kernel")
    project.until_running(1, ".")
    attach(project, "-c", "'theirs'")
    attach(project, "-c", "given = 1")
    open_gate(project)
    assert project.log(1).lstrip(".") == "41 {1: 41} 1 4\n"


def test_a_thread_that_prints_is_recorded_all_the_same(project: Project) -> None:
    """What a thread of the notebook prints while somebody looks in is in the log, every line."""
    thread = """import threading, time, os
def speak():
    n = 0
    while not os.path.exists('open'):
        print(f"line {n}"); n += 1; time.sleep(0.01)
    print(f"{n} lines")
thread = threading.Thread(target=speak); thread.start()"""
    project.write("train.ipynb", thread, "thread.join()")
    project.nbbg("run", "train.ipynb", "--engine", "kernel")
    project.until_running(1, "line 1")
    attach(project, "-c", "import time; time.sleep(0.3)")
    open_gate(project)
    *lines, last = project.log(1).splitlines()
    assert lines == [f"line {number}" for number in range(len(lines))]
    assert last == f"{len(lines)} lines"


def test_a_prompt_in_the_notebook(project: Project) -> None:
    """In a terminal: the variables, then a prompt; Ctrl-C interrupts the line, Ctrl-D leaves."""
    launch(project, "losses = [0.5, 0.25]")
    argv = [PYTHON, "-P", "-m", "nbbg", "attach", "1"]
    with Terminal(argv, project.root, project.environ()) as terminal:
        terminal.until(r"is in cell 2 of 3, for .*\r\n(.*\r\n)*losses +list +2(.*\r\n)+.*>>> ")
        terminal.type("6 * 7\n")
        terminal.until(r"\b42\r\n")
        terminal.type("for each in losses:\nprint('loss', each)\n".replace("\np", "\n    p") + "\n")
        terminal.until(r"loss 0.5\r\n(.*\r\n)*loss 0.25\r\n")
        terminal.type("print('begun'); [time.sleep(0.01) for _ in range(10**6)]\n")
        terminal.until(r"begun\r\n")
        terminal.type("\x03")
        terminal.until(r"KeyboardInterrupt\r\n(.*\r\n)*.*>>> ")
        terminal.type("\x04")
        assert terminal.ended() == 0
    assert project.state(1) == "running"
    open_gate(project)
    assert project.state(1) == "succeeded"


def test_neither_a_closed_window_nor_an_open_one_holds_the_run_up(project: Project) -> None:
    """A hang-up ends what was executing there; a prompt that is open at the end says it is over."""
    launch(project)
    argv = [PYTHON, "-P", "-m", "nbbg", "attach", "1"]
    with Terminal(argv, project.root, project.environ()) as closed:
        closed.until(">>> ")
        closed.type("print('begun'); [time.sleep(0.01) for _ in range(10**6)]\n")
        closed.until(r"begun\r\n")
        closed.hang_up()
        assert closed.program.wait(60)
    threads = "import threading; print(sum('subshell' in t.name for t in threading.enumerate()))"
    assert attach(project, "-c", threads) == "1\n"
    with Terminal(argv, project.root, project.environ()) as terminal:
        terminal.until(">>> ")
        open_gate(project)
        terminal.type("1\n")
        terminal.until("run 1 has ended meanwhile")
        assert terminal.ended() == 2
    assert project.state(1) == "succeeded"


def test_where_there_is_no_subshell_it_says_where_the_run_is(project: Project) -> None:
    """The cell, since when, and what one can do instead."""
    launch(project, engine="ipython")
    for words in ((), ("--vars",), ("-c", "1")):
        said = attach(project, *words, code=2)
        assert "the ipython engine has one thread" in said
        assert "it is in cell 1 of 2, for " in said
        assert said.endswith("follow it: nbbg logs 1 -f; next time: --engine kernel\n")


def test_an_older_ipykernel_is_named(project: Project) -> None:
    """A kernel that says it has no subshells is left alone."""
    without = """kernel = type(get_ipython().kernel)
about = kernel.kernel_info
kernel.kernel_info = property(lambda self: {**about.fget(self), "supported_features": []})"""
    launch(project, without)
    said = attach(project, code=2)
    assert "and that takes 7 or later" in said
    assert "it is in cell 2 of 3" in said


def test_what_does_not_run_is_refused(project: Project) -> None:
    """A run that waits, or is over, is a sentence and exit code 2."""
    project.write("train.ipynb", GATE)
    project.nbbg("run", "train.ipynb", "--runs", "2")
    project.until_running(1)
    assert "run 2 is queued" in project.nbbg("attach", "2", code=2).stderr
    project.nbbg("stop", "b1")
    project.nbbg("wait", "b1", code=1)
    for words in ([], ["--vars"]):
        assert "run 1 is over (stopped)" in attach(project, *words, code=2)
    assert "in no tmux pane" in attach(project, "--pane", code=2)


def test_a_kernel_that_does_not_answer(project: Project) -> None:
    """A halted kernel, or one in a call into C that holds the interpreter, is not waited for."""
    launch(project)
    kernel = kernel_of(project)
    os.kill(kernel, signal.SIGSTOP)
    try:
        connection = str(project.attempt(1) / paths.CONNECTION)
        with pytest.raises(SilentError), Subshell(connection, print, patience=0.5):
            pass
    finally:
        os.kill(kernel, signal.SIGCONT)
    open_gate(project)


def kernel_of(project: Project) -> int:
    """The pid of the kernel of run 1."""
    engine = project.run(1)["pid"]
    found = [each for each in process.processes() if each.parent == engine]
    return found[0].identity.pid


def test_who_looks_in_and_is_killed_holds_no_run_up(project: Project) -> None:
    """What a killed `attach` was executing ends with the notebook, which does not wait for it."""
    launch(project)
    argv = [PYTHON, "-P", "-m", "nbbg", "attach", "1"]
    with Terminal(argv, project.root, project.environ()) as killed:
        killed.until(">>> ")
        killed.type("print('begun'); exec('while True: time.sleep(0.01)')\n")
        killed.until(r"begun\r\n")
        killed.program.kill()
        killed.program.wait()
    open_gate(project)
    assert project.state(1) == "succeeded"
