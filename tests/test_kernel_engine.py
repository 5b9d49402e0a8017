"""The `kernel` engine, with real kernels and a small stand-in for the runner."""

from __future__ import annotations

import asyncio
import json
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
import venv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient

from nbbg import files, journal, paths, process
from nbbg.engines import commands
from nbbg.engines.kernel.launch import Python
from nbbg.engines.kernel.live import Kernel, SilentKernelError
from nbbg.engines.kernel.spawn import Spawned
from nbbg.engines.kernel.task import Task
from nbbg.inside.recorder import Recorder
from nbbg.store import locks
from tests.project import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Json = dict[str, Any]
SOON = 20.0  # seconds that a loaded machine may take for what takes one


class Attempt:
    """One attempt of a notebook, as the runner makes and starts it."""

    def __init__(self, folder: Path, cells: list[str | Json], **given: Any) -> None:
        self.temporary = Path(tempfile.mkdtemp())  # not in `folder`: sockets need a short path
        self.marker = uuid.uuid4().hex
        self.folder = folder / "runs" / "1" / "1"
        self.folder.mkdir(parents=True)
        (self.folder.parent / paths.CHECKPOINT).mkdir()
        self._lock = os.open(self.folder / paths.LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        assert locks.take(self._lock)
        for name, content in commands.guest().items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        notebook = folder / "notebook.ipynb"
        notebook.write_text(json.dumps(_notebook(cells)))
        spec = {
            "notebook": str(notebook),
            "path": "notebook.ipynb",
            "params": {},
            "lock_fd": self._lock,
            "results": [],
            "engine": "kernel",
            "python": sys.executable,
            "kernel": "",
            "guest": str(folder / paths.GUEST),
            **given,
        }
        (self.folder / paths.ENGINE).write_text(json.dumps(spec))
        self.engine = self._start(folder)

    def _start(self, cwd: Path) -> subprocess.Popen[bytes]:
        environment = {
            **{name: value for name, value in os.environ.items() if "PYTEST" not in name},
            "TMPDIR": str(self.temporary),
            "PYTHONUNBUFFERED": "1",
            "IPYTHONDIR": str(cwd / "ipython"),
            "A_TOKEN": "correcthorse",
            paths.RUN_DIR: str(self.folder.parent),
            paths.ATTEMPT: "1",
            paths.SEED: "7",
            paths.CHECKPOINT_DIR: str(self.folder.parent / paths.CHECKPOINT),
            paths.MARKER: self.marker,
        }
        with (self.folder / paths.LOG).open("ab") as log:
            engine = subprocess.Popen(
                commands.argv("kernel", sys.executable, cwd, self.folder),
                cwd=cwd,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[self._lock],
                start_new_session=True,
            )
        os.close(self._lock)
        return engine

    @property
    def log(self) -> str:
        """What is in the log."""
        return (self.folder / paths.LOG).read_text()

    @property
    def events(self) -> list[Json]:
        """What is in the journal."""
        with files.Folder(self.folder) as folder:
            return journal.read(folder, paths.CELLS)

    @property
    def end(self) -> Json:
        """The journal's end; empty where there is none."""
        return journal.first(self.events[::-1], "end") or {}

    def wait(self) -> int:
        """The engine's wait status; negative for a signal."""
        return self.engine.wait(60)

    def kernel(self) -> int:
        """The pid of the kernel."""
        engine = self.engine.pid
        found = wait_for(lambda: [p for p in process.processes() if p.parent == engine])
        return int(found[0].identity.pid)

    def lock_is_held(self) -> bool:
        """Whether anything of it counts as alive."""
        fd = os.open(self.folder / paths.LOCK, os.O_RDONLY)
        try:
            return locks.is_held(fd)
        finally:
            os.close(fd)

    def outputs(self, ordinal: int) -> list[Json]:
        """The outputs of one cell as a reader composes them; text as `{"stdout": ...}`."""
        log, found = (self.folder / paths.LOG).read_bytes(), _Outputs()
        current, at = 0, 0
        for event in self.events:
            if "log" in event:
                start, end = event["log"] if event["event"] == "stream" else (event["log"],) * 2
                if current == ordinal:
                    found.text("stdout", log[at:start])
                    found.text(event.get("name", ""), log[start:end])
                    found.take(event)
                at = end
            current = event.get("ordinal", current) if event["event"] == "cell" else current
        return found.all

    def finish(self) -> None:
        """End all that is left of it."""
        process.end_tree([self.engine.pid], self.marker, self.engine.pid, 0)
        self.engine.wait()
        shutil.rmtree(self.temporary)


class _Outputs:
    def __init__(self) -> None:
        self.all: list[Json] = []

    def text(self, name: str, data: bytes) -> None:
        if data and self.all and name in self.all[-1]:
            self.all[-1][name] += data.decode()
        elif data:
            self.all.append({name: data.decode()})

    def take(self, event: Json) -> None:
        if event["event"] == "display":
            self.all.append(event["output"])
        elif event["event"] == "clear" and not event["wait"]:
            self.all.clear()


def _notebook(cells: list[str | Json]) -> Json:
    made: list[Json] = [
        {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": []}
        | (cell if isinstance(cell, dict) else {"source": cell})
        for cell in cells
    ]
    return {"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}


def wait_for(look: Callable[[], Any]) -> Any:
    """What `look` finds, as soon as it finds something."""
    deadline = time.monotonic() + SOON
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)
    return found


def wait_for_text(attempt: Attempt, text: str) -> None:
    """Until the log has it."""
    wait_for(lambda: text in attempt.log)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Attempt]]:
    """Starts attempts, and ends what is left of them."""
    started: list[Attempt] = []

    def start_one(*cells: str | Json, **given: Any) -> Attempt:
        folder = tmp_path / str(len(started))
        folder.mkdir()
        started.append(Attempt(folder, list(cells), **given))
        return started[-1]

    yield start_one
    for attempt in started:
        attempt.finish()


