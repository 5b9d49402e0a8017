"""The state of an attempt: each row of the promise, built as a real folder with a real lock."""

from __future__ import annotations

import json
import os
import shutil
import signal
from typing import TYPE_CHECKING

import pytest

from nbbg import files, model, paths, process
from nbbg.index import Index
from nbbg.ops import reports
from nbbg.store import batches, reading, state
from tests import records
from tests.records import EARLIER_BOOT, HOST, Attempt, an_attempt, gone, me

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from nbbg.store.place import Store

    Spoil = Callable[[Attempt], None]

GARBAGE = [
    pytest.param(data, id=name)
    for name, data in (
        ("empty", b""),
        ("torn", b'{"pid": 1'),
        ("list", b"[]"),
        ("null", b"null"),
        ("nothing", b"{}"),
        ("newer", b'{"state": "finished"}'),
        ("zeros", b"\0" * 100),
    )
]
HOLD = """
import os, sys
from nbbg.store import locks
lock = os.open(sys.argv[1], os.O_RDWR)
while not locks.take(lock): pass
print("ready", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store with one batch of three runs."""
    made = records.make_store(tmp_path / "project")
    records.publish(made, 3)
    return made


@pytest.fixture
def attempt(store: Store) -> Iterator[Attempt]:
    """An attempt without facts."""
    with an_attempt(store) as made:
        yield made


def test_without_facts_it_is_queued(attempt: Attempt) -> None:
    """An empty folder is a run that waits."""
    assert attempt.state() == model.Queued()


def test_a_stop_alone_is_stopped(attempt: Attempt) -> None:
    """What was stopped before anything started it is stopped, and says by whom."""
    batches.ask_to_stop(attempt.path, "nbbg stop")
    assert attempt.state() == model.Stopped("nbbg stop", note="before it started")


def test_a_ticket_of_a_live_process_is_submitted(attempt: Attempt) -> None:
    """A runner that is on its way is submitted, also when it was asked to stop."""
    attempt.ticket(me())
    assert attempt.state() == model.Submitted()
    batches.ask_to_stop(attempt.path, "nbbg stop")
    assert attempt.state() == model.Submitted()


def test_a_ticket_of_a_dead_process_is_lost(attempt: Attempt) -> None:
    """A runner that ended before it claimed the run has never started it."""
    attempt.ticket(gone())
    assert attempt.state().reason.startswith("never started")
    assert isinstance(attempt.state(), model.Lost)
    batches.ask_to_stop(attempt.path, "nbbg stop")
    assert isinstance(attempt.state(), model.Stopped)


def test_a_ticket_does_not_trust_a_pid_alone(attempt: Attempt) -> None:
    """A pid that another process has now, or that is of another boot, is not the runner."""
    attempt.ticket(model.Identity(os.getpid(), me().start_time - 1))
    assert isinstance(attempt.state(), model.Lost)


def test_a_ticket_of_an_earlier_boot_is_lost(attempt: Attempt) -> None:
    """What was on its way when the machine went down has never started."""
    attempt.ticket(me(), boot=EARLIER_BOOT)
    assert isinstance(attempt.state(), model.Lost)


def test_a_ticket_of_another_host_is_unknown(attempt: Attempt) -> None:
    """What was carried elsewhere can't be told from here, and the place is named."""
    attempt.ticket(gone(), host=HOST)
    assert attempt.state() == model.Unknown(
        f"it was carried to {HOST}, which can't be asked from here"
    )


def test_a_held_lock_is_running(attempt: Attempt) -> None:
    """A claim whose lock is held is running, and stopping once it was asked to."""
    attempt.claim()
    assert attempt.state() == model.Running()
    batches.ask_to_stop(attempt.path, "nbbg stop")
    assert attempt.state() == model.Running(stopping=True)


def test_a_held_lock_without_a_runner_is_running(attempt: Attempt) -> None:
    """The engine of a killed runner goes on, and the state says so."""
    attempt.claim(gone())
    assert attempt.state() == model.Running(runner_alive=False)


def test_a_free_lock_is_lost(attempt: Attempt) -> None:
    """A claim that nothing holds and that says nothing of its end is lost, at once."""
    attempt.claim()
    attempt.tell("cell", cell=0, ordinal=1, cells=1, count=1, log=0)
    assert isinstance(attempt.state(), model.Running)
    attempt.let_go()
    assert attempt.state() == model.Lost("every process of it ended without a word")


def test_a_live_pid_does_not_save_a_free_lock(attempt: Attempt) -> None:
    """Where the lock can be trusted it decides, whoever has the runner's pid."""
    attempt.claim(me(), hold=False)
    assert isinstance(attempt.state(), model.Lost)


