"""The `ipython` engine, started as the runner starts it: what its journal, log and files say."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from nbbg import files, journal, paths
from nbbg.engines import commands
from nbbg.engines.ipython import run
from nbbg.store import locks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Json = dict[str, Any]
PATIENCE = 30.0  # seconds for what must come
LONG = 60  # seconds that a cell would take, if nobody ended it
SECRET = "correct-horse-battery"


def notebook(*cells: str | tuple[str, str]) -> Json:
    """A notebook of code cells, some with a tag, after a cell of text."""
    made: list[Json] = [{"cell_type": "markdown", "id": "text", "metadata": {}, "source": "# Hm"}]
    for number, cell in enumerate(cells):
        source, tag = cell if isinstance(cell, tuple) else (cell, "")
        made.append(
            {
                "cell_type": "code",
                "id": f"c{number}",
                "metadata": {"tags": [tag]} if tag else {},
                "source": source,
                "outputs": [],
                "execution_count": None,
            }
        )
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": made}


class Attempt:
    """An attempt's folder, as the runner makes it for the engine."""

    def __init__(self, folder: Path, guest: Path, cells: Json, **spec: Any) -> None:
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True)
        frozen = folder.parent / f"{folder.name}.frozen"
        frozen.write_text(json.dumps(cells))
        self.spec = {
            "notebook": str(frozen),
            "path": "train.ipynb",
            "params": {},
            "lock_fd": -1,
            "results": [],
            "engine": "ipython",
            "python": sys.executable,
            "kernel": "",
            "guest": str(guest),
            **spec,
        }

    def start(self, **environment: str) -> None:
        """Start the engine; it has the lock, and the log as its standard streams."""
        lock = os.open(self.folder / paths.LOCK, os.O_RDWR | os.O_CREAT)
        assert locks.take(lock)
        self.write_spec(lock_fd=lock)
        with open(self.folder / paths.LOG, "ab") as log:
            self.process = subprocess.Popen(
                [self.spec["python"], "-u", self.spec["guest"], str(self.folder)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[lock],
                cwd=self.folder.parent,
                env={**os.environ, **environment},
                start_new_session=True,
            )
        os.close(lock)

    def write_spec(self, **more: Any) -> None:
        """Write `engine.json`."""
        (self.folder / paths.ENGINE).write_text(json.dumps({**self.spec, **more}))

    def wait(self) -> int:
        """The engine's wait status."""
        assert self.process is not None
        return self.process.wait(PATIENCE)

    def signal(self, number: int) -> None:
        """What a stop sends: to the whole process group."""
        assert self.process is not None
        os.killpg(self.process.pid, number)

    def wait_for(self, text: bytes) -> None:
        """Wait until the log holds it."""
        until = time.monotonic() + PATIENCE
        while text not in self.log:
            assert time.monotonic() < until, self.log
            time.sleep(0.01)

    def close(self) -> None:
        """Nothing that was started goes on."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    @property
    def log(self) -> bytes:
        """The log as it is now."""
        return (self.folder / paths.LOG).read_bytes()

    def events(self, *kinds: str) -> list[Json]:
        """The journal's events of these kinds."""
        with files.Folder(self.folder) as folder:
            found = journal.read(folder, paths.CELLS)
        return [event for event in found if event["event"] in kinds]

    @property
    def end(self) -> Json:
        """The journal's end."""
        (end,) = self.events("end")
        return end

    @property
    def outputs(self) -> list[Json]:
        """What was displayed, errors included, in order."""
        return [event["output"] for event in self.events("display")]

    @property
    def errors(self) -> list[str]:
        """The names of the exceptions that were shown."""
        return [each["ename"] for each in self.outputs if each["output_type"] == "error"]

    @property
    def texts(self) -> list[str]:
        """The plain text of what was displayed."""
        return [each["data"]["text/plain"] for each in self.outputs if "data" in each]

    @property
    def stderr(self) -> bytes:
        """The bytes of the log that the journal calls standard error."""
        log = self.log
        return b"".join(log[slice(*event["log"])] for event in self.events("stream"))

    @property
    def statuses(self) -> list[str]:
        """How each cell ended."""
        return [event["status"] for event in self.events("cell_end")]

    def result(self, name: str) -> bytes:
        """A result's file."""
        return (self.folder / paths.RESULTS / name).read_bytes()


@pytest.fixture(scope="session")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a batch carries of nbbg."""
    batch = tmp_path_factory.mktemp("batch")
    for name, content in commands.guest().items():
        path = batch / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return batch / paths.GUEST


@pytest.fixture
def attempt(
    tmp_path: Path, guest: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Attempt]]:
    """Make an attempt of cells; keywords go into `engine.json`."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.delenv("MPLBACKEND", raising=False)
    made: list[Attempt] = []

    def make(*cells: str | tuple[str, str], **spec: Any) -> Attempt:
        folder = tmp_path / "runs" / str(len(made) + 1)
        made.append(Attempt(folder, guest, notebook(*cells), **spec))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def executed(attempt: Callable[..., Attempt]) -> Callable[..., Attempt]:
    """Make an attempt and wait until its engine has ended."""

    def execute(*cells: str | tuple[str, str], **spec: Any) -> Attempt:
        made = attempt(*cells, **spec)
        made.start()
        made.wait()
        return made

    return execute


def test_a_notebook_that_succeeds(executed: Callable[..., Attempt]) -> None:
    """Cells are executed in order; text, values and counts stand where Jupyter puts them."""
    done = executed("print('one')", "", "x = 6 * 7\nx", "In[2], Out[2], _", "x;")
    assert done.log == b"one\n"
    assert [event["cells"] for event in done.events("begin")] == [5]
    cells = [(each["cell"], each["ordinal"], each["count"]) for each in done.events("cell")]
    assert cells == [(1, 1, 1), (3, 3, 2), (4, 4, 3), (5, 5, 4)]
    assert done.statuses == ["ok", "skipped", "ok", "ok", "ok"]
    assert done.outputs[0] == {
        "output_type": "execute_result",
        "execution_count": 2,
        "data": {"text/plain": "42"},
        "metadata": {},
    }
    assert done.texts == ["42", r"('x = 6 * 7\nx', 42, 42)"]
    assert (done.end["status"], done.end["ordinal"], done.end["left_out"]) == ("succeeded", 5, [])
    assert done.wait() == 0


def test_an_exception_ends_it(executed: Callable[..., Attempt]) -> None:
    """The first error ends the notebook; its traceback names the cell and its line."""
    done = executed("def f():\n    return 1 / 0", "print('before')\nf()", "print('never')", "")
    assert done.wait() == 1
    assert done.log == b"before\n"
    assert done.end["status"] == "failed"
    assert done.end["ordinal"] == 2
    assert done.end["error"] == {"name": "ZeroDivisionError", "value": "division by zero"}
    assert done.end["left_out"] == [3]
    (error,) = done.outputs
    assert (error["ename"], error["evalue"]) == ("ZeroDivisionError", "division by zero")
    assert "return 1 / 0" in plain("\n".join(error["traceback"]))
    assert done.statuses == ["ok", "error"]


def plain(text: str) -> str:
    """Without colours."""
    return "".join(
        part.partition("m")[2] if at else part for at, part in enumerate(text.split("\x1b"))
    )


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("x = = 1", "SyntaxError"),
        ("%nosuchmagic", "UsageError"),
        ("raise BaseExceptionGroup('both', [ValueError(1), KeyError(2)])", "ExceptionGroup"),
        ("class A:\n    def __repr__(self): raise ValueError('bad')\nA()", "ValueError"),
        ("%%capture\n1 / 0", "ZeroDivisionError"),
        ("%%writefile bad.py\nimport nosuchmodule", "ModuleNotFoundError"),
        ("import pdb; pdb.set_trace()", "StdinNotImplementedError"),
    ],
)
def test_whatever_goes_wrong_in_a_cell_is_its_error(
    executed: Callable[..., Attempt], source: str, name: str
) -> None:
    """IPython shows some errors as text, and takes some for successes; the record does neither."""
    done = executed(source, *(["%run bad.py"] if "bad.py" in source else []), "print('never')")
    assert (done.end["status"], done.end["error"]["name"]) == ("failed", name)
    assert done.errors == [name]
    assert b"never" not in done.log


