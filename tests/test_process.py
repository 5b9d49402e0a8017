"""Processes: told from others by pid and start time, started detached, ended as whole trees."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nbbg import process
from nbbg.model import Identity
from nbbg.process.asking import Asked
from tests import records
from tests.project import alive, until

if TYPE_CHECKING:
    from collections.abc import Iterator

MARKER = f"a test of processes {os.getpid()}"
# Grandchildren in every kind of hiding: a session of its own, an orphan of a dead parent, one that
# ignores all but SIGKILL, one that was stopped.
FAMILY = """
import os, signal, subprocess, sys, time
def member(code, **more):
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, **more)
sleep = "import time; print(1, flush=True); time.sleep(60)"
stubborn = "import signal; [signal.signal(n, 1) for n in (1, 2, 15)];" + sleep
family = [member(sleep), member(sleep, start_new_session=True), member(stubborn), member(sleep)]
orphan = '''import os, sys
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        print(os.getpid(), flush=True)
        os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(60)"])
'''
pids = [each.pid for each in family if each.stdout.readline()]
pids.append(int(member(orphan).stdout.readline()))
os.kill(pids[3], signal.SIGSTOP)
print("ready", flush=True)
print(*pids, flush=True)
if sys.argv[1] == "leave": os._exit(0)
time.sleep(60)
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A file for the streams of what is started."""
    return tmp_path / "log"


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A child that sleeps."""
    with subprocess.Popen(["sleep", "60"]) as child:
        yield child
        child.kill()


def family(how: str) -> tuple[subprocess.Popen[str], list[int]]:
    """A tree of processes, by its marker alone once its root has left."""
    env = {**os.environ, "NBBG_MARKER": MARKER}
    root = records.start(FAMILY, how, env=env, start_new_session=True)
    assert root.stdout is not None
    return root, [int(word) for word in root.stdout.readline().split()]


def test_a_process_is_its_pid_and_its_start(sleeper: subprocess.Popen[bytes]) -> None:
    """A pid alone is not trusted: another start time is another process."""
    who = process.identity(sleeper.pid)
    assert who is not None
    assert process.alive(who)
    assert not process.alive(Identity(who.pid, who.start_time + 1))
    assert process.group(sleeper.pid) == os.getpgrp()
    process.send(Identity(who.pid, who.start_time + 1), signal.SIGKILL)
    assert process.alive(who)


def test_a_zombie_is_dead(sleeper: subprocess.Popen[bytes]) -> None:
    """A process that has ended and was not collected is dead, and signals to it are harmless."""
    who = process.identity(sleeper.pid)
    assert who is not None
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert not process.alive(who)
    assert process.group(sleeper.pid) == 0
    assert who not in [each.identity for each in process.processes()]
    process.send(who, signal.SIGKILL)


def test_an_end_is_collected_by_whom_it_was_left_to(tmp_path: Path) -> None:
    """A later start leaves alone the end of a program that its caller watches over."""
    log, true = str(tmp_path / "log"), [sys.executable, "-c", ""]
    watched = process.spawn_detached(true, log, {}, collected=False)
    os.waitid(os.P_PID, watched, os.WEXITED | os.WNOWAIT)
    other = process.spawn_detached(true, log, {}, collected=False)
    assert [os.waitpid(pid, 0)[0] for pid in (watched, other)] == [watched, other]


def test_odd_names_are_no_obstacle(tmp_path: Path) -> None:
    """A program whose name holds brackets and blanks is read as what it is."""
    program = tmp_path / "a) Z 1 (b"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([program, "60"]) as child:
        until(lambda: Path(f"/proc/{child.pid}/comm").read_text() == "a) Z 1 (b\n")
        table = {each.identity.pid: each for each in process.processes()}
        assert table[child.pid].parent == os.getpid()
        child.kill()


@pytest.mark.parametrize("how", ["stay", "leave"])
def test_the_whole_tree_ends(how: str) -> None:
    """Nothing of a tree is left: not what ignores, was stopped, left its session or its parents."""
    root, pids = family(how)
    assert len(pids) == 5
    process.end_tree([root.pid], MARKER, root.pid, grace=0.3)
    assert not [pid for pid in pids if alive(pid)]
    assert not process.tree([root.pid], MARKER, root.pid)
    records.end(root)