def tagged(tag: str, source: str) -> Json:
    """A code cell with a tag."""
    return {"source": source, "metadata": {"tags": [tag]}}


SLEEP = "import time; print('asleep'); time.sleep(60)"
BY_KERNELSPEC = {"python": "", "kernel": "python3"}  # as a kernel of another language is started


def test_a_notebook_runs_to_its_end(start: Callable[..., Attempt]) -> None:
    """Each cell's events are in the journal, the outputs where the log says, the end with 0."""
    attempt = start(
        "import sys\nprint('out'); print('err', file=sys.stderr); print('more')", "1 + 1"
    )
    assert attempt.wait() == 0
    kinds = [event["event"] for event in attempt.events if event["event"] != "stream"]
    assert kinds == ["begin", "cell", "cell_end", "cell", "display", "cell_end", "end"]
    assert attempt.outputs(1) == [{"stdout": "out\n"}, {"stderr": "err\n"}, {"stdout": "more\n"}]
    assert attempt.outputs(2)[0]["data"] == {"text/plain": "2"}
    assert attempt.end["status"] == "succeeded"
    assert attempt.end["left_out"] == []


def test_nothing_is_left_behind(start: Callable[..., Attempt]) -> None:
    """After the end there is no lock, no connection file, no socket, and no noise in the log."""
    attempt = start("import os; print(os.environ['TMPDIR'])")
    assert attempt.wait() == 0
    assert attempt.log == f"{attempt.temporary}\n"
    assert not list(attempt.temporary.iterdir())
    assert not attempt.lock_is_held()
    assert not (attempt.folder / paths.CONNECTION).exists()


@pytest.mark.parametrize("given", [{}, BY_KERNELSPEC], ids=["itself", "by messages"])
def test_displays_updates_and_clears_are_journalled(
    start: Callable[..., Attempt], given: Json
) -> None:
    """What Jupyter would show stands in the journal in its order, with its id."""
    attempt = start(
        """from IPython.display import HTML, clear_output, display
print("before")
shown = display("first", display_id="one"); shown.update("second")
clear_output(wait=True)
display(HTML("<b>bold</b>"))
1 / 0""",
        **given,
    )
    assert attempt.wait() == 1
    events = {event["event"]: event for event in attempt.events}
    displays = [event for event in attempt.events if event["event"] == "display"]
    first, html, error = (event["output"] for event in displays)
    assert displays[0]["display_id"] == events["update"]["display_id"] == "one"
    assert events["update"]["data"] == {"text/plain": "'second'"}
    assert events["clear"]["wait"] is True
    assert (first["output_type"], html["data"]["text/html"]) == ("display_data", "<b>bold</b>")
    assert (error["output_type"], error["ename"]) == ("error", "ZeroDivisionError")
    assert attempt.outputs(1)[0] == {"stdout": "before\n"}