def test_tags(executed: Callable[..., Attempt]) -> None:
    """`raises-exception` lets a cell raise and `skip-execution` leaves it out, as in Jupyter."""
    done = executed(("1 / 0", "raises-exception"), ("boom", "skip-execution"), "print('on')")
    assert done.statuses == ["error", "skipped", "ok"]
    assert done.errors == ["ZeroDivisionError"]
    assert done.end["status"] == "succeeded"
    assert done.log == b"on\n"


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("import sys; sys.exit(0)", 0),
        ("import sys; sys.exit()", 0),
        ("exit", 0),
        ("%%capture\nquit()", 0),
        ("import sys; sys.exit(3)", 3),
        ("quit(4)", 4),
        ("raise SystemExit(-1)", 255),
        ("import sys; sys.exit('because')", 1),
        ("import asyncio; await asyncio.sleep(0); exit(5)", 5),
    ],
)
def test_a_notebook_that_ends_itself(
    executed: Callable[..., Attempt], source: str, code: int
) -> None:
    """`sys.exit` and its like end the notebook with the code that a shell would see."""
    done = executed("x = 1", source, "print('never')", ("1", "skip-execution"), results=["x"])
    assert done.wait() == code
    end = done.end
    assert (end["status"], end["ordinal"], end["exit_code"]) == ("exited", 2, code)
    assert end["left_out"] == [3]
    assert done.errors == (["SystemExit"] if code else [])
    assert done.log == (b"because\n" if "because" in source else b"")
    assert (done.folder / paths.RESULTS / "x.json").exists() == (code == 0)


