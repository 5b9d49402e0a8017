"""Who survives what: real kills of terminals, connections, supervisors, runners and engines."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

from nbbg import paths, process
from nbbg.store import batches
from tests.places import COUNTS, GATE, NBBG, indented, kill, numbers, open_gate, states
from tests.project import LONG, Project, alive, until
from tests.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

# The terminal, the connection, the command.


def test_a_run_survives_its_terminal(project: Project) -> None:
    """The window is closed: the shell is gone, and the runs go on to their end."""
    project.write("train.ipynb", GATE, "print('after')")
    line = shlex.join([*NBBG, "run", "train.ipynb", "--runs", "2"])
    bash = ["bash", "--norc", "--noprofile", "-i"]
    with Terminal(bash, project.root, project.environ()) as terminal:
        terminal.type(f"{line}\n")
        terminal.until("batch b1")
        project.until_running(1, "at the gate")
        shell = terminal.program.pid
        terminal.hang_up()
        until(lambda: not alive(shell))
    assert states(project) == ["running", "queued"]
    open_gate(project)
    project.nbbg("wait", "b1")
    assert states(project) == ["succeeded", "succeeded"]
    assert project.log(2) == "at the gate\nafter\n"


@pytest.fixture
def ssh(tmp_path: Path) -> Iterator[list[str]]:
    """The command that connects to an SSH server of this test's own."""
    sshd = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if sshd is None or shutil.which("ssh") is None:
        pytest.skip("there is no sshd: scripts/setup-system")
    if os.geteuid() == 0 and not os.path.isdir("/run/sshd"):
        pytest.skip("there is no /run/sshd: scripts/setup-system")
    folder = tmp_path / "ssh"
    folder.mkdir(mode=0o700)
    for name in ("user", "host"):
        words = ["ssh-keygen", "-qt", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(words, check=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\n"
        f"AuthorizedKeysFile {folder}/user.pub\nPidFile {folder}/pid\n"
        "UsePAM no\nStrictModes no\nPrintMotd no\nPrintLastLog no\n"
    )
    (folder / "config").write_text(
        f"Host nb\n  HostName 127.0.0.1\n  Port {port}\n  User {getpass.getuser()}\n"
        f"  IdentityFile {folder}/user\n  IdentitiesOnly yes\n  IdentityAgent none\n"
        f"  StrictHostKeyChecking no\n  UserKnownHostsFile {folder}/known\n  LogLevel ERROR\n"
    )
    server = subprocess.Popen([sshd, "-D", "-f", f"{folder}/sshd_config", "-E", f"{folder}/log"])
    try:
        until((folder / "pid").exists)
        yield ["ssh", "-F", f"{folder}/config"]
    finally:
        server.kill()
        server.wait()


def test_a_run_survives_the_ssh_connection(project: Project, ssh: list[str]) -> None:
    """The connection is cut: the remote shell is gone, and the run goes on to its end."""
    project.write("train.ipynb", GATE, "print('after')")
    given = [f"{name}={value}" for name, value in project.environ().items()]
    launch = shlex.join(["env", *given, *NBBG, "run", "train.ipynb"])
    line = f"cd {shlex.quote(str(project.root))} && {launch} && echo shell $$ && sleep 600"
    environ = {**os.environ, "HOME": str(project.home)}
    with Terminal([*ssh, "-tt", "nb", line], project.root, environ) as terminal:
        shell = int(terminal.until(r"shell (\d+)\r")[1])
        project.until_running(1, "at the gate")
        kill(terminal.program.pid)
        until(lambda: not alive(shell))
    assert states(project) == ["running"]
    open_gate(project)
    project.nbbg("wait", "b1")
    assert project.log(1) == "at the gate\nafter\n"


def test_ctrl_c_leaves_the_view_and_not_the_run(project: Project) -> None:
    """Ctrl-C in `run --wait` says that the runs go on, and they do."""
    project.write("train.ipynb", GATE)
    words = [*NBBG, "run", "train.ipynb", "--runs", "2", "--wait"]
    with Terminal(words, project.root, project.environ()) as terminal:
        terminal.until("batch b1")
        project.until_running(1, "at the gate")
        terminal.until("0/2")
        terminal.type("\x03")
        assert terminal.ended() == 130
        assert "the runs go on" in terminal.shown()
        assert "Traceback" not in terminal.shown()
    assert states(project) == ["running", "queued"]
    open_gate(project)
    project.nbbg("wait", "b1")


def test_a_launch_that_is_killed_is_there_or_is_not(project: Project) -> None:
    """SIGKILL to `nbbg run` at any instant: the same command again completes it, once each."""
    project.write("train.ipynb", COUNTS)
    for delay in (0.04, 0.08, 0.12, 0.16, 0.2):
        command = subprocess.Popen(
            [*NBBG, "run", "train.ipynb", "--runs", "3"],
            cwd=project.root,
            env=project.environ(),
            stdout=subprocess.DEVNULL,
        )
        with contextlib.suppress(subprocess.TimeoutExpired):
            command.wait(delay)
        command.kill()
        command.wait()
        assert len(project.status()["batches"]) <= 1
    project.nbbg("run", "train.ipynb", "--runs", "3", "--wait")
    assert states(project) == ["succeeded"] * 3
    assert numbers(project) == [1, 2, 3]


def test_what_the_launching_process_has_open_is_not_kept_open(project: Project) -> None:
    """Who launches under a lock, or reads what the command prints, need not wait for the runs."""
    project.write("train.ipynb", GATE)
    reader, writer = os.pipe()
    words = [*NBBG, "run", "train.ipynb"]
    subprocess.run(
        words,
        cwd=project.root,
        env=project.environ(),
        pass_fds=[writer],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    os.close(writer)
    project.until_running(1, "at the gate")
    os.set_blocking(reader, False)
    assert os.read(reader, 1) == b""
    os.close(reader)


# The supervisor.


def test_the_same_command_again_replaces_a_killed_supervisor(project: Project) -> None:
    """SIGKILL to the supervisor is told at once; the same `run` goes on, each run once."""
    project.write("train.ipynb", COUNTS, GATE)
    command = ("run", "train.ipynb", "--runs", "5", "--jobs", "2")
    project.nbbg(*command)
    for number in (1, 2):
        project.until_running(number, "at the gate")
    kill(project.supervisor())
    found = project.status()
    assert found["batches"][0]["supervisor_pid"] is None
    assert [run["state"] for run in found["runs"]] == ["running"] * 2 + ["queued"] * 3
    assert "nbbg resume b1" in project.nbbg("status").stderr
    said = project.nbbg(*command).stdout
    assert "at work: b1, with 5 of these runs" in said
    until(lambda: project.supervisor() is not None)
    open_gate(project)
    project.nbbg("wait", "b1")
    assert states(project) == ["succeeded"] * 5
    assert sorted(numbers(project)) == [1, 2, 3, 4, 5]
    assert len(project.status()["batches"]) == 1


def test_a_supervisor_may_be_killed_at_any_instant(project: Project) -> None:
    """However often it is killed, each run is executed once, and no environment stays behind."""
    project.write("train.ipynb", COUNTS, "__import__('time').sleep(0.3)")
    project.environment["SERVICE_TOKEN"] = "swordfish"
    project.nbbg("run", "train.ipynb", "--runs", "8", "--jobs", "2")
    folder = project.batch("b1")
    for delay in (0.0, 0.02, 0.04, 0.08, 0.12, 0.16):
        until(lambda: batches.supervisor_pid(folder) is not None)
        pid = batches.supervisor_pid(folder)
        time.sleep(delay)  # the instant is what is varied here
        kill(pid)
        project.nbbg("resume", "b1")
    project.nbbg("wait", "b1")
    assert states(project) == ["succeeded"] * 8
    assert sorted(numbers(project)) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert {run["attempt"] for run in project.runs()} == {1}
    assert list(project.batch("b1").rglob(paths.ENVIRONMENT)) == []


def test_never_more_runs_at_once_than_jobs(project: Project) -> None:
    """At no instant do more than `--jobs` runs of a batch live."""
    times = "import time\nbegan = time.monotonic()\ntime.sleep(0.3)"
    tells = "open('times', 'a').write(f'{began} {time.monotonic()}\\n')"
    project.write("train.ipynb", times, tells)
    project.nbbg("run", "train.ipynb", "--runs", "8", "--jobs", "3", "--wait")
    spans = [
        tuple(map(float, line.split()))
        for line in (project.root / "times").read_text().splitlines()
    ]
    assert len(spans) == 8
    at_once = [sum(begin <= at < end for begin, end in spans) for at, _ in spans]
    assert 2 <= max(at_once) <= 3


# The engine.


def test_an_engine_killed_in_a_cell_leaves_what_it_had_done(project: Project) -> None:
    """SIGKILL mid-cell: the signal, the cell, and every output up to that instant."""
    project.write("train.ipynb", "print('first')", LONG, "print('never')")
    project.nbbg("run", "train.ipynb")
    run = project.until_running(1, "\n5\n")
    kill(run["pid"])
    project.nbbg("wait", "1", code=1)
    run = project.run(1)
    assert (run["state"], run["signal"], run["cell"]) == ("killed", "SIGKILL", 2)
    shown = project.nbbg("show", "1").stdout
    last = project.log(1).split()[-1]
    for text in ("killed: SIGKILL in cell 2", "time.sleep(0.05)", f"    {last}\n", "nbbg retry 1"):
        assert text in shown
    executed = project.put_out(1)
    nbformat.validate(nbformat.from_dict(executed))
    first, second, third = executed["cells"]
    printed = first["outputs"][0]["text"] + second["outputs"][0]["text"]
    assert printed == project.log(1)
    assert third["outputs"] == []
    assert project.executed(1)["cells"] == executed["cells"]


def test_each_way_to_end_is_told_apart(project: Project) -> None:
    """A code, an exception, a signal, a crash: each says what it is, and in which cell."""
    ways = {
        "sys.exit(3)": ("exited", 3, None, "exit code 3 in cell 2"),
        "sys.exit(0)": ("succeeded", 0, None, "ended itself; cells left out: 3"),
        "raise ValueError('bad')": ("failed", 1, None, "cell 2: ValueError: bad"),
        "raise KeyboardInterrupt": ("failed", 1, None, "cell 2: KeyboardInterrupt"),
        "os._exit(5)": (
            *("exited", 5, None),
            "exit code 5 in cell 2; without reaching the notebook's end",
        ),
        "os._exit(0)": (
            *("exited", 0, None),
            "exit code 0 in cell 2; without reaching the notebook's end",
        ),
        "ctypes.string_at(0)": ("killed", None, "SIGSEGV", "SIGSEGV in cell 2"),
        "os.abort()": ("killed", None, "SIGABRT", "SIGABRT in cell 2"),
        "os.kill(os.getpid(), 15)": ("killed", None, "SIGTERM", "SIGTERM in cell 2"),
    }
    chooses = f"ways = {list(ways)}\nexec(ways[int(os.environ['RUN_NUMBER']) - 1])"
    project.write(
        "train.ipynb", "import ctypes, os, sys\nprint('before')", chooses, "print('after')"
    )
    project.nbbg("run", "train.ipynb", "--runs", str(len(ways)), "--jobs", "2")
    project.nbbg("wait", "b1", code=1)
    found = {
        way: (run["state"], run["exit_code"], run["signal"], run["reason"])
        for way, run in zip(ways, project.runs(), strict=True)
    }
    assert found == ways
    for run in project.runs():
        executed = json.loads(Path(run["output"]).read_bytes())
        code = [cell for cell in executed["cells"] if cell["cell_type"] == "code"]
        assert code[0]["outputs"][0]["text"] == "before\n"
        assert code[2]["outputs"] == []


def test_a_notebook_put_out_where_it_cannot_be_is_no_failure(project: Project) -> None:
    """Where the executed notebook can't be written the run has succeeded all the same."""
    takes_its_place = "open('outputs', 'w').write('a file, and no folder')"
    project.write("train.ipynb", f"{takes_its_place}\nprint('done')")
    project.nbbg("run", "train.ipynb", "--wait")
    assert states(project) == ["succeeded"]
    assert "its notebook could not be written" in project.run(1)["reason"]
    assert project.executed(1)["cells"][0]["outputs"][0]["text"] == "done\n"


# Runner, and everything.


def test_everything_killed_is_lost_and_nothing_of_it_is_touched(project: Project) -> None:
    """All killed at once: `lost` at once; `resume` leaves the old attempt's files as they are."""
    first = "os.environ['RUN_NUMBER'] == '1' and os.environ['NBBG_ATTEMPT'] == '1'"
    once = f"if {first}:\n{indented(LONG)}"
    project.write("train.ipynb", "import os", once)
    project.nbbg("run", "train.ipynb", "--runs", "2")
    project.until_running(1, "\n2\n")
    project.end_all()
    assert states(project) == ["lost", "queued"]
    assert project.supervisor() is None
    assert project.run(1)["reason"] == "every process of it ended without a word"
    project.nbbg("wait", "1", code=1)
    assert "2\n" in project.executed(1)["cells"][1]["outputs"][0]["text"]
    old = project.attempt(1)
    before = {path.name: path.read_bytes() for path in old.iterdir() if path.is_file()}
    project.nbbg("resume")
    project.nbbg("wait", "b1")
    assert [(run["state"], run["attempt"]) for run in project.runs()] == [
        ("succeeded", 2),
        ("succeeded", 1),
    ]
    after = {path.name: path.read_bytes() for path in old.iterdir() if path.is_file()}
    assert after == before


def test_what_a_lost_attempt_left_is_ended_before_the_next(project: Project) -> None:
    """A child that outlived its lost run, with the memory it holds, is gone before attempt 2."""
    leaves = (
        "import os, subprocess\n"
        "if os.environ['NBBG_ATTEMPT'] == '1':\n"
        "    child = subprocess.Popen(['sleep', '600'], start_new_session=True)\n"
        "    open('child', 'w').write(str(child.pid))\n"
        f"{indented(LONG)}\n"
        "child = int(open('child').read())\n"
        "assert not os.path.exists(f'/proc/{child}/exe')"  # of a zombie, there is none
    )
    project.write("train.ipynb", leaves)
    project.nbbg("run", "train.ipynb")
    run = project.until_running(1, "0")
    kill(project.supervisor(), run["runner_pid"], run["pid"])
    child = int((project.root / "child").read_text())
    assert alive(child)
    assert states(project) == ["lost"]
    project.nbbg("resume")
    project.nbbg("wait", "1")
    assert not alive(child)


def test_a_moved_project_loses_nothing(project: Project) -> None:
    """A project that is moved while a run goes on: it is running there, and its record is whole."""
    begins = f"import nbbg\nnbbg.log(loss=1.0)\n{GATE}"
    project.write("train.ipynb", begins, "nbbg.log(loss=0.5)\nprint('after')", LONG)
    project.nbbg("run", "train.ipynb")
    project.until_running(1, "at the gate")
    there = Project(project.root.with_name("elsewhere"), project.home)
    project.root.rename(there.root)
    assert states(there) == ["running"]
    open_gate(there)
    runner = there.until_running(1, "after")["runner_pid"]
    os.kill(runner, signal.SIGTERM)
    there.nbbg("wait", "1", code=1)
    run = there.run(1)
    assert (run["state"], run["metrics"]) == ("stopped", {"loss": 0.5})
    assert run["reason"] == "SIGTERM to its runner in cell 3"
    assert there.log(1).startswith("at the gate\nafter\n")
    assert there.executed(1)["cells"][1]["outputs"][0]["text"] == "after\n"
    assert not project.root.exists()
    there.end_all()


def test_a_zombie_and_a_stranger_are_dead(project: Project) -> None:
    """A record that names a zombie, or a pid that now is another process's, is not `running`."""
    project.write("train.ipynb", GATE)
    project.nbbg("run", "train.ipynb")
    project.until_running(1, "at the gate")
    project.end_all()
    claim = project.attempt(1) / paths.PROCESS
    record = json.loads(claim.read_bytes())

    def state_with(**fields: Any) -> str:
        claim.write_text(json.dumps({**record, **fields}))
        return project.state(1)

    assert state_with(pid=os.getpid()) == "lost"
    (claim.parent / paths.LOCK).unlink()
    assert state_with(pid=os.getpid()) == "lost"
    sleeper = subprocess.Popen(["sleep", "600"])
    who = process.identity(sleeper.pid)
    assert who is not None
    named = {"pid": who.pid, "start_time": who.start_time}
    assert state_with(**named) == "running"  # without a lock to ask, the process is asked
    sleeper.kill()
    until(lambda: not alive(sleeper.pid))
    assert os.path.exists(f"/proc/{sleeper.pid}")
    assert state_with(**named) == "lost"
    sleeper.wait()


@pytest.mark.parametrize("engine", ["ipython", "kernel"])
def test_a_run_outlives_its_nbbg(project: Project, tmp_path: Path, engine: str) -> None:
    """Uninstalled while a run is at work: its ending and its notebook are written all the same."""
    installed, gone = tmp_path / "installed", tmp_path / "gone"
    shutil.copytree(Path(process.__file__).parents[1], installed / "nbbg")
    waits = "import os, time\nprint('ready', flush=True)\n"
    waits += "while not os.path.exists('go'): time.sleep(0.05)"
    project.write("train.ipynb", waits, "print('over', flush=True)\nos.kill(os.getpid(), 9)")
    project.environment["PYTHONPATH"] = str(installed)
    project.nbbg("run", "train.ipynb", "--engine", engine)
    del project.environment["PYTHONPATH"]
    project.until_running(1, "ready")
    installed.rename(gone)
    (project.root / "go").touch()
    project.nbbg("wait", "1", code=1)
    assert project.run(1)["signal"] == "SIGKILL"
    assert project.put_out(1)["cells"][1]["outputs"][0]["text"] == "over\n"
