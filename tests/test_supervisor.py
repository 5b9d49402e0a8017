"""The supervisor: sees a batch through, alone, leaves nothing behind, and harms nothing."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest

from nbbg import model, paths, process
from nbbg.errors import EnvironmentFault
from nbbg.executors import Ticket
from nbbg.index import Index
from nbbg.store import batches, plans, reading, runs
from nbbg.supervisor.loop import SEVERAL_FAULTS, Supervisor, supervise
from tests import instant, records
from tests.project import until
from tests.records import Attempt, an_attempt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nbbg.store.place import Store

SLEEP = "import time; print('ready', flush=True); time.sleep(60)"
QUEUE_AND_SUPERVISE = """
import random, sys, time
from pathlib import Path
from nbbg.store import batches, place, runs
from nbbg.supervisor.loop import supervise
from tests import instant
instant.register()
store, run = place.open_store(Path(sys.argv[1])), int(sys.argv[2])
chance = random.Random(run)
print("ready", flush=True)
for line in sys.stdin:
    until = time.monotonic() + chance.random() * 0.002
    while time.monotonic() < until: pass
    runs.new_attempt(store, 1, run, int(line))
    batches.add_event(store, 1, "queued", run, int(line))
    supervise(store.batch(1), {})
    print(int(line), flush=True)
"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store, whose batches may be carried by `instant`."""
    instant.register()
    instant.EXECUTOR.started.clear()
    return records.make_store(tmp_path / "project")


@pytest.fixture
def quick_store() -> Iterator[Store]:
    """A store in memory, so that what happens at one instant is not spread by a slow disk."""
    instant.register()
    with records.quick_folder() as folder:
        yield records.make_store(folder / "project")


def words(store: Store) -> list[str]:
    """The states of all runs as the facts tell them."""
    return [
        reading.read(
            store, batches.read(store, number), plan, batches.stopped_by(store, number)
        ).state.word
        for number in store.batch_numbers()
        for plan in plans.read(store.batch(number) / paths.PLAN)
    ]


def started(store: Store) -> list[int]:
    """The runs that were carried, in order."""
    assert store.exists()
    return [int(path.parent.name) for path in instant.EXECUTOR.started]


class Faulty(instant.Instant):
    """Fails so many times, then carries."""

    def __init__(self, faults: int) -> None:
        super().__init__()
        self.faults = faults

    def submit(self, attempt: Path) -> Ticket:
        """Fail, or carry."""
        self.faults -= 1
        if self.faults >= 0:
            message = "no process can be made"
            raise EnvironmentFault(message)
        return super().submit(attempt)


class Leaving(instant.Instant):
    """Detached; its runner is dead before anybody can look at it, so many times."""

    detached = True

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    def submit(self, attempt: Path) -> Ticket:
        """Start nothing that lives."""
        self.times -= 1
        return Ticket(None) if self.times >= 0 else super().submit(attempt)


def test_a_batch_is_seen_through(store: Store) -> None:
    """Every run is carried once, in order, and the supervisor leaves."""
    records.publish(store, 5, executor="instant", jobs=2)
    supervise(store.batch(1), {})
    assert started(store) == [1, 2, 3, 4, 5]
    assert words(store) == ["succeeded"] * 5
    assert batches.supervisor_pid(store.batch(1)) is None
    supervise(store.batch(1), {})
    assert started(store) == [1, 2, 3, 4, 5]


def test_a_second_supervisor_leaves_at_once(store: Store) -> None:
    """While one is at work another starts nothing; its pid is told."""
    records.publish(store, 3, executor="instant")
    with an_attempt(store) as live:
        live.claim()
        first = threading.Thread(target=supervise, args=(store.batch(1), {}))
        first.start()
        until(lambda: batches.supervisor_pid(store.batch(1)) == os.getpid())
        supervise(store.batch(1), {})
        assert started(store) == []
        live.end()
    first.join()
    assert started(store) == [2, 3]