def test_children_and_prints_stand_in_their_order(start: Callable[..., Attempt]) -> None:
    """C code, programs and Python write into one log, nothing twice, as it happened."""
    attempt = start(
        """import os, subprocess, sys
print(1)
subprocess.run(["echo", "2"])
os.write(1, b"3\\n")
subprocess.run(["echo", "4"], stdout=sys.stdout)
!echo 5
pid = os.fork()
if not pid:
    print(6)
    os._exit(0)
os.waitpid(pid, 0)
print(7)"""
    )
    assert attempt.wait() == 0
    assert attempt.log == "1\n2\n3\n4\n5\n6\n7\n"


def test_a_thread_goes_on_printing_after_its_cell(start: Callable[..., Attempt]) -> None:
    """What a thread prints once its cell is over belongs to the cell that is running."""
    attempt = start(
        """import threading, time
def speak():
    time.sleep(0.3)
    print("late")
thread = threading.Thread(target=speak); thread.start()""",
        "thread.join()",
        "import atexit; atexit.register(print, 'bye')",
    )
    assert attempt.wait() == 0
    assert attempt.outputs(2) == [{"stdout": "late\n"}]
    assert attempt.log.endswith("bye\n")


def test_an_error_ends_the_notebook(start: Callable[..., Attempt]) -> None:
    """The end names the cell, the exception, and the cells that were left out."""
    attempt = start("1", "{}['key']", "3", "")
    assert attempt.wait() == 1
    end = attempt.end
    assert (end["status"], end["ordinal"], end["left_out"]) == ("failed", 2, [3])
    assert end["error"] == {"name": "KeyError", "value": "'key'"}


def test_tags_are_honoured(start: Callable[..., Attempt]) -> None:
    """`raises-exception` lets the notebook go on; `skip-execution` leaves a cell out."""
    attempt = start(
        tagged("raises-exception", "1 / 0"), tagged("skip-execution", "print('no')"), "print('on')"
    )
    assert attempt.wait() == 0
    ends = [event["status"] for event in attempt.events if event["event"] == "cell_end"]
    assert ends == ["error", "skipped", "ok"]
    assert attempt.log == "on\n"


def test_nobody_is_there_to_answer(start: Callable[..., Attempt]) -> None:
    """`input()` is an error at once, not a wait for ever."""
    attempt = start("input('name? ')")
    assert attempt.wait() == 1
    assert attempt.end["error"]["name"] == "StdinNotImplementedError"


@pytest.mark.parametrize(
    ("source", "code", "log"),
    [
        ("sys.exit(3)", 3, ""),
        ("sys.exit()", 0, ""),
        ("sys.exit('no data')", 1, "no data\n"),
        ("exit()", 0, ""),
    ],
)
def test_a_notebook_can_end_itself(
    start: Callable[..., Attempt], source: str, code: int, log: str
) -> None:
    """`sys.exit` ends the notebook with its code; the cells left out are named."""
    attempt = start(f"import sys\n{source}", "2")
    assert attempt.wait() == code
    end = attempt.end
    assert (end["status"], end["exit_code"], end["left_out"]) == ("exited", code, [2])
    assert attempt.log == log


@pytest.mark.parametrize(
    ("source", "status", "name"),
    [
        ("os._exit(5)", 5, None),
        ("ctypes.string_at(0)", -signal.SIGSEGV, "SIGSEGV"),
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL, "SIGKILL"),
        ("os.abort()", -signal.SIGABRT, "SIGABRT"),
    ],
)
def test_the_death_of_a_kernel_is_told_exactly(
    start: Callable[..., Attempt], source: str, status: int, name: str | None
) -> None:
    """The code or signal, the cell, what was printed in the instant before; the engine ends so."""
    attempt = start("1", f"import ctypes, os, signal\nprint('last words', end='')\n{source}", "3")
    assert attempt.wait() == status
    end = attempt.end
    assert (end["ordinal"], end["left_out"], end["signal"]) == (2, [3], name)
    assert end["status"] == ("killed" if name else "exited")
    assert end["exit_code"] == (None if name else status)
    assert attempt.log.startswith("last words")