@pytest.mark.parametrize(
    ("source", "status", "text"),
    [
        ("import os; os._exit(5)", 5, b""),
        ("import ctypes; ctypes.string_at(0)", -signal.SIGSEGV, b"Fatal Python error"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL, b""),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM, b""),
    ],
)
def test_a_death_in_mid_cell(
    executed: Callable[..., Attempt], source: str, status: int, text: bytes
) -> None:
    """Exit, crash and signal leave the outputs up to that instant, and no end in the journal."""
    done = executed(f"import sys\nprint('out')\nprint('err', file=sys.stderr)\n{source}", "1")
    assert done.wait() == status
    assert done.log.startswith(b"out\nerr\n")
    assert text in done.log
    assert done.stderr == b"err\n"
    assert not done.events("end", "cell_end")


@pytest.mark.parametrize(
    "source",
    [
        f"import time\ntry:\n    time.sleep({LONG})\nfinally:\n    print('finally')",
        f"import asyncio\ntry:\n    await asyncio.sleep({LONG})\nfinally:\n    print('finally')",
        "try:\n    while True: sum(range(99))\nfinally: print('finally')",
        f"%%time\nimport time\ntry: time.sleep({LONG})\nfinally: print('finally')",
        f"!trap 'echo finally; exit 1' INT; sleep {LONG}",
        f"%%bash\nsleep {LONG}",
        f"x = !sleep {LONG}",
        f"%%capture\n!sleep {LONG}",
    ],
)
def test_an_interrupt(attempt: Callable[..., Attempt], source: str) -> None:
    """SIGINT is a KeyboardInterrupt in whatever the cell does; `finally` runs; nothing goes on."""
    running = attempt("print('ready')", source, "print('never')")
    running.start()
    running.wait_for(b"ready")
    while len(running.events("cell")) < 2:
        time.sleep(0.01)
    time.sleep(1)  # the cell's own statement is reached
    running.signal(signal.SIGINT)
    assert running.wait() == 130
    end = running.end
    assert (end["status"], end["ordinal"], end["left_out"]) == ("interrupted", 2, [3])
    assert end["error"]["name"] == "KeyboardInterrupt"
    assert running.errors in (["KeyboardInterrupt"], ["CancelledError"])
    assert running.statuses == ["ok", "error"]
    assert ("finally" not in source) or b"finally" in running.log
    assert b"never" not in running.log