def test_nothing_is_left_behind(quick_store: Store) -> None:
    """A run that is queued at the instant at which a supervisor finishes is started all the same.

    In each of 300 rounds four processes queue a run and supervise, as `retry` does, at nearly the
    same instant: one is at work or finishing, and the others leave at once.
    """
    records.publish(quick_store, 4, executor="instant")
    supervise(quick_store.batch(1), {})
    env = {"PYTHONPATH": os.getcwd()}
    children = [
        records.start(QUEUE_AND_SUPERVISE, quick_store.root, str(run), env=env)
        for run in range(1, 5)
    ]
    for number in range(2, 302):
        for child in children:
            assert child.stdin is not None
            child.stdin.write(f"{number}\n")
            child.stdin.flush()
        for child in children:
            assert child.stdout is not None
            assert child.stdout.readline() == f"{number}\n"
        left = [
            run
            for run in range(1, 5)
            if not (quick_store.run(1, run) / f"{number}/result.json").exists()
        ]
        assert not left, f"round {number}"
    for child in children:
        records.end(child)


def test_what_lives_is_taken_over(store: Store) -> None:
    """A new supervisor waits for a run that an earlier one has started, and goes on after it."""
    records.publish(store, 2, executor="instant")
    child = records.start(SLEEP)
    who = process.identity(child.pid)
    with an_attempt(store) as live:
        live.claim(who)
        supervisor = Supervisor(store.batch(1), {})
        supervisor.look()
        assert supervisor.decide()[0].__class__.__name__ == "Wait"
        live.let_go()
        records.end(child)
        supervisor.run()
    assert words(store) == ["lost", "succeeded"]


def test_a_record_that_is_spoilt_holds_up_nothing(store: Store) -> None:
    """A run whose claim can't be read any more keeps its place while it lives, and is not ended."""
    records.publish(store, 2, executor="instant")
    child = records.start(SLEEP, env={**os.environ, "NBBG_MARKER": "spoilt"})
    with an_attempt(store) as live:
        live.claim(process.identity(child.pid), marker="spoilt")
        supervisor = Supervisor(store.batch(1), {})
        supervisor.look()
        claim = (live.path / paths.PROCESS).read_bytes()
        (live.path / paths.PROCESS).write_bytes(b"{")
        supervisor.look()
        assert list(supervisor.live) == [1]
        assert child.poll() is None
        records.end(child)
        supervisor.run()
        assert words(store) == ["unknown", "succeeded"]
        (live.path / paths.PROCESS).write_bytes(claim)
    assert words(store) == ["lost", "succeeded"]


def test_what_a_killed_runner_left_is_ended(store: Store) -> None:
    """When a run is lost, what is left of its tree goes, and the file of its environment too."""
    records.publish(store, 1, executor="instant")
    left = records.start(SLEEP, env={**os.environ, "NBBG_MARKER": "left"})
    with an_attempt(store) as live:
        live.claim(marker="left")
        live.garbage(paths.ENVIRONMENT)
        supervisor = Supervisor(store.batch(1), {})
        supervisor.look()
        live.let_go()
        supervisor.run()
        assert left.wait(10) in (-signal.SIGTERM, -signal.SIGKILL)
        assert not (live.path / paths.ENVIRONMENT).exists()
    records.end(left)
    assert words(store) == ["lost"]


def test_a_stopped_batch_starts_nothing(store: Store) -> None:
    """A batch that was asked to stop is finished at once; taken back, it goes on."""
    records.publish(store, 2, executor="instant")
    batches.ask_to_stop(store.batch(1), "nbbg stop")
    supervise(store.batch(1), {})
    assert words(store) == ["stopped", "stopped"]
    batches.take_back_stop(store, 1)
    supervise(store.batch(1), {})
    assert words(store) == ["succeeded", "succeeded"]


def test_what_was_queued_again_is_stopped_with_its_batch(store: Store) -> None:
    """Runs that wait for their second attempt when the batch is stopped do not start either."""
    records.publish(store, 3, executor="instant")
    for run in (1, 2):
        with an_attempt(store, run=run) as attempt:
            attempt.claim()
            attempt.end(state="failed", error=None)
    with an_attempt(store, run=3) as live:
        live.claim()
        supervisor = Supervisor(store.batch(1), {})
        for run in (1, 2):
            runs.new_attempt(store, 1, run, 2)
            batches.add_event(store, 1, "queued", run, 2)
        supervisor.look()
        batches.ask_to_stop(store.batch(1), "nbbg stop", after_run=True)
        live.end()
        supervisor.run()
    assert started(store) == []
    assert words(store) == ["stopped", "stopped", "succeeded"]
    supervise(store.batch(1), {})
    assert started(store) == []


