"""SIGKILL at random instants: the executed notebook is valid, and nothing that was shown is lost.

The notebook prints, writes to stderr, displays, updates and plots. After each of these has come
back it notes that in a file of its own, which is what the composed notebook is held against. How
many instants for each engine: `NBBG_KILLS`.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import time
import uuid
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

from nbbg import files, journal, model, paths, process
from nbbg.engines import commands
from nbbg.store import batches, composed, locks, place, runs
from tests.project import PYTHON, notebook
from tests.records import a_draft, an_arm, make_store

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, Any]
KILLS = int(os.environ.get("NBBG_KILLS", "4"))
SEED = int(os.environ.get("NBBG_KILLS_SEED", "7"))
PATIENCE = 60.0
CELLS = 4  # that print, after the first
PREPARE = """
import itertools, os, sys
import matplotlib.pyplot as plt
from IPython.display import HTML, display

steps = itertools.count()
done = os.open(os.environ["DONE"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

def note(kind, step):
    os.write(done, f"{kind} {step}\\n".encode())
"""
WORK = """
bar = display(HTML("<bar -1>"), display_id="bar CELL")
note("bar", -1)
for step in itertools.islice(steps, 50):
    print(f"<out {step}>")
    note("out", step)
    print(f"<err {step}>", file=sys.stderr)
    note("err", step)
    bar.update(HTML(f"<bar {step}>"))
    note("updated", step)
    display(HTML(f"<show {step}>"))
    note("show", step)
    if step % 25 == 7:
        plt.figure(figsize=(2, 1))
        plt.plot([step, 1])
        plt.show()
        note("plot", step)
"""
TOKEN = re.compile(r"<(\w+) (-?\d+)>")


class Attempt:
    """One attempt of the notebook, started as the runner starts it."""

    def __init__(self, store: place.Store, batch: model.Batch) -> None:
        self.batch_folder = store.batch(batch.id)
        self.batch = batch
        number = runs.newest_attempt(store.run(batch.id, 1)) + 1
        self.folder = runs.new_attempt(store, batch.id, 1, number)
        planned = model.Planned(1, "train", 1, 1)
        self.run = runs.planned(store, batch, planned, number)
        self.marker = uuid.uuid4().hex
        self.done = self.folder / "done"
        self.engine = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        arm = self.run.arm
        lock = os.open(self.folder / paths.LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        assert locks.take(lock)
        spec = {
            "notebook": str(self.batch_folder / arm.frozen),
            "path": arm.notebook,
            "params": {},
            "lock_fd": lock,
            "results": [],
            "python": PYTHON,
            "kernel": "",
            "guest": str(self.batch_folder / paths.GUEST),
        }
        (self.folder / paths.ENGINE).write_text(json.dumps(spec))
        environment = {
            **{name: value for name, value in os.environ.items() if "PYTEST" not in name},
            "IPYTHONDIR": str(self.batch_folder / "ipython"),
            "MPLBACKEND": "module://matplotlib_inline.backend_inline",
            "DONE": str(self.done),
            paths.MARKER: self.marker,
        }
        with open(self.folder / paths.LOG, "ab") as log:
            engine = subprocess.Popen(
                commands.argv(arm.engine, PYTHON, self.batch_folder, self.folder),
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[lock],
                start_new_session=True,
            )
        os.close(lock)
        return engine

    def kill(self, *, engine: bool) -> None:
        """SIGKILL to every process that executes cells, and to what speaks to a kernel."""
        kernels = [p.identity for p in process.processes() if p.parent == self.engine.pid]
        for who in kernels:
            process.send(who, signal.SIGKILL)
        if engine or not kernels:
            self.engine.kill()
        self.engine.wait(PATIENCE)

    def clean(self) -> None:
        """Nothing of it goes on."""
        process.end_tree([self.engine.pid], self.marker, self.engine.pid, 0)
        self.engine.wait()

    def noted(self) -> list[tuple[str, str]]:
        """What the notebook knows to have shown: kind and step."""
        text = self.done.read_text() if self.done.exists() else ""
        lines = text.splitlines()
        return [(kind, step) for kind, step in map(str.split, lines)]

    def composed(self) -> Json:
        """The executed notebook, as a file that was read back."""
        made = composed.to_bytes(composed.compose(self.batch_folder, self.batch, self.run))
        read: Json = json.loads(made)
        return read


@pytest.fixture(scope="module", params=["ipython", "kernel"])
def batch(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[place.Store, model.Batch]:
    """A batch of the notebook, for one engine."""
    store = make_store(tmp_path_factory.mktemp(request.param))
    cells = [PREPARE, *(WORK.replace("CELL", str(cell)) for cell in range(CELLS))]
    content = {"frozen/train.ipynb": json.dumps(notebook(*cells)).encode(), **commands.guest()}
    arm = an_arm(engine=request.param, python=PYTHON)
    made = batches.publish(store, lambda number, first: a_draft(number, first, [1], arm, content))
    assert made is not None
    return store, made


@pytest.fixture
def attempt(batch: tuple[place.Store, model.Batch]) -> Iterator[Attempt]:
    """One attempt."""
    made = Attempt(*batch)
    yield made
    made.clean()


@pytest.mark.parametrize("instant", range(KILLS))
def test_nothing_that_was_shown_is_lost(attempt: Attempt, instant: int) -> None:
    """All outputs that came back before the SIGKILL are there, in order, each in its cell."""
    chance = random.Random(f"{SEED} {attempt.run.arm.engine} {instant}")  # noqa: S311
    everything = CELLS * (50 * 4 + 2 + 1)
    wait_for_notes(attempt, chance.randrange(everything))
    time.sleep(chance.random() / 100)
    attempt.kill(engine=chance.random() < 0.5)
    noted = attempt.noted()
    executed = attempt.composed()
    nbformat.validate(nbformat.from_dict(executed))
    check_tokens(executed, noted)
    check_updates(executed, noted)
    check_log(attempt, executed)


def wait_for_notes(attempt: Attempt, count: int) -> None:
    """Until the notebook has noted so much, or is through."""
    deadline = time.monotonic() + PATIENCE
    while attempt.engine.poll() is None and len(attempt.noted()) <= count:
        assert time.monotonic() < deadline, attempt.noted()[-3:]
        time.sleep(0.001)


def check_tokens(executed: Json, noted: list[tuple[str, str]]) -> None:
    """Each output once, in the order in which it was made; at most one that was not noted yet."""
    shown = [(kind, step) for kind, step in noted if kind != "updated"]
    found = [token for cell in executed["cells"] for token in tokens(cell)]
    assert found[: len(shown)] == shown
    assert len(found) <= len(shown) + 1
    per_cell = [len(tokens(cell)) for cell in executed["cells"]]
    full = 2 + 50 * 3 + 1  # the bar, the outputs of 50 steps, two plots
    begun = [count for count in per_cell[1:] if count]
    assert per_cell[0] == 0
    assert begun[:-1] == [full] * (len(begun) - 1)


def tokens(cell: Json) -> list[tuple[str, str]]:
    """What a cell shows: kind and step."""
    found: list[tuple[str, str]] = []
    for output in cell["outputs"]:
        found += _stream(output) if output["output_type"] == "stream" else _display(output, found)
    return found


def _stream(output: Json) -> list[tuple[str, str]]:
    found = TOKEN.findall(output["text"])
    kinds = {kind for kind, _ in found}
    assert len(kinds) <= 1 or (output["name"] == "stdout" and len(found) == 2), output
    if len(found) > 1 or output["name"] == "stderr":
        assert output["name"] == {"out": "stdout", "err": "stderr"}[found[0][0]], output
    return found


def _display(output: Json, before: list[tuple[str, str]]) -> list[tuple[str, str]]:
    if "image/png" in output["data"]:
        return [("plot", before[-1][1])]
    ((kind, step),) = TOKEN.findall(output["data"]["text/html"])
    return [(kind, "-1" if kind == "bar" else step)]


def check_updates(executed: Json, noted: list[tuple[str, str]]) -> None:
    """The last update that came back, or one more."""
    steps = [-1, *(int(step) for kind, step in noted if kind == "updated")]
    for number, cell in enumerate(executed["cells"][1:]):
        bars = [each["data"]["text/html"] for each in cell["outputs"] if is_bar(each)]
        mine = [-1, *(step for step in steps if number * 50 <= step < (number + 1) * 50)]
        following = number * 50 if mine[-1] < 0 else mine[-1] + 1
        assert not bars or bars in ([f"<bar {mine[-1]}>"], [f"<bar {following}>"])


def is_bar(output: Json) -> bool:
    """Whether it is what is updated."""
    return "<bar " in output.get("data", {}).get("text/html", "")


def check_log(attempt: Attempt, executed: Json) -> None:
    """All that the log holds since the first cell is in the notebook, in its order."""
    with files.Folder(attempt.folder) as folder:
        first = journal.first(journal.read(folder, paths.CELLS), "cell")
        log = folder.read(paths.LOG) or b""
    if first is not None:
        outputs = (output for cell in executed["cells"] for output in cell["outputs"])
        text = "".join(each["text"] for each in outputs if each["output_type"] == "stream")
        assert text == log[first["log"] :].decode()