def test_an_interrupt_that_the_notebook_handles(attempt: Callable[..., Attempt]) -> None:
    """Training that stops early at a KeyboardInterrupt goes on with its next cells."""
    running = attempt(
        f"import time\nprint('ready')\ntry: time.sleep({LONG})\nexcept KeyboardInterrupt: pass",
        "print('saved')",
    )
    running.start()
    running.wait_for(b"ready")
    time.sleep(0.1)
    running.signal(signal.SIGINT)
    assert running.wait() == 0
    assert running.log == b"ready\nsaved\n"


def test_a_hangup_is_ignored(attempt: Callable[..., Attempt]) -> None:
    """The terminal may go away."""
    running = attempt("import time\nprint('ready')\ntime.sleep(0.3)\nprint('still here')")
    running.start()
    running.wait_for(b"ready")
    running.signal(signal.SIGHUP)
    assert running.wait() == 0
    assert b"still here" in running.log


def test_ranges_beside_a_flooding_child(executed: Callable[..., Attempt]) -> None:
    """Every byte of standard error is named, and no other, while a child floods the same log."""
    done = executed(
        "import subprocess, sys, threading\n"
        "child = subprocess.Popen(['sh', '-c', 'while :; do echo flood; done'])\n"
        "def talk():\n"
        "    for i in range(2000):\n"
        "        sys.stderr.write(f'<e{i}>'); sys.stdout.write(f'<o{i}>')\n"
        "threads = [threading.Thread(target=talk) for _ in range(2)]\n"
        "for thread in threads: thread.start()\n"
        "for thread in threads: thread.join()\n"
        "child.kill(); child.wait()"
    )
    counts: dict[bytes, int] = defaultdict(int)
    log = done.log
    for event in done.events("stream"):
        counts[log[slice(*event["log"])]] += 1
    assert counts == {f"<e{i}>".encode(): 2 for i in range(2000)}
    assert all(log.count(f"<o{i}>".encode()) == 2 for i in range(2000))
    assert b"flood" in log


def test_streams_are_what_programs_expect(executed: Callable[..., Attempt]) -> None:
    """Text and bytes, logging, warnings and odd characters arrive; each stream has its number."""
    done = executed(
        "import io, logging, sys, warnings\n"
        "out, err = sys.stdout, sys.stderr\n"
        "out.buffer.write(b'raw ')\n"
        "print(out.encoding, out.isatty(), out.fileno(), err.fileno())\n"
        "print('\\udcff', 'é')\n"
        "logging.warning('logged'); warnings.warn('warned')",
        "sys.stdout.reconfigure(line_buffering=True)\n"
        "sys.stdout = io.TextIOWrapper(sys.stdout.buffer, 'utf-8')\n"
        "print('wrapped anew', flush=True)",
        "!echo from a child",
    )
    assert done.log.startswith(b"raw utf-8 False 1 2\n\\udcff \xc3\xa9\n")
    assert done.stderr.startswith(b"WARNING:root:logged\n")
    assert b"UserWarning: warned" in done.stderr
    assert done.log.endswith(b"wrapped anew\nfrom a child\n")


def test_a_full_disk_never_raises(executed: Callable[..., Attempt]) -> None:
    """Where the log can't grow the notebook goes on, and is recorded again when it can."""
    done = executed(
        "import resource, sys\n"
        "print('before')\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (7, resource.RLIM_INFINITY))\n"
        "print('lost'); print('lost', file=sys.stderr); display('lost')",
        "resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))\nprint('after')",
    )
    assert done.wait() == 0
    assert done.log == b"before\nafter\n"
    assert done.end["status"] == "succeeded"


def test_secrets_are_masked(attempt: Callable[..., Attempt]) -> None:
    """A secret of the environment is in none of the files, neither printed, shown nor raised."""
    running = attempt(
        "import os\nos.environ['LATE_PASSWORD'] = 'tr0ub4dor&3'",
        "import sys\nprint(os.environ['MY_TOKEN'], file=sys.stderr); print(dict(os.environ))",
        "display({'data': os.environ['MY_TOKEN'].encode()})\ndict(os.environ)",
        "raise ValueError(os.environ['MY_TOKEN'], os.environ['LATE_PASSWORD'])",
    )
    running.start(MY_TOKEN=SECRET)
    running.wait()
    recorded = running.log + (running.folder / paths.CELLS).read_bytes()
    assert SECRET.encode() not in recorded
    assert recorded.count(b"*" * len(SECRET)) >= 4
    assert b"tr0ub4dor&3" not in recorded.partition(b"LATE_PASSWORD")[2]
    assert "*" * len(SECRET) in running.end["error"]["value"]