def test_a_kernel_that_ends_itself_quietly_is_no_success(start: Callable[..., Attempt]) -> None:
    """`os._exit(0)` leaves a journal without an end, as it does in the `ipython` engine."""
    attempt = start("import os; os._exit(0)")
    assert attempt.wait() == 0
    assert attempt.end == {}


def test_a_kernel_killed_from_outside_is_noticed_at_once(start: Callable[..., Attempt]) -> None:
    """Out of memory, say: the signal and the cell are known within a second."""
    attempt = start(SLEEP)
    wait_for_text(attempt, "asleep")
    killed_at = time.monotonic()
    os.kill(attempt.kernel(), signal.SIGKILL)
    assert attempt.wait() == -signal.SIGKILL
    assert time.monotonic() - killed_at < 1.5
    assert attempt.end["signal"] == "SIGKILL"


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("try:\n    time.sleep(60)\nfinally: print('tidied')", "KeyboardInterrupt"),
        (
            "import asyncio\ntry:\n    await asyncio.sleep(60)\nfinally: print('tidied')",
            "CancelledError",
        ),
        (
            "try:\n    time.sleep(60)\nexcept KeyboardInterrupt: print('tidied')",
            "KeyboardInterrupt",
        ),
    ],
    ids=["finally", "await", "caught"],
)
def test_sigint_interrupts_the_cell(start: Callable[..., Attempt], source: str, error: str) -> None:
    """A stop interrupts what the kernel works on, `finally` runs, and no other cell begins."""
    attempt = start(f"import time; print('asleep')\n{source}", "print('never')")
    wait_for_text(attempt, "asleep")
    attempt.engine.send_signal(signal.SIGINT)
    assert attempt.wait() == 130
    assert attempt.log == "asleep\ntidied\n"
    end = attempt.end
    assert (end["status"], end["ordinal"], end["left_out"]) == ("interrupted", 1, [2])
    assert end["error"]["name"] == error


def test_sigint_before_the_first_cell(start: Callable[..., Attempt]) -> None:
    """A stop while the kernel starts is not lost."""
    attempt = start("print('never')")
    wait_for(lambda: attempt.events)
    attempt.engine.send_signal(signal.SIGINT)
    assert attempt.wait() == 130
    assert attempt.end["status"] == "interrupted"
    assert attempt.log == ""


def test_sigterm_ends_kernel_and_engine(start: Callable[..., Attempt]) -> None:
    """SIGTERM ends a kernel that is deep in one C call, and then the engine, by that signal."""
    attempt = start("import re; print('deep')\nre.match('(a?){40}a{40}', 'a' * 40)")
    wait_for_text(attempt, "deep")
    attempt.engine.send_signal(signal.SIGTERM)
    assert attempt.wait() == -signal.SIGTERM
    assert (attempt.end["status"], attempt.end["signal"]) == ("killed", "SIGTERM")


def test_sigterm_before_the_first_cell(start: Callable[..., Attempt], tmp_path: Path) -> None:
    """SIGTERM to the engine while its kernel starts is told as that signal, too."""
    slow = tmp_path / "python"
    slow.write_text(f"#!/bin/sh\ntouch {tmp_path}/starts\nexec sleep 60\n")
    slow.chmod(0o755)
    attempt = start("1", python=str(slow))
    until((tmp_path / "starts").exists)
    until(lambda: "begin" in [event["event"] for event in attempt.events])
    attempt.engine.send_signal(signal.SIGTERM)
    assert attempt.wait() == -signal.SIGTERM
    assert (attempt.end["status"], attempt.end["signal"]) == ("killed", "SIGTERM")


def test_the_kernel_holds_the_lock_until_it_ends(start: Callable[..., Attempt]) -> None:
    """When the engine is killed the kernel still counts as alive; it ends soon, with its lock."""
    attempt = start(SLEEP)
    wait_for_text(attempt, "asleep")
    kernel = process.identity(attempt.kernel())
    attempt.engine.kill()
    attempt.engine.wait()
    assert attempt.lock_is_held()
    wait_for(lambda: not attempt.lock_is_held())
    assert kernel is not None
    wait_for(lambda: not process.alive(kernel))