def test_what_is_queued_after_the_stop_is_started(store: Store) -> None:
    """A run that a person names after the stop starts, past all that waited before it."""
    records.publish(store, 5, executor="instant")
    for run in (1, 2, 3):
        with an_attempt(store, run=run) as attempt:
            attempt.claim()
            attempt.end(state="failed", error=None)
    for run in (1, 2):
        runs.new_attempt(store, 1, run, 2)
        batches.add_event(store, 1, "queued", run, 2)
    for again in (False, True):
        supervisor = Supervisor(store.batch(1), {})  # one that was there before, and a new one
        batches.ask_to_stop(store.batch(1), "nbbg stop", after_run=True)
        time.sleep(0.01)
        runs.new_attempt(store, 1, 3, 2 + again)
        batches.add_event(store, 1, "queued", 3, 2 + again)
        (supervisor if not again else Supervisor(store.batch(1), {})).run()
        assert started(store) == [3] * (1 + again)
    assert words(store) == ["stopped", "stopped", "succeeded", "stopped", "stopped"]


def test_an_exit_file_stops_the_batch(store: Store, tmp_path: Path) -> None:
    """When the exit file is there, what runs goes on and nothing more starts."""
    (tmp_path / "exit").touch()
    records.publish(store, 2, executor="instant", exit_file=str(tmp_path / "exit"))
    with an_attempt(store) as live:
        live.claim()
        supervisor = Supervisor(store.batch(1), {})
        supervisor.look()
        assert not (live.path / paths.STOP).exists()
        live.end()
        supervisor.run()
    assert words(store) == ["succeeded", "stopped"]
    assert batches.stopped_by(store, 1) == f"exit file {tmp_path / 'exit'}"


def test_a_run_that_is_stopped_while_it_starts(store: Store) -> None:
    """A queued run that is stopped after the supervisor has chosen it is not carried."""
    records.publish(store, 2, executor="instant")
    supervisor = Supervisor(store.batch(1), {})
    assert supervisor.queue.head(2) == [1, 2]
    _, path = runs.open_attempt(store, 1, 2)
    batches.ask_to_stop(path, "nbbg stop")
    supervisor.run()
    assert started(store) == [1]
    assert words(store) == ["succeeded", "stopped"]


@pytest.mark.parametrize("fault", [Faulty, Leaving])
def test_a_fault_is_tried_again(
    store: Store, fault: type[Faulty | Leaving], capsys: pytest.CaptureFixture[str]
) -> None:
    """A runner that can't be carried, or is dead at once, is tried again; nothing is skipped."""
    records.publish(store, 2, executor="instant")
    supervisor = Supervisor(store.batch(1), {"A": "b"})
    supervisor.executor = fault(2)
    supervisor.run()
    assert words(store) == ["succeeded", "succeeded"]
    assert "run 1: " in capsys.readouterr().err


@pytest.mark.parametrize("fault", [Faulty, Leaving])
def test_faults_without_end_stop_the_batch(store: Store, fault: type[Faulty | Leaving]) -> None:
    """After several faults in a row the batch is left for a person, with the reason."""
    records.publish(store, 2, executor="instant")
    supervisor = Supervisor(store.batch(1), {})
    supervisor.executor = fault(1000)
    supervisor.run()
    assert not supervisor.has_more_to_do()
    assert words(store) == ["stopped", "stopped"]
    assert batches.stopped_by(store, 1).startswith(f"{SEVERAL_FAULTS} runs could not be started")
    assert not list(store.folder.glob(f"**/{paths.ENVIRONMENT}"))


def test_a_supervisor_of_a_batch_that_is_gone(store: Store) -> None:
    """Without its batch a supervisor ends with a sentence, and makes nothing."""
    with pytest.raises(FileNotFoundError):
        supervise(store.batch(1), {})
    assert store.batch_numbers() == []


def test_the_index_sees_what_was_done(store: Store) -> None:
    """What the supervisor notes is enough for a reader that was there before."""
    records.publish(store, 3, executor="instant")
    with Index(store) as index:
        assert index.counts(1) == {"queued": 3}
        supervise(store.batch(1), {})
        index.refresh()
        assert index.counts(1) == {"succeeded": 3}
        assert index.live() == []


def test_a_reader_that_is_slow_sees_a_whole_start(store: Store) -> None:
    """An attempt that was begun by hand, without a note of it, is taken for what it is."""
    records.publish(store, 1, executor="instant")
    attempt = Attempt(runs.new_attempt(store, 1, 1, 1))
    assert attempt.state() == model.Queued()
    supervise(store.batch(1), {})
    assert words(store) == ["succeeded"]
    assert runs.newest_attempt(store.run(1, 1)) == 1