def test_displays(executed: Callable[..., Attempt]) -> None:
    """`display`, its updates and `clear_output` are recorded where the log stands."""
    done = executed(
        "from IPython.display import HTML, clear_output, display\n"
        "print('12')\n"
        "handle = display(HTML('<b>x</b>'), display_id='h')\n"
        "handle.update({'now': float('nan')})\n"
        "clear_output(wait=True)\n"
        "display(b'bytes', raw=False, metadata={'k': 1})\n"
        "display({'image/png': b'PNG', 'application/json': {'a': (1, 2)}}, raw=True)"
    )
    html, shown, raw = done.events("display")
    assert html["output"]["data"]["text/html"] == "<b>x</b>"
    assert (html["display_id"], html["log"]) == ("h", 3)
    (update,) = done.events("update")
    assert (update["display_id"], update["data"]) == ("h", {"text/plain": "{'now': nan}"})
    (clear,) = done.events("clear")
    assert (clear["wait"], clear["log"]) == (True, 3)
    assert shown["output"]["output_type"] == "display_data"
    assert raw["output"]["data"] == {"image/png": "UE5H", "application/json": {"a": [1, 2]}}


def test_figures(executed: Callable[..., Attempt]) -> None:
    """Figures are shown at the cell's end or at `show`, with `%matplotlib inline` and without."""
    done = executed(
        "import matplotlib.pyplot as plt\nplt.plot([1, 2]);",
        "%matplotlib inline\nplt.plot([2, 1])\nplt.show()\nprint('after')",
    )
    kinds = [each["output_type"] for each in done.outputs]
    assert kinds == ["display_data", "display_data"]
    assert all(each["data"]["image/png"].startswith("iVBORw0KGgo") for each in done.outputs)
    assert [each["log"] for each in done.events("display")] == [0, 0]
    assert done.end["status"] == "succeeded"


def test_magics(executed: Callable[..., Attempt]) -> None:
    """Magics and commands do what they do in Jupyter; their output stands in their cell."""
    done = executed(
        "a = 'one'\n!echo $a {a}; echo two >&2; exit 3",
        "_exit_code",
        "%%bash -s $a\necho $1",
        "%%capture kept\n!echo inside\nprint('too')\n1 + 1",
        "kept.stdout",
        "x = !echo 1; echo 2\nx",
        "%%time\n3",
        "%%writefile my.py\nlocal = 4",
        "import my\n%load_ext autoreload\n%config IPCompleter.use_jedi = False\nmy.local",
        "%who_ls str",
        "len?",
        "print(_exit_code)\n!kill -9 $$",
        "_exit_code",
    )
    assert done.end["status"] == "succeeded", done.outputs
    texts = [plain(text) for text in done.texts]
    assert texts[:6] == ["3", r"'inside\ntoo\n'", "['1', '2']", "3", "4", "['a']"]
    assert "Return the number of items" in texts[6]
    assert texts[7] == "-9"
    assert done.log.startswith(b"one one\ntwo\none\n")
    assert b"Wall time" in done.log


def test_await(executed: Callable[..., Attempt]) -> None:
    """`await` works at the top level; a cell finds a running loop, and one for all cells."""
    done = executed(
        "import asyncio\nasync def five():\n    await asyncio.sleep(0)\n    return 5",
        "task = asyncio.create_task(five())",
        "await task",
        "async with asyncio.timeout(1):\n    print(await five())",
        "forgotten = asyncio.create_task(asyncio.sleep(60))",
    )
    assert done.texts == ["5"]
    assert done.log == b"5\n"
    assert done.wait() == 0


def test_a_notebook_that_runs_its_own_loop(executed: Callable[..., Attempt]) -> None:
    """What a script does, `asyncio.run`, is possible too, beside what Jupyter offers."""
    done = executed(
        "import asyncio\nasync def f(): return 5\nasyncio.run(f())",
        "task = asyncio.create_task(f())\nasyncio.get_event_loop().run_until_complete(task)",
        "await f()",
    )
    assert done.texts == ["5", "5", "5"]


