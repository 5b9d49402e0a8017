"""Launches: whole or not there, numbered without gaps, whoever else launches at that instant."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from nbbg import paths
from nbbg.errors import StoreError
from nbbg.store import batches, plans
from tests import records
from tests.project import PYTHON

if TYPE_CHECKING:
    from pathlib import Path

    from nbbg.store.place import Store
    from tests.project import Project

LAUNCH = """
import os, sys
from pathlib import Path
from nbbg.store import batches, place
from tests import records
store = place.open_store(Path(sys.argv[1]))
print("ready", flush=True)
for round in range(int(sys.argv[2])):
    sys.stdin.readline()
    made = records.publish(store, int(sys.argv[3]), note=f"{os.getpid()} {round}")
    print(made.id, made.first, made.last, flush=True)
"""
FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from nbbg.store import place
from tests import records
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))
records.publish(place.open_store(Path(sys.argv[1])), 50)
"""
DIES = FULL_DISK.replace("SIG_IGN", "SIG_DFL")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store."""
    return records.make_store(tmp_path / "project")


def planned(store: Store) -> list[int]:
    """The run ids of all batches, in order."""
    return [
        run.id
        for number in store.batch_numbers()
        for run in plans.read(store.batch(number) / paths.PLAN)
    ]


@pytest.mark.parametrize(("launchers", "rounds", "runs"), [(20, 1, 3), (8, 6, 2)])
def test_launchers_at_the_same_instant(
    store: Store, launchers: int, rounds: int, runs: int
) -> None:
    """Batches are numbered 1..n and runs 1..m, each once, however many launch at once."""
    root = os.getcwd()
    children = [
        records.start(
            LAUNCH, store.root, str(rounds), str(runs), cwd=root, env={"PYTHONPATH": root}
        )
        for _ in range(launchers)
    ]
    made = []
    for _ in range(rounds):
        for child in children:
            assert child.stdin is not None
            child.stdin.write("\n")
            child.stdin.flush()
        for child in children:
            assert child.stdout is not None
            made.append([int(word) for word in child.stdout.readline().split()])
    for child in children:
        child.communicate()
    count = launchers * rounds
    assert store.batch_numbers() == list(range(1, count + 1))
    assert planned(store) == list(range(1, count * runs + 1))
    found = [batches.read(store, number) for number in store.batch_numbers()]
    assert sorted(made) == [[batch.id, batch.first, batch.last] for batch in found]
    assert len({batch.note for batch in found}) == count
    assert not [name for name in os.listdir(store.batches) if name.startswith(".")]


def test_a_batch_comes_back_as_it_was(store: Store) -> None:
    """What is read of a batch is what was published, with every file of it."""
    arm = records.an_arm("train/lr=0.1", params={"lr": 0.1, "a": [1, None, float("inf")]}, seed=7)
    content = {"frozen/sub/train.ipynb": b"{}", "guest/nbbg/__init__.py": b""}
    made = records.publish(store, 2, arm=arm, content=content, results=("a",), note="ü")
    assert batches.read(store, 1) == made
    assert [run.seed for run in plans.read(store.batch(1) / paths.PLAN)] == [8, 9]
    assert all((store.batch(1) / name).read_bytes() == data for name, data in content.items())


def test_what_nbbg_carries_along_is_shared_with_the_batch_before(store: Store) -> None:
    """A batch has its own names for it, so the earlier one can go; what differs is its own."""
    same, other = f"{paths.GUEST}/nbbg/same.py", f"{paths.GUEST}/nbbg/other.py"
    records.publish(store, content={same: b"1", other: b"old", "frozen/train.ipynb": b"{}"})
    content = {same: b"1", other: b"new", "frozen/train.ipynb": b"{}"}
    records.publish(store, content=content)
    one, two = store.batch(1), store.batch(2)
    assert (two / same).samefile(one / same)
    assert not (two / "frozen/train.ipynb").samefile(one / "frozen/train.ipynb")
    assert (one / other).read_bytes() == b"old"
    shutil.rmtree(one)
    assert all((two / name).read_bytes() == data for name, data in content.items())


def test_a_link_in_the_batch_before_leads_nowhere(store: Store, tmp_path: Path) -> None:
    """What somebody has put in the place of a file of nbbg is not taken for it."""
    name = f"{paths.GUEST}/nbbg/files.py"
    records.publish(store, content={name: b"1"})
    (tmp_path / "theirs").write_bytes(b"1")
    (store.batch(1) / name).unlink()
    (store.batch(1) / name).symlink_to(tmp_path / "theirs")
    records.publish(store, content={name: b"1"})
    assert not (store.batch(2) / name).is_symlink()
    assert (store.batch(2) / name).stat().st_nlink == 1


def test_a_newer_batch_is_read(store: Store) -> None:
    """Fields that a newer nbbg has added to a batch or an arm are passed over."""
    made = records.publish(store)
    path = store.batch(1) / paths.BATCH
    record = json.loads(path.read_bytes())
    record["newer"] = record["arms"]["train"]["newer"] = 1
    path.write_text(json.dumps(record))
    assert batches.read(store, 1) == made


def test_nothing_to_add_makes_nothing(store: Store) -> None:
    """A launch that finds nothing to add leaves nothing behind."""
    assert batches.publish(store, lambda _number, _first: None) is None
    assert os.listdir(store.batches) == []


def test_a_full_disk_launches_nothing(store: Store) -> None:
    """A launch that can't be written is refused with a sentence, and no number is used."""
    root = os.getcwd()
    failed = subprocess.run(
        records.python(FULL_DISK, store.root),
        env={"PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "nothing was launched" in failed.stderr
    assert os.listdir(store.batches) == []


def test_a_launch_that_died_is_swept_away(store: Store) -> None:
    """What a killed launch left has no number, and goes when it is old; a fresh one is left."""
    env = {"PYTHONPATH": os.getcwd()}
    subprocess.run(records.python(DIES, store.root), env=env, check=False)
    (left,) = store.batches.iterdir()
    assert store.batch_numbers() == []
    assert records.publish(store).id == 1
    assert left.exists()
    os.utime(left, (time.time() - 4000,) * 2)
    assert records.publish(store).id == 2
    assert sorted(os.listdir(store.batches)) == ["1", "2"]


@pytest.mark.parametrize("data", [None, b"", b"{", b"[]", b"{}", b'{"id": 1, "arms": []}'])
def test_a_batch_that_is_none_is_named(store: Store, data: bytes | None) -> None:
    """A batch that can't be read is an error that names the file; nothing is launched after it."""
    records.publish(store)
    path = store.batch(1) / paths.BATCH
    path.unlink()
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(StoreError, match=str(path)):
        batches.read(store, 1)
    with pytest.raises(StoreError, match=str(path)):
        records.publish(store)
    assert store.batch_numbers() == [1]


def test_a_copied_batch_is_refused(store: Store) -> None:
    """A folder that was copied under another number is not taken for a batch of its own."""
    records.publish(store)
    subprocess.run(["cp", "-a", store.batch(1), store.batch(2)], check=True)
    with pytest.raises(StoreError, match="holds b1"):
        batches.read(store, 2)


def test_asking_twice_keeps_the_first(store: Store) -> None:
    """Who asked first is told, and `resume` takes the request back."""
    records.publish(store)
    assert batches.stopped_by(store, 1) == ""
    assert batches.ask_to_stop(store.batch(1), "nbbg stop", after_run=True)
    assert not batches.ask_to_stop(store.batch(1), "somebody else")
    assert batches.stopped_by(store, 1) == "nbbg stop"
    batches.take_back_stop(store, 1)
    assert batches.stopped_by(store, 1) == ""


@pytest.mark.parametrize(
    ("data", "by"),
    [(b"", "nbbg stop, on a full disk"), (b"[]", "somebody"), (b'{"by', "somebody")],
)
def test_a_request_that_is_spoilt_is_a_request(store: Store, data: bytes, by: str) -> None:
    """A `stop.json` that can't be read stops the batch all the same."""
    records.publish(store)
    (store.batch(1) / paths.STOP).write_bytes(data)
    assert batches.stopped_by(store, 1) == by


@pytest.mark.parametrize("commands", [2, 8])
def test_two_commands_share_the_work(project: Project, commands: int) -> None:
    """`nbbg run X --runs 6` typed several times at one instant starts each number exactly once."""
    project.write("train.ipynb", "pass")
    children = [
        subprocess.Popen(
            [PYTHON, "-P", "-m", "nbbg", "run", "train.ipynb", "--runs", "6", "--jobs", "3"],
            cwd=project.root,
            env=project.environ(),
            stdout=subprocess.DEVNULL,
        )
        for _ in range(commands)
    ]
    assert [child.wait(60) for child in children] == [0] * commands
    project.nbbg("wait", "train")
    runs = project.runs()
    assert [(run["id"], run["number"], run["attempt"]) for run in runs] == [
        (number, number, 1) for number in range(1, 7)
    ]
    assert {run["state"] for run in runs} == {"succeeded"}