def test_children_of_the_notebook_do_not_hold_the_lock(start: Callable[..., Attempt]) -> None:
    """A fork and a program that outlive the notebook do not make it look alive."""
    attempt = start(
        """import multiprocessing, os, subprocess, time
multiprocessing.get_context("fork").Process(target=time.sleep, args=(30,), daemon=True).start()
if not os.fork():
    os.close(0), os.dup2(1, 30)
    if not os.fork():
        time.sleep(30)
    os._exit(0)
subprocess.Popen(["sleep", "30"], close_fds=False)
os.kill(os.getpid(), 9)"""
    )
    assert attempt.wait() == -signal.SIGKILL
    assert not attempt.lock_is_held()


def test_the_notebook_sees_nbbg_and_nothing_of_the_engine(start: Callable[..., Attempt]) -> None:
    """`import nbbg` works at the end of the path; names, In and the count are the notebook's."""
    attempt = start(
        "print([name for name in dir() if name[0] != '_'], len(In)); None, 1",
        "import nbbg as n, sys; n.log(loss=0.25, step=3); print(n.seed_everything(), sys.path[-1])",
    )
    assert attempt.wait() == 0
    first, second = attempt.log.splitlines()
    assert first == "['In', 'Out', 'exit', 'get_ipython', 'open', 'quit'] 2"
    assert second == f"7 {attempt.folder.parents[2] / paths.GUEST}"
    assert attempt.outputs(1)[1]["execution_count"] == 1
    line = json.loads((attempt.folder / paths.METRICS).read_text())
    assert (line["step"], line["values"]) == (3, {"loss": 0.25})


def test_parameters_and_results(start: Callable[..., Attempt]) -> None:
    """Given parameters are injected; the named results are kept after the last cell."""
    attempt = start("value = {'twice': 2 * lr}", params={"lr": 0.5}, results=["value", "absent"])
    assert attempt.wait() == 0
    kept = attempt.folder / paths.RESULTS / "value.json"
    assert json.loads(kept.read_text()) == {"twice": 1.0}


@pytest.mark.parametrize("given", [{}, BY_KERNELSPEC], ids=["itself", "by messages"])
def test_secrets_are_masked(start: Callable[..., Attempt], given: Json) -> None:
    """A secret of the environment is in neither log nor journal, whatever shows it."""
    attempt = start(
        "import os, sys; token = os.environ['A_TOKEN']",
        "print(token, file=sys.stderr); token",
        "raise ValueError(token)",
        **given,
    )
    assert attempt.wait() == 1
    assert "correcthorse" not in attempt.log
    assert "correcthorse" not in (attempt.folder / paths.CELLS).read_text()
    assert attempt.end["error"]["value"] == "*" * 12


def test_what_another_client_executes_is_not_recorded(start: Callable[..., Attempt]) -> None:
    """Someone who looks into the live kernel sees it, and leaves no trace in the record."""
    attempt = start(
        "import os, time; mine = 6\nwhile not os.path.exists('go'): time.sleep(0.02)", "print('on')"
    )
    wait_for(lambda: "cell" in [event["event"] for event in attempt.events])
    console = BlockingKernelClient(connection_file=str(attempt.folder / paths.CONNECTION))
    console.load_connection_file()
    console.start_channels()
    try:
        wait_for(lambda: _hears(console))
        asked = console.execute("print('theirs'); mine * 7")
        (attempt.folder.parents[2] / "go").touch()
        seen = _seen_by(console, asked)
    finally:
        console.stop_channels()
    assert attempt.wait() == 0
    assert seen == ["theirs\n", "42"]
    assert attempt.log == "on\n"
    assert "display" not in [event["event"] for event in attempt.events]


def _hears(console: BlockingKernelClient) -> bool:
    """Whether what the kernel publishes arrives; its control thread answers also while it works."""
    console.control_channel.send(console.session.msg("kernel_info_request", {}))
    try:
        return bool(console.get_iopub_msg(timeout=0.2))
    except queue.Empty:
        return False