@pytest.mark.parametrize("ask", ["input('name? ')", "import getpass\ngetpass.getpass()"])
def test_nobody_is_there_to_type(executed: Callable[..., Attempt], ask: str) -> None:
    """A question ends the run at once, with a sentence that says what to do instead."""
    done = executed(ask)
    assert done.end["error"]["name"] == "StdinNotImplementedError"
    assert "make it a parameter" in done.end["error"]["value"]


def test_parameters(executed: Callable[..., Attempt]) -> None:
    """Parameters stand in a cell of their own, which is executed and counted."""
    done = executed(
        ("lr = 1", "parameters"), "lr, name", params={"lr": float("nan"), "name": "it's"}
    )
    assert done.texts == ['(nan, "it\'s")']
    assert [event["cell"] for event in done.events("cell")] == [1, 2, 3]


def test_results(executed: Callable[..., Attempt]) -> None:
    """Variables are kept: as JSON where it holds them exactly, else pickled, else left out."""
    pickled = ["pair", "keys", "frame", "round_about"]
    done = executed(
        "plain = {'a': [1, 2.5, None, True, 'é']}; nan = float('nan'); pair = (1, 2)\n"
        "keys = {1: 2}; open_file = open('/dev/null'); round_about = []\n"
        "round_about.append(round_about)\n"
        "import pandas\nframe = pandas.DataFrame({'x': [1, 2]})",
        results=["plain", "nan", "open_file", "nosuch", *pickled],
    )
    assert done.end["status"] == "succeeded"
    assert json.loads(done.result("plain.json")) == {"a": [1, 2.5, None, True, "é"]}
    assert done.result("nan.json") == b"NaN"
    unpickled = {name: pickle.loads(done.result(f"{name}.pickle")) for name in pickled}  # noqa: S301
    assert (unpickled["pair"], unpickled["keys"]) == ((1, 2), {1: 2})
    assert unpickled["frame"].x.sum() == 3
    kept = {path.stem for path in (done.folder / paths.RESULTS).iterdir()}
    assert kept == {"plain", "nan", "open_file", *pickled}
    assert b"the result 'open_file' was not kept: TypeError" in done.stderr


def test_a_notebook_is_main(executed: Callable[..., Attempt]) -> None:
    """Classes of a cell can be pickled, functions have a source, the path is as in Jupyter."""
    done = executed(
        "import dataclasses, inspect, pickle, sys\n@dataclasses.dataclass\nclass P:\n    x: int",
        "pickle.loads(pickle.dumps(P(3)))",
        "def f():\n    return 1",
        "print(inspect.getsource(f))",
        "main = sys.modules['__main__']\n"
        "'' in sys.path, sys.argv, __name__, '__file__' in globals(), main.P is P",
        "print(inspect.getsource(P))",
        "import nbbg\nnbbg.__file__.startswith(sys.path[-1])",
    )
    assert done.texts == [
        "P(x=3)",
        "(True, ['train.ipynb'], '__main__', False, True)",
        "True",
    ]
    assert done.log == (
        b"def f():\n    return 1\n\n@dataclasses.dataclass\nclass P:\n    x: int\n\n"
    )


def test_a_neighbour_is_no_module_of_python(executed: Callable[..., Attempt]) -> None:
    """What lies beside the notebook can be imported, and does not stand before Python's own."""
    done = executed(
        "for name in ('queue', 'mine'): open(f'{name}.py', 'w').write('x = 1')",
        "import mine, queue\nmine.x, hasattr(queue, 'Queue')",
    )
    assert done.texts == ["(1, True)"]


def test_a_notebook_is_recognised_as_one(executed: Callable[..., Attempt]) -> None:
    """Libraries that ask where they are take a run for a notebook: pandas leaves columns out."""
    done = executed(
        "import pandas\npandas.get_option('display.max_columns')",
        "shell = get_ipython()\ntype(shell).__name__, hasattr(shell, 'kernel'), shell.kernel",
    )
    assert done.texts == ["20", "('ZMQInteractiveShell', True, None)"]