def test_the_tree_is_asked_first(tmp_path: Path) -> None:
    """SIGTERM comes before SIGKILL, and what heeds it has its grace."""
    code = (
        "import signal, sys, time\n"
        "def tidy(*_): time.sleep(0.3); open(sys.argv[1], 'w').close(); sys.exit()\n"
        "signal.signal(15, tidy); print('ready', flush=True); time.sleep(60)"
    )
    child = records.start(code, tmp_path / "tidied")
    process.end_tree([], "", 0, grace=0)  # nothing is named: nothing ends
    assert alive(child.pid)
    env_marked = records.start(code, tmp_path / "too", env={**os.environ, "NBBG_MARKER": MARKER})
    process.end_tree([], MARKER, 0, grace=5)
    assert (tmp_path / "too").exists()
    assert alive(child.pid)
    for each in (child, env_marked):
        records.end(each)


def test_a_batch_inside_a_run_is_not_part_of_it() -> None:
    """nbbg's own supervisors and runners, and what they started, outlive the run they are of."""
    code = "import subprocess; print('ready', flush=True); subprocess.run(['sleep', '60'], env={})"
    env = {**os.environ, "NBBG_MARKER": MARKER}
    child = records.start(code, "nbbg.supervisor", "/a/batch", env=env)
    until(lambda: any(each.parent == child.pid for each in process.processes()))
    (inner,) = [each for each in process.processes() if each.parent == child.pid]
    assert process.tree([os.getpid()], MARKER) == []
    process.send(inner.identity, signal.SIGKILL)
    child.communicate()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start what another user can't end")
def test_what_can_not_be_ended_is_left() -> None:
    """A process that this user may not kill holds up the end of a run for a while, not for ever."""
    code = """
import os
from nbbg import process
process.ending.STUBBORN = 0.3
child = os.fork()
if not child:
    os.setresuid(1, 1, 1)
    os.close(1)
    os.execv("/bin/sleep", ["sleep", "60"])
os.setresuid(65534, 65534, 65534)
process.end_tree([os.getpid()], "", 0, 0)
print(child)
"""
    root = {"PYTHONPATH": os.getcwd()}
    done = subprocess.run(
        records.python(code), stdout=subprocess.PIPE, env=root, timeout=10, check=True
    )
    os.kill(int(done.stdout), signal.SIGKILL)


def test_a_detached_program(log: Path) -> None:
    """What is started detached leads a session of its own, reads nothing, and writes to its log."""
    code = (
        "import os, sys\nprint(os.getsid(0), sys.stdin.read(), os.environ['A'], flush=True)\n"
        "print(2, file=sys.stderr)"
    )
    pid = process.spawn_detached(records.python(code), str(log), {"A": "b"})
    until(lambda: not alive(pid))
    assert log.read_text() == f"{pid}  b\n2\n"
    assert log.stat().st_mode & 0o777 == 0o600


def test_a_detached_program_keeps_nothing_open(log: Path) -> None:
    """Who waits for the end of a pipe that was handed down does not wait for what was started."""
    read, write = os.pipe()
    os.set_inheritable(write, True)
    pid = process.spawn_detached(["/bin/sleep", "60"], str(log), {})
    os.close(write)
    assert os.read(read, 1) == b""
    os.close(read)
    assert alive(pid)
    assert sorted(os.listdir(f"/proc/{pid}/fd")) == ["0", "1", "2"]
    os.kill(pid, signal.SIGKILL)


def test_what_was_ignored_is_not_ignored(log: Path) -> None:
    """Of what a non-interactive shell ignores in the background nothing is ignored in a run."""
    code = "import signal; print([signal.getsignal(n) == 0 for n in (1, 2, 3, 15)])"
    starts = (
        "import signal, sys\nfrom nbbg import process\n"
        "for n in (1, 2, 3, 15): signal.signal(n, signal.SIG_IGN)\n"
        "print(process.spawn_detached(sys.argv[2:], sys.argv[1], {}))"
    )
    # Python itself takes SIGINT when it is not ignored.
    argv = [sys.executable, "-c", code]
    pid = int(subprocess.check_output(records.python(starts, log, *argv)))
    until(lambda: not alive(pid))
    assert log.read_text() == "[True, False, True, True]\n"


def test_a_program_that_is_not_there(log: Path) -> None:
    """A program that can't be started is an error at once."""
    with pytest.raises(FileNotFoundError):
        process.spawn_detached(["/no/such/program"], str(log), {})


