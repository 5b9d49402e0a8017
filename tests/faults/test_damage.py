"""Any record of a store spoilt in any way: it is named, and all else is told as ever.

Each command runs in this very process, so that thousands can. `NBBG_DAMAGES=1` tries every damage
on every record, instead of a few that differ from record to record.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from nbbg import paths
from tests.faults import damage
from tests.project import PYTHON, Project, until
from tests.records import quick_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

EVERY = bool(os.environ.get("NBBG_DAMAGES"))
STATES = {1: "succeeded", 2: "failed", 3: "lost", 4: "stopped", 5: "succeeded"}
_READS = """\
status --json
status
show 1 2 3 4 5
logs 1
notebook 1 -o -
notebook 3 -o -
results
diff 1 5
wait 1 2 3 --timeout 0
run other.ipynb --dry-run"""
READS = tuple(tuple(line.split()) for line in _READS.splitlines())
CACHES = {paths.EVENTS, paths.GITIGNORE}  # what is wrong in them is read from the facts


@pytest.fixture(scope="module")
def store() -> Iterator[Path]:
    """A project with runs in all states, in three batches."""
    with quick_folder() as folder:
        root, home = folder / "project", folder / "home"
        for made in (root, root / ".git", home):
            made.mkdir()
        project = Project(root, home)
        fails = "import os\nif os.environ['RUN_NUMBER'] == '2': raise ValueError('bad')"
        project.write("train.ipynb", "import nbbg\nnbbg.log(loss=0.5)\nx = 3", fails)
        project.write("other.ipynb", "print('other')")
        project.write("long.ipynb", "import time\nprint('begun')\ntime.sleep(600)")
        project.nbbg("pair", "other.ipynb")
        project.nbbg("run", "train.ipynb", "--runs", "2", "--jobs", "2", "--results", "x")
        project.nbbg("run", "long.ipynb", "--runs", "2")
        project.nbbg("wait", "b1", code=1)
        project.until_running(3, "begun")
        project.nbbg("stop", "4")  # before there is room for it
        project.nbbg("jobs", "b2", "2")
        project.end_all()
        project.nbbg("run", "other.ipynb", "--wait")
        if project.attempt(4).is_dir():
            until(lambda: {run["id"]: run["state"] for run in project.runs()} == STATES)
        yield root


@pytest.fixture
def here(store: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder in which copies of it are made."""
    monkeypatch.setenv("HOME", str(store.parent / "home"))
    monkeypatch.setenv("NBBG_PYTHON", PYTHON)
    for name in ("XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(store)
    yield store.parent / "copy"
    shutil.rmtree(store.parent / "copy", ignore_errors=True)


def cases(store: Path) -> Iterator[tuple[Path, Callable[[Path], None]]]:
    """Which record is spoilt, and how."""
    for number, record in enumerate(damage.records(store)):
        if EVERY:
            yield from ((record, spoil) for spoil in damage.DAMAGES)
        elif paths.BATCHES in record.parts and "3" not in record.parts:
            for step in (0, 7):
                yield record, damage.DAMAGES[(number + step) % len(damage.DAMAGES)]


def check(root: Path, record: Path, how: str) -> None:
    """Read everything of the spoilt store."""
    before = damage.contents(root / paths.STORE)
    said = {words: damage.say(*words) for words in READS}
    for words, told in said.items():
        where = f"{record} {how}: {words} {told}"
        assert told.code in (0, 1, 2, 124), where
        assert len(told.err.splitlines()) <= 12, where
    assert damage.contents(root / paths.STORE) == before  # nothing reset, nothing overwritten
    told = said["status", "--json"]
    whole = "\n".join(map(str, said.values()))
    if record.name == paths.FORMAT and told.code == 2:
        assert str(root / record) in told.err
        return
    assert told.code == 0, f"{record} {how}: {told}"
    states = {run["id"]: run["state"] for run in damage.load(told.out)["runs"]}
    if "3" not in record.parts:
        assert states[5] == "succeeded", f"{record} {how}: {states}"
    for run, state in STATES.items():
        if states.get(run) != state:  # then it is not told otherwise, but as unknown, and named
            assert states.get(run) in (None, "unknown"), f"{record} {how}: {states}"
            assert record.name in whole, f"{record} {how}: {whole}"
            assert record.name not in CACHES, f"{record} {how}: {states}"


def test_a_spoilt_record_is_named_and_harms_no_other(store: Path, here: Path) -> None:
    """Truncated, emptied, garbage, unreadable, a folder, a link: named; the rest as it was."""
    count = 0
    for record, spoil in cases(store):
        root = damage.copy(store, here)
        (root / paths.STORE / paths.INDEX).unlink()
        spoil(root / record)
        os.chdir(root)
        with damage.as_anybody():
            check(root, record, spoil.__name__)
        os.chdir(store)
        shutil.rmtree(root)
        count += 1
    assert count > 50


@pytest.mark.parametrize("name", [paths.PLAN, paths.BATCH])
def test_nothing_is_started_beside_what_can_not_be_read(store: Path, here: Path, name: str) -> None:
    """Where the plan of a batch was cut, what asks for its runs is refused with its name."""
    root = damage.copy(store, here)
    os.chdir(root)
    record = root / paths.STORE / paths.BATCHES / "1" / name
    damage.truncate(record)
    (root / paths.STORE / paths.INDEX).unlink()
    for words in (("run", "train.ipynb", "--runs", "2"), ("stop", "b1"), ("retry", "b1")):
        told = damage.say(*words)
        assert told.code == 2, told
        assert str(record) in told.err, told
    assert damage.say("status", "b3").code == 0
    os.chdir(store)