def test_an_error_names_its_cell_and_not_the_engine(executed: Callable[..., Attempt]) -> None:
    """A traceback has no frame of nbbg's; a SyntaxError names its cell."""
    done = executed(
        ("%%time\n1 / 0", "raises-exception"),
        ("%%bash\nexit 3", "raises-exception"),
        ("input()", "raises-exception"),
        "1\nx = = 1",
    )
    assert "nbbg/" not in plain("".join("\n".join(each["traceback"]) for each in done.outputs))
    assert done.errors == [
        "ZeroDivisionError",
        "CalledProcessError",
        "StdinNotImplementedError",
        "SyntaxError",
    ]
    assert done.end["error"]["value"] == "invalid syntax (Cell In[4], line 2)"


def test_a_breakpoint_is_passed_by(executed: Callable[..., Attempt]) -> None:
    """A forgotten `breakpoint()` is said once, and the notebook goes on."""
    done = executed("for i in range(3): breakpoint()\nprint('on')")
    assert done.end["status"] == "succeeded"
    assert done.log.count(b"breakpoint() is passed by") == 1
    assert done.log.endswith(b"\non\n")


def test_a_script_that_leaves(executed: Callable[..., Attempt]) -> None:
    """The `sys.exit(3)` of a script in %run is an error of its cell, not the notebook's end."""
    leave = "import sys\nopen('leaves.py', 'w').write('import sys; sys.exit(%d)')"
    cells = [leave % 0 + "\n%run leaves.py", leave % 3 + "\n%run leaves.py\nprint('rest')"]
    done = executed(cells[0], (cells[1], "raises-exception"), cells[1], "print('never')")
    assert done.statuses == ["ok", "error", "error"]
    assert done.log == b"rest\nrest\n"
    assert (done.end["status"], done.end["error"]["name"]) == ("failed", "SystemExit")


def test_processes_of_the_notebook(executed: Callable[..., Attempt]) -> None:
    """Pools work, forked and spawned; a child that a cell forks never executes later cells."""
    done = executed(
        "import multiprocessing as mp, os, sys\n"
        "def f(x):\n    print('child', file=sys.stderr)\n    display(x)\n    return x + 1",
        "with mp.get_context('fork').Pool(1) as pool: print(pool.map(f, [1]))",
        "with mp.get_context('spawn').Pool(1) as pool: print(pool.map(os.path.basename, ['/a']))",
        "pid = os.fork()\nif not pid: sys.exit(7)\nprint(os.waitpid(pid, 0)[1] >> 8)",
        "print('once')",
    )
    assert done.log == b"child\n1\n[2]\n['a']\n7\nonce\n"
    assert done.events("stream", "display") == []
    assert done.statuses == ["ok"] * 5


@pytest.mark.parametrize("how", ["spawn", "forkserver"])
def test_spawned_processes_know_the_notebook(executed: Callable[..., Attempt], how: str) -> None:
    """A Pool of spawned processes executes what cells define; no cell is executed anew."""
    done = executed(
        "from __future__ import annotations\nimport dataclasses, multiprocessing as mp\nUNIT = 10\n"
        "@dataclasses.dataclass\nclass P:\n    x: int\nprint('executed in', __name__)",
        f"how = mp.get_context('{how}')\ndef work(x): return P(x * UNIT)\n"
        "with how.Pool(2) as pool: print(pool.map(work, [1, 2]))",
        "%%time\ndef later(p): return p.x + 1\n"
        "with how.Pool(1) as pool: print(pool.map(later, [P(1)]))",
    )
    said = "executed in __main__\n[P(x=10), P(x=20)]\n[2]\nCPU times"
    assert done.log.decode().startswith(said)


def test_what_a_spawned_process_can_not_know(executed: Callable[..., Attempt]) -> None:
    """A Pool does not wait for ever: a sentence says what a spawned process has not."""
    done = executed(
        "import multiprocessing as mp\ndef make():\n    def f(x): return x\n"
        "    f.__qualname__ = 'made'\n    return f\nmade = make()",
        "with mp.get_context('spawn').Pool(1) as pool: pool.map(made, [1])",
    )
    assert done.end["error"]["name"] == "NameError"
    assert "'made' is not known in a spawned process" in done.end["error"]["value"]