def test_an_exit_wakes_who_waits(sleeper: subprocess.Popen[bytes]) -> None:
    """The end of a process, child or not, is noticed when it comes, not at the next look."""
    who = process.identity(sleeper.pid)
    assert who is not None
    watch = process.Watch(who)
    assert not watch.wait(0.01)
    sleeper.kill()
    before = time.monotonic()
    assert watch.wait(20)
    assert time.monotonic() - before < 5
    watch.close()
    watch.close()


def test_waiting_for_nobody_takes_its_time() -> None:
    """Without anybody to wait for the timeout is what passes; with somebody dead nothing does."""
    before = time.monotonic()
    process.wait_any([], 0.05)
    assert time.monotonic() - before >= 0.05
    assert process.Watch(records.gone()).wait(20)
    assert process.Watch(Identity(0, 0)).wait(0.01)
    assert time.monotonic() - before < 5


def test_this_machine() -> None:
    """Boot, namespace and host have names, and the kernel's count of its kills is readable."""
    assert len(process.boot_id()) == 36
    assert process.pid_namespace().isdigit()
    assert process.host()
    assert process.oom_kills() >= 0


def test_who_has_no_other_child(sleeper: subprocess.Popen[bytes]) -> None:
    """A process knows when one child is all that it has, also when that one is dead."""
    code = (
        "import subprocess, sys, time; from nbbg import process;"
        "first = subprocess.Popen(['true']); time.sleep(0.1);"
        "print(process.is_alone_with(first.pid));"
        "other = subprocess.Popen(['sleep', '60']); print(process.is_alone_with(first.pid));"
        "other.kill(); other.wait(); print(process.is_alone_with(other.pid))"
    )
    said = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert said.split() == ["True", "False", "False"]
    assert not process.is_alone_with(sleeper.pid + 1)


def test_a_program_within_keeps_what_it_is_given(tmp_path: Path) -> None:
    """It works in its folder, with the files that it is to keep, and with no other open one."""
    (tmp_path / "own").mkdir()
    before = os.getcwd()
    with (tmp_path / "log").open("wb") as log, (tmp_path / "kept").open("wb") as kept:
        stranger = os.dup(log.fileno())
        os.set_inheritable(stranger, True)
        try:
            told = (
                "import os; names = os.listdir('/dev/fd'); print(os.getcwd(),"
                " *sorted(int(fd) for fd in names if os.path.exists(f'/dev/fd/{fd}')))"
            )
            argv = [sys.executable, "-c", told]
            spawn = (str(tmp_path / "own"), os.environ, log.fileno(), [kept.fileno()])
            os.waitpid(process.spawn_within(argv, *spawn), 0)
        finally:
            os.close(stranger)
        assert not os.get_inheritable(kept.fileno())
        expected = f"{tmp_path / 'own'} 0 1 2 {kept.fileno()}\n"
        with pytest.raises(FileNotFoundError):
            process.spawn_within(argv, str(tmp_path / "none"), os.environ, log.fileno(), [])
    assert (tmp_path / "log").read_text() == expected
    assert os.getcwd() == before


def test_a_program_is_asked_while_we_do_something_else() -> None:
    """All that it writes is its answer, however much; it is read once and told as often."""
    much = [sys.executable, "-c", "print('x' * 300_000)"]
    with Asked(much, {}) as asked:
        assert asked.answer(30) == b"x" * 300_000 + b"\n"
        assert asked.answer(30) == b"x" * 300_000 + b"\n"


def test_what_fails_has_no_answer() -> None:
    """Nor has what is not there; what failed has written something all the same."""
    with Asked(["sh", "-c", "echo half; exit 1"], os.environ) as asked:
        assert asked.answer(30) == b""
    with pytest.raises(OSError, match="No such file"):
        Asked(["a-program-that-is-not-there"], os.environ)


@pytest.mark.parametrize("code", ["echo half; exec sleep 60", "exec >&-; exec sleep 60"])
def test_nobody_waits_for_what_is_not_through(code: str) -> None:
    """A program that takes too long is ended, also where it has closed its stdout."""
    with Asked(["sh", "-c", code], os.environ) as asked:
        pid = asked._pid  # noqa: SLF001
        assert asked.answer(0.2) == b""
        assert alive(pid)
    assert not alive(pid)
