"""What waits in a batch: in order, read lazily, each run once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from nbbg import paths
from nbbg.store import batches, runs
from nbbg.supervisor.queue import Queue
from tests import records
from tests.records import Attempt, an_attempt

if TYPE_CHECKING:
    from pathlib import Path

    from nbbg.store.place import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store with one batch of nine runs."""
    made = records.make_store(tmp_path / "project")
    records.publish(made, 9)
    return made


def queue_of(store: Store) -> Queue:
    """The queue of the first batch, as a new supervisor sees it."""
    return Queue(store, batches.read(store, 1))


def queue_again(store: Store, run: int, number: int) -> None:
    """What `retry` and `resume` do."""
    runs.new_attempt(store, 1, run, number)
    batches.add_event(store, 1, "queued", run, number)


def drain(queue: Queue) -> list[int]:
    """All runs in the order in which a supervisor with one job starts them."""
    started = []
    while head := queue.head(1):
        queue.take(head[0])
        started.append(head[0])
    return started


def test_the_plan_in_its_order(store: Store) -> None:
    """A new batch starts in the order of its plan; the head is as long as it is asked for."""
    queue = queue_of(store)
    assert queue.head(0) == []
    assert queue.head(3) == [1, 2, 3]
    queue.take(2)
    assert queue.head(3) == [1, 3, 4]
    assert drain(queue) == [1, 3, 4, 5, 6, 7, 8, 9]
    assert queue.head(3) == []


def test_what_is_queued_again_goes_first(store: Store) -> None:
    """A run that was queued again comes before those that never started, whoever looks."""
    for run in (4, 2):
        with an_attempt(store, run=run) as attempt:
            attempt.claim()
            attempt.end(state="failed", error=None)
    queue = queue_of(store)
    assert queue.head(2) == [1, 3]
    for run in (4, 2, 4):
        if runs.newest_attempt(store.run(1, run)) == 1:
            queue_again(store, run, 2)
        batches.add_event(store, 1, "queued", run, 2)
    queue.read_news()
    assert queue.head(9) == [4, 2, 1, 3, 5, 6, 7, 8, 9]
    assert queue_of(store).head(3) == [2, 4, 1]


def test_what_was_begun_is_taken_over(store: Store) -> None:
    """A new supervisor finds what lives, and leaves what is over, unknown or stopped."""
    with (
        an_attempt(store, run=1) as over,
        an_attempt(store, run=2) as live,
        an_attempt(store, run=3) as unknown,
        an_attempt(store, run=4) as stopped,
        an_attempt(store, run=5) as lost,
        an_attempt(store, run=6),
    ):
        over.claim()
        over.end()
        live.claim()
        unknown.garbage(paths.PROCESS)
        batches.ask_to_stop(stopped.path, "nbbg stop")
        lost.claim(hold=False)
        queue = queue_of(store)
        assert queue.found_live == [2]
        assert drain(queue) == [6, 7, 8, 9]


def test_what_has_ended_is_not_looked_at(store: Store) -> None:
    """Runs whose end was noted are passed over without a look, unless there is a newer attempt."""
    for run in (1, 2):
        with an_attempt(store, run=run) as attempt:
            attempt.garbage(paths.RESULT)
        batches.add_event(store, 1, "ended", run, 1)
    runs.new_attempt(store, 1, 2, 2)
    assert drain(queue_of(store)) == [2, 3, 4, 5, 6, 7, 8, 9]


def test_a_run_that_was_stopped_and_queued_again_starts_once(store: Store) -> None:
    """Between the head's reading and the start a run may be stopped and queued again."""
    queue = queue_of(store)
    assert queue.head(2) == [1, 2]
    batches.ask_to_stop(runs.new_attempt(store, 1, 2, 1), "nbbg stop")
    batches.add_event(store, 1, "stopped", 2, 1)
    queue_again(store, 2, 2)
    queue.read_news()
    assert drain(queue) == [2, 1, 3, 4, 5, 6, 7, 8, 9]


def test_a_torn_event_waits_for_its_end(store: Store) -> None:
    """Half an event is not read; its other half is not taken for one."""
    queue = queue_of(store)
    assert drain(queue) == list(range(1, 10))
    runs.new_attempt(store, 1, 3, 1)
    events = store.batch(1) / paths.EVENTS
    events.write_bytes(b'{"event":"queued",')
    queue.read_news()
    assert queue.head(1) == []
    with events.open("ab") as file:
        file.write(b'"run":3,"attempt":1}\n')
    assert queue.has_news()
    queue.read_news()
    assert not queue.has_news()
    assert queue.head(1) == [3]


def test_events_are_only_hints(store: Store) -> None:
    """Without the file of events a new supervisor finds out by itself."""
    with an_attempt(store, run=1) as over:
        over.claim()
        over.end()
    runs.new_attempt(store, 1, 2, 1)
    (store.batch(1) / paths.EVENTS).unlink()
    queue = queue_of(store)
    queue.read_news()
    assert drain(queue) == [2, 3, 4, 5, 6, 7, 8, 9]


def test_a_decision_costs_the_same_in_a_long_plan(tmp_path: Path) -> None:
    """The head of a plan of 100,000 runs is there at once, and the rest is not read."""
    store = records.make_store(tmp_path / "long")
    records.publish(store, 100_000)
    with (store.batch(1) / paths.PLAN).open("ab") as file:
        file.write(b"torn\n")
    before = time.monotonic()
    queue = queue_of(store)
    for run in range(1, 101):
        assert queue.head(4) == [run, run + 1, run + 2, run + 3]
        queue.take(run)
        Attempt(runs.new_attempt(store, 1, run, 1))
    assert time.monotonic() - before < 1