@pytest.mark.parametrize("boot", [None, EARLIER_BOOT])
def test_the_journal_tells_the_end_of_a_killed_runner(attempt: Attempt, boot: str | None) -> None:
    """Without a result the journal's end is believed, also after a restart of the machine."""
    attempt.claim(gone(), hold=False, boot=boot or process.boot_id())
    error = {"name": "ValueError", "value": "no"}
    attempt.tell("end", status="failed", ordinal=2, error=error, exit_code=1)
    assert attempt.state() == model.Failed(
        model.CellError(2, "ValueError", "no"), "its runner was killed"
    )


def test_a_stop_that_came_too_late_is_none(attempt: Attempt) -> None:
    """What had succeeded before somebody asked it to stop has succeeded; else it was stopped."""
    attempt.claim(gone(), hold=False)
    attempt.tell("end", status="succeeded")
    batches.ask_to_stop(attempt.path, "nbbg stop")
    assert attempt.state() == model.Succeeded(note="its runner was killed")
    attempt.tell("end", status="succeeded")
    assert isinstance(attempt.state(), model.Stopped)


def test_a_result_wins(attempt: Attempt) -> None:
    """What the result says holds, whatever else is there."""
    attempt.ticket(gone(), host=HOST)
    attempt.claim(gone(), boot=EARLIER_BOOT, host=HOST)
    attempt.tell("end", status="succeeded")
    batches.ask_to_stop(attempt.path, "nbbg stop")
    attempt.write(paths.RESULT, {"state": "exited", "code": 3, "cell": 2})
    assert attempt.state() == model.Exited(3, 2)


def test_a_claim_of_an_earlier_boot_is_lost(attempt: Attempt) -> None:
    """After a restart nothing of it lives, even if its pid does and somebody has the lock."""
    attempt.claim(boot=EARLIER_BOOT)
    assert attempt.state() == model.Lost("the machine was restarted while it ran")


def test_a_claim_of_another_host_is_unknown(attempt: Attempt) -> None:
    """Of a claim on another host nothing is told but where it is."""
    attempt.claim(boot=EARLIER_BOOT, host=HOST, hold=False)
    assert attempt.state() == model.Unknown(f"it runs on {HOST}, which can't be asked from here")


def test_the_lock_decides_between_containers(attempt: Attempt) -> None:
    """In another container of this machine the lock tells; the runner's pid there means nothing."""
    attempt.claim(gone(), host=HOST, namespace="1")
    assert attempt.state() == model.Running()
    attempt.let_go()
    assert isinstance(attempt.state(), model.Lost)


def lock_of(attempt: Attempt) -> Path:
    """The lock's path."""
    return attempt.path / paths.LOCK


def without_lock(attempt: Attempt) -> None:
    """Take the lock away, as a copy does that leaves it out."""
    lock_of(attempt).unlink()


def other_lock(attempt: Attempt) -> None:
    """Put another file in the lock's place, which nobody holds."""
    without_lock(attempt)
    lock_of(attempt).touch()


@pytest.mark.parametrize("spoil", [without_lock, other_lock])
class TestWithoutItsLock:
    """Where the lock is not the one that was claimed, pid and start time decide."""

    def test_a_live_runner_is_running(self, attempt: Attempt, spoil: Spoil) -> None:
        """The runner lives: running."""
        attempt.claim()
        spoil(attempt)
        assert attempt.state() == model.Running()

    def test_a_dead_runner_is_lost(self, attempt: Attempt, spoil: Spoil) -> None:
        """Neither the runner nor an engine lives: lost."""
        attempt.claim(gone(), hold=False)
        spoil(attempt)
        assert isinstance(attempt.state(), model.Lost)

    def test_a_live_engine_is_running(self, attempt: Attempt, spoil: Spoil) -> None:
        """The runner was killed and its engine lives: running."""
        attempt.claim(gone())
        attempt.tell("engine", pid=me().pid, start_time=me().start_time, engine="ipython")
        spoil(attempt)
        assert attempt.state() == model.Running(runner_alive=False)

    def test_another_namespace_is_unknown(self, attempt: Attempt, spoil: Spoil) -> None:
        """Pids of another namespace can't be compared."""
        attempt.claim(namespace="1")
        spoil(attempt)
        assert isinstance(attempt.state(), model.Unknown)