def _seen_by(console: BlockingKernelClient, asked: str) -> list[str]:
    seen = []
    while True:
        message = console.get_iopub_msg(timeout=SOON)
        if message["parent_header"].get("msg_id") == asked:
            content = message["content"]
            if message["msg_type"] == "stream":
                seen.append(content["text"])
            elif message["msg_type"] == "execute_result":
                seen.append(content["data"]["text/plain"])
            elif content.get("execution_state") == "idle":
                return seen


@pytest.mark.parametrize(
    ("given", "name", "text"),
    [
        ({"python": "/usr/bin/env"}, "KernelDied", "ended before it could execute a cell"),
        ({"python": "/no/python"}, "CannotStart", "No such file.*--python"),
        ({"python": "", "kernel": "none"}, "CannotStart", "no kernel 'none'; there are: .*python3"),
    ],
)
def test_a_kernel_that_does_not_start_says_why(
    start: Callable[..., Attempt], given: Json, name: str, text: str
) -> None:
    """No kernel: one sentence, and what to type."""
    attempt = start("1", **given)
    assert attempt.wait() == 1
    assert attempt.end["error"]["name"] == name
    assert re.search(text, attempt.end["error"]["value"])


def test_a_kernel_that_is_killed_while_it_starts(
    start: Callable[..., Attempt], tmp_path: Path
) -> None:
    """A signal before the first cell is told as a signal, not as a failure of the notebook."""
    dies = tmp_path / "python"
    dies.write_text("#!/bin/sh\nkill -TERM $$\n")
    dies.chmod(0o755)
    attempt = start("1", python=str(dies))
    assert attempt.wait() == -signal.SIGTERM
    end = attempt.end
    assert (end["status"], end["signal"], end["ordinal"]) == ("killed", "SIGTERM", None)


def test_a_kernel_that_starts_and_never_answers_is_given_up(tmp_path: Path) -> None:
    """One that is halted in its start is waited for as long as is said, and killed."""
    halted = tmp_path / "python"
    halted.write_text(f'#!/bin/sh\nkill -STOP $$\nexec {sys.executable} "$@"\n')
    halted.chmod(0o755)
    lock = os.open(tmp_path / paths.LOCK, os.O_RDWR | os.O_CREAT)
    task = Task(str(tmp_path), [], str(halted), "", str(tmp_path), [lock], [])

    async def start() -> None:
        launched = Python(task, Spawned(task))
        kernel = Kernel(task, launched, Recorder(files.Folder(tmp_path)), ready=0.5)
        try:
            await kernel.start()
        finally:
            await kernel.leave()
            await kernel.clean()

    with pytest.raises(SilentKernelError, match=r"within 0.5 s: it is halted, or stuck"):
        asyncio.run(start())
    os.close(lock)
    me = os.getpid()
    assert not [each for each in process.processes() if each.parent == me]


def test_a_kernel_that_cuts_its_connection_and_lives_on_is_noticed(
    start: Callable[..., Attempt],
) -> None:
    """A cell that becomes another program is the end of the notebook, with that cell."""
    attempt = start("import os; os.execvp('sleep', ['sleep', '60'])", "2")
    assert attempt.wait() == 1
    end = attempt.end
    assert (end["status"], end["ordinal"], end["left_out"]) == ("failed", 1, [2])
    assert "closed its connection and lives on" in end["error"]["value"]
    assert not attempt.lock_is_held()


def test_an_interpreter_without_ipykernel_says_what_to_type(
    start: Callable[..., Attempt], tmp_path: Path
) -> None:
    """The line that installs ipykernel in that very interpreter."""
    venv.create(tmp_path / "bare", with_pip=False)
    python = str(tmp_path / "bare" / "bin" / "python")
    attempt = start("1", python=python)
    assert attempt.wait() == 1
    assert attempt.end["error"]["value"].endswith(f"type: {python} -m pip install ipykernel")


def test_a_broken_notebook_is_an_end(start: Callable[..., Attempt]) -> None:
    """An engine that can't read what it is given says so in the journal."""
    attempt = start("1", notebook="/no/notebook.ipynb")
    assert attempt.wait() == 1
    assert (attempt.end["status"], attempt.end["error"]["name"]) == ("failed", "FileNotFoundError")