def test_no_child_keeps_the_lock(executed: Callable[..., Attempt]) -> None:
    """When the engine is gone its lock is free, whatever it left behind."""
    done = executed(
        "import multiprocessing as mp, os, subprocess, time\n"
        f"left = [mp.get_context(how).Process(target=time.sleep, args=({LONG},))\n"
        "        for how in ('fork', 'spawn')]\n"
        "for each in left: each.start()\n"
        f"subprocess.Popen(['sleep', '{LONG}'], close_fds=False)\n"
        f"os.system('sleep {LONG} &')\n"
        "os._exit(0)"
    )
    with open(done.folder / paths.LOCK) as lock:
        assert not locks.is_held(lock.fileno())
    done.signal(0)  # they live


def test_the_interpreter_ends_as_it_should(executed: Callable[..., Attempt]) -> None:
    """Threads are waited for and exit handlers run; what they print is in the log."""
    done = executed(
        "import atexit, threading, time\n"
        "atexit.register(lambda: print('at exit', x))\n"
        "x = 1\n"
        "threading.Thread(target=lambda: (time.sleep(0.2), print('thread'))).start()"
    )
    assert done.log == b"thread\nat exit 1\n"
    assert done.end["status"] == "succeeded"


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"notebook": "/nosuch.ipynb"}, "train.ipynb: [Errno 2] No such file"),
        ({"params": {"a b": 1}}, "train.ipynb: 'a b' can't be the name of a parameter"),
    ],
)
def test_an_engine_that_can_not_start(
    executed: Callable[..., Attempt], spec: Json, text: str
) -> None:
    """What keeps the engine from its work is one sentence, in the record and in the log."""
    done = executed("1", **spec)
    assert done.wait() == 1
    assert done.end["status"] == "failed"
    assert text in done.end["note"]
    assert done.log.decode() == f"nbbg: {done.end['note']}\n"


def test_an_interpreter_without_ipython(attempt: Callable[..., Attempt], tmp_path: Path) -> None:
    """A sentence says what to type."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    running = attempt("1", python=str(tmp_path / "bare/bin/python"))
    running.start()
    assert running.wait() == 1
    note = running.end["note"]
    assert note.startswith("IPython can't be imported in ")
    assert note.endswith("bare/bin/python -m pip install 'ipython>=7.30'")


def test_a_home_that_takes_no_files(attempt: Callable[..., Attempt], tmp_path: Path) -> None:
    """IPython's own folder can't be made, and the notebook is executed all the same."""
    running = attempt("%cd -q /\n1 + 1")
    running.start(IPYTHONDIR="/proc/nosuch", TMPDIR=str(tmp_path))
    assert running.wait() == 0
    assert running.texts == ["2"]


def test_in_the_process_of_someone_who_watches(
    attempt: Callable[..., Attempt], capfd: pytest.CaptureFixture[str]
) -> None:
    """Inline, all is recorded and shown, and the process is afterwards what it was."""
    made = attempt(
        "import os, sys\nos.chdir('/')\nprint('out'); print('err', file=sys.stderr)\n!echo sh",
        "1",
        "1 / 0",
    )
    made.write_spec()
    before = surroundings()
    assert run(str(made.folder), terminal=True) == 1
    assert surroundings() == before
    shown = capfd.readouterr()
    assert shown.out.startswith("out\nsh\n1\n")
    assert "ZeroDivisionError" in shown.out
    assert shown.err == "err\n"
    assert made.log == b"out\nerr\nsh\n"
    assert made.stderr == b"err\n"
    assert made.end["error"]["name"] == "ZeroDivisionError"


def surroundings() -> list[object]:
    """What an inline run must leave as it was."""
    import builtins

    streams = [sys.stdout, sys.stderr, sys.displayhook, sys.excepthook, sys.modules["__main__"]]
    known = [list(sys.path), list(sys.argv), dict(os.environ), sorted(vars(builtins))]
    return [*streams, *known, Path.cwd(), hasattr(sys, "ps1"), signal.getsignal(signal.SIGINT)]