def test_a_copied_store_tells_of_its_own(attempt: Attempt, store: Store, tmp_path: Path) -> None:
    """In a copy, whose lock is another file, what lives elsewhere is lost."""
    lock_of(attempt).touch()
    holder = records.start(HOLD, lock_of(attempt))
    status, who = lock_of(attempt).stat(), process.identity(holder.pid)
    assert who is not None
    claim = model.Claim(
        runner=who,
        host=process.host(),
        boot=process.boot_id(),
        namespace=process.pid_namespace(),
        lock_device=status.st_dev,
        lock_inode=status.st_ino,
        marker="m",
        at=0.0,
    )
    with files.Folder(attempt.path) as folder:
        state.write_claim(folder, claim)
    shutil.copytree(store.folder, tmp_path / "copy")
    copied = Attempt(tmp_path / "copy" / attempt.path.relative_to(store.folder))
    assert attempt.state() == model.Running()
    assert copied.state() == model.Lost("its records were copied while it ran")
    records.end(holder)
    assert isinstance(attempt.state(), model.Lost)
    assert isinstance(copied.state(), model.Lost)


def test_sigkill_is_seen_at_once(attempt: Attempt) -> None:
    """The instant after SIGKILL, before anybody has collected the zombie, it is lost."""
    attempt.claim(hold=False)
    holder = records.start(HOLD, lock_of(attempt))
    assert isinstance(attempt.state(), model.Running)
    holder.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, holder.pid, os.WEXITED | os.WNOWAIT)
    assert isinstance(attempt.state(), model.Lost)
    records.end(holder)


@pytest.mark.parametrize("data", GARBAGE)
@pytest.mark.parametrize("name", [paths.RESULT, paths.PROCESS, paths.TICKET, paths.STOP])
def test_garbage_is_unknown_and_named(store: Store, name: str, data: bytes) -> None:
    """A record that can't be read makes its run unknown, with its folder, and no other run."""
    with (
        an_attempt(store) as spoilt,
        an_attempt(store, run=2) as live,
        an_attempt(store, run=3) as over,
    ):
        spoilt.garbage(name, data)
        live.claim()
        over.claim()
        over.end()
        if name == paths.STOP and data[-1:] in b"}":  # that somebody asked is known, not who
            by = "somebody" if data else "nbbg stop, on a full disk"
            assert spoilt.state() == model.Stopped(by, note="before it started")
            return
        found = spoilt.state()
        assert isinstance(found, model.Unknown)
        assert str(spoilt.path) in found.why
        with Index(store) as index:
            words = [run.state.word for run in index.runs()]
        assert words == ["unknown", "running", "succeeded"]


@pytest.mark.parametrize("data", GARBAGE)
def test_a_spoilt_journal_harms_nothing_else(attempt: Attempt, data: bytes) -> None:
    """A journal or metrics that can't be read leave the state to the other facts."""
    attempt.claim()
    for name in (paths.CELLS, paths.METRICS):
        attempt.garbage(name, data + b'\n{"values": [1], "event": []}\n')
    assert attempt.state() == model.Running()
    attempt.let_go()
    assert isinstance(attempt.state(), model.Lost)


def test_an_attempt_that_is_no_folder_is_unknown(store: Store) -> None:
    """A file where an attempt should be makes that run unknown, and no other."""
    files.make_folder(store.run(1, 2))
    (store.run(1, 2) / "1").write_text("a file")
    with Index(store) as index:
        words = [run.state.word for run in index.runs()]
        (found,) = index.runs("id = 2")
    assert words == ["queued", "unknown", "queued"]
    assert str(store.run(1, 2)) in found.state.reason


def test_a_run_tells_its_newest_attempt(store: Store) -> None:
    """A retried run is what its newest attempt is, and the older ones stay."""
    batch = batches.read(store, 1)
    (plan,) = (model.Planned(1, "train", 1, 1),)
    with an_attempt(store) as first, an_attempt(store) as second:
        first.claim()
        first.end(state="failed", error=None)
        assert reading.read(store, batch, plan).state == model.Queued()
        second.claim()
        run = reading.read(store, batch, plan)
        assert (run.attempt, run.state) == (2, model.Running())
        assert sorted(path.name for path in store.run(1, 1).iterdir()) == ["1", "2"]
        assert isinstance(first.state(), model.Failed)


@pytest.mark.parametrize("moment", ["x", None, [], 1e300, float("inf"), float("nan"), -1])
def test_a_time_that_is_none_harms_no_listing(store: Store, moment: object) -> None:
    """A result whose time makes no sense has no time; what else it says is told, and listed."""
    with an_attempt(store) as spoilt:
        spoilt.claim()
        ending = {"state": "failed", "error": None, "note": "hm", "ended_at": moment}
        spoilt.garbage(paths.RESULT, json.dumps(ending).encode())
        with Index(store) as index:
            run = index.runs()[0]
            report = reports.of_run(run).to_json()
    assert (report["state"], report["reason"]) == ("failed", "hm")
    assert report["ended_at"] is None
