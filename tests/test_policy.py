"""Further attempts, a limit of failures, pause, and jobs: as records, without a notebook."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from nbbg import files, model, paths
from nbbg.executors import Ticket
from nbbg.index import Index
from nbbg.store import batches, changes, plans, policy, reading, runs
from nbbg.supervisor.decide import Finish, Wait
from nbbg.supervisor.loop import Supervisor
from nbbg.supervisor.queue import Queue
from tests import instant, records
from tests.records import Attempt, an_attempt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nbbg.store.place import Store

FAILED = {"state": "failed", "error": {"cell": 2, "name": "ValueError", "value": "bad"}}
ALL = model.RETRIABLE


@pytest.fixture
def store() -> Iterator[Store]:
    """An empty store in memory, whose batches may be carried by `instant`."""
    instant.register()
    with records.quick_folder() as folder:
        yield records.make_store(folder / "project")


class Flaky(instant.Instant):
    """Each run fails so many times, then succeeds; when each attempt was carried is kept."""

    def __init__(self, failures: int) -> None:
        super().__init__()
        self.failures = failures
        self.at: list[float] = []

    def submit(self, attempt: Path) -> Ticket:
        """End it at once."""
        self.started.append(attempt)
        self.at.append(time.time())
        made = Attempt(attempt)
        made.claim()
        made.end(**(FAILED if int(attempt.name) <= self.failures else {}))
        return Ticket(None)

    def attempts(self) -> list[tuple[int, int]]:
        """What was carried: run and attempt, in order."""
        return [(int(path.parent.name), int(path.name)) for path in self.started]


def supervise(store: Store, failures: int) -> Flaky:
    """See the first batch through, with runs that fail so many times."""
    supervisor = Supervisor(store.batch(1), {})
    supervisor.executor = flaky = Flaky(failures)
    supervisor.run()
    return flaky


def found(store: Store) -> list[model.Run]:
    """The runs of the first batch as the facts tell them."""
    batch, stopped = batches.read(store, 1), batches.stopped_by(store, 1)
    lines = plans.read(store.batch(1) / paths.PLAN)
    return [reading.read(store, batch, plan, stopped) for plan in lines]


def words(store: Store) -> list[str]:
    """Their states."""
    return [run.state.word for run in found(store)]


def fail(store: Store, run: int = 1, **more: object) -> None:
    """The next attempt of a run fails now."""
    with an_attempt(store, run=run) as attempt:
        attempt.claim()
        attempt.end(**{**FAILED, **more})


# Further attempts.


@pytest.mark.parametrize(("retries", "failures", "last"), [(2, 2, "succeeded"), (2, 3, "failed")])
def test_it_is_tried_again_so_many_times(
    store: Store, retries: int, failures: int, last: str
) -> None:
    """Each attempt has its folder and log; the delays double; when all are used up it has ended."""
    records.publish(store, 2, executor="instant", retries=retries, retry_delay=0.1, retry_on=ALL)
    flaky = supervise(store, failures)
    assert sorted(flaky.attempts()) == [(run, attempt) for run in (1, 2) for attempt in (1, 2, 3)]
    assert words(store) == [last] * 2
    at = dict(zip(flaky.attempts(), flaky.at, strict=True))
    for run in (1, 2):
        assert at[run, 2] - at[run, 1] >= 0.1
        assert at[run, 3] - at[run, 2] >= 0.2
        assert {run.state.word for run in found(store)} == {last}
    assert supervise(store, failures).attempts() == []


def test_others_go_on_during_a_delay(store: Store) -> None:
    """What waits for its delay takes no place: the plan goes on."""
    records.publish(store, 4, executor="instant", retries=1, retry_delay=0.3, retry_on=ALL)
    flaky = supervise(store, 1)
    first_tries = [(run, 1) for run in (1, 2, 3, 4)]
    assert flaky.attempts() == first_tries + [(run, 2) for run in (1, 2, 3, 4)]


def test_a_run_with_attempts_left_has_not_ended(store: Store) -> None:
    """It is queued, with a reason, for every reader; then it has ended, for good."""
    records.publish(store, 1, executor="instant", retries=1, retry_delay=40.0, retry_on=ALL)
    fail(store)
    (run,) = found(store)
    assert not run.ended
    assert run.state.word == "queued"
    reason = "attempt 2 of 2 in 40 s; before: failed, cell 2: ValueError: bad"
    assert run.state.reason == reason
    assert (run.attempt, run.ended_at) == (1, None)
    with Index(store) as index:
        assert index.counts(1) == {"queued": 1}
        fail(store)
        batches.add_event(store, 1, "ended", 1, 2)
        index.refresh()
        assert index.counts(1) == {"failed": 1}
        assert index.live() == []


@pytest.mark.parametrize("ending", [*ALL, "stopped", "unknown", "succeeded"])
@pytest.mark.parametrize("chosen", [ALL, ("killed", "lost"), ("timed out",)])
def test_only_after_chosen_endings(store: Store, ending: str, chosen: tuple[str, ...]) -> None:
    """What a person stopped, or what can't be told, is never tried again by itself."""
    records.publish(store, 1, retries=1, retry_on=chosen)
    fields: dict[str, records.Json] = {
        "exited": {"code": 3, "cell": 1},
        "killed": {"signal": "SIGKILL", "cell": 1},
        "timed out": {"limit": 2.0, "cell": 1},
        "stopped": {"by": "nbbg stop"},
        "failed": FAILED,
    }
    with an_attempt(store) as attempt:
        if ending == "unknown":
            attempt.garbage(paths.PROCESS)
        else:
            attempt.claim(hold=ending != "lost")
        if ending not in ("unknown", "lost"):
            attempt.end(**{**fields.get(ending, {}), "state": ending})
        assert attempt.state().word == ending
    again = ending in chosen
    assert words(store) == ["queued" if again else ending]
    queue = Queue(store, batches.read(store, 1))
    assert queue.head(1, time.monotonic() + 1) == ([1] if again else [])


def test_delays_double_up_to_a_limit() -> None:
    """10 s, 20 s, 40 s up to ten minutes; a longer first one stays as it is."""
    store_less = records.a_draft(1, 1, [1], retries=99, retry_delay=10.0).batch
    delays = [policy.delay(store_less, attempt) for attempt in (1, 2, 3, 7, 8, 5000)]
    assert delays == [10, 20, 40, 600, 600, 600]
    long = records.a_draft(1, 1, [1], retries=99, retry_delay=3600.0).batch
    assert [policy.delay(long, attempt) for attempt in (1, 2)] == [3600, 3600]


def test_a_lost_run_is_tried_again_after_its_last_sign_of_life(store: Store) -> None:
    """Nobody wrote when it was lost: what it wrote last tells."""
    records.publish(store, 1, executor="instant", retries=1, retry_delay=60.0, retry_on=ALL)
    with an_attempt(store) as attempt:
        attempt.claim(hold=False)
        attempt.print(b"alive")
        for path in attempt.path.iterdir():
            os.utime(path, (time.time() - 50,) * 2)
        again = policy.again(batches.read(store, 1), 1, attempt.state(), attempt.path)
        assert again is not None
        assert 0 < again.seconds < 11
        for path in attempt.path.iterdir():
            os.utime(path, (time.time() - 70,) * 2)
    assert supervise(store, 0).attempts() == [(1, 2)]
    assert words(store) == ["succeeded"]


def test_a_new_supervisor_goes_on_counting(store: Store) -> None:
    """The count and the delay are in the record: it makes no difference who looks, or when."""
    records.publish(store, 2, executor="instant", retries=2, retry_delay=30.0, retry_on=ALL)
    for ago in (50, 45):
        fail(store, ended_at=time.time() - ago)  # 15 s are left of the second delay
    batches.add_event(store, 1, "ended", 1, 2, state="failed")
    fail(store, run=2, ended_at=time.time() - 20)
    for events in (True, False):  # which are but hints
        if not events:
            (store.batch(1) / paths.EVENTS).unlink()
        supervisor = Supervisor(store.batch(1), {})
        supervisor.look()
        (wait,) = supervisor.decide()
        assert isinstance(wait, Wait)
        assert wait.until is not None
        assert 9 < wait.until - time.monotonic() <= 10
        assert 14 < supervisor.queue.due(1) - time.monotonic() <= 15


def test_a_person_goes_beyond_the_count(store: Store) -> None:
    """An attempt that was asked for is one attempt, however many there were."""
    records.publish(store, 1, executor="instant", retries=1, retry_on=ALL)
    supervise(store, 9)
    for number in (3, 4):
        runs.new_attempt(store, 1, 1, number)
        batches.add_event(store, 1, "queued", 1, number)
        assert supervise(store, 9).attempts() == [(1, number)]
    assert words(store) == ["failed"]


def test_a_batch_that_is_stopped_tries_nothing_again(store: Store) -> None:
    """Its failed runs have failed; and when a person takes the stop back, they are tried again."""
    records.publish(store, 1, executor="instant", retries=2, retry_delay=0.0, retry_on=ALL)
    fail(store)
    batches.ask_to_stop(store.batch(1), "nbbg stop", after_run=True)
    with Index(store) as index:
        assert index.counts(1) == {"failed": 1}
        assert supervise(store, 1).attempts() == []
        batches.take_back_stop(store, 1)
        index.refresh()
        assert index.counts(1) == {"queued": 1}
    assert supervise(store, 1).attempts() == [(1, 2)]


def test_an_ending_for_good_is_told_with_the_event(store: Store) -> None:
    """With retries too a reader need not look into the folder of a run that is not tried again."""
    batch = records.publish(store, 2, executor="instant", retries=1, retry_delay=0.0, retry_on=ALL)
    supervise(store, 1)
    events = files.read_lines((store.batch(batch.id) / paths.EVENTS).read_bytes())
    told = [
        (event["run"], event["attempt"], "kept" in event)
        for event in events
        if event["event"] == "ended"
    ]
    assert sorted(told) == [(1, 1, False), (1, 2, True), (2, 1, False), (2, 2, True)]


def test_a_run_that_is_stopped_during_its_delay(store: Store) -> None:
    """A person who stops it wants no further attempt; its supervisor hears of it at once."""
    records.publish(store, 1, executor="instant", retries=2, retry_delay=60.0, retry_on=ALL)
    fail(store)
    supervisor = Supervisor(store.batch(1), {})
    assert isinstance(supervisor.decide()[0], Wait)
    batches.ask_to_stop(store.run(1, 1) / "1", "nbbg stop")
    batches.add_event(store, 1, "stopped", 1, 1)
    supervisor.look()
    assert supervisor.decide() == [Finish()]
    assert words(store) == ["failed"]


def test_many_delays_cost_a_decision_nothing(store: Store) -> None:
    """With 2,000 runs that wait for their delay a decision costs what it costs with two."""
    records.publish(store, 4000, retries=1, retry_delay=600.0, retry_on=ALL)
    queue = Queue(store, batches.read(store, 1))
    for run in range(1, 2001):
        queue._due[run] = 1000.0 + run  # noqa: SLF001 - 2,000 attempts would take too long
        queue._by_due.append((1000.0 + run, run))  # noqa: SLF001
    before = time.process_time()
    for _ in range(1000):
        assert queue.head(2, now=1000.0) == [1, 2, 1]
        assert queue.head(2, now=1001.0) == [1, 1, 2]
    assert time.process_time() - before < 1


# A limit of failures.


def test_too_many_failures_stop_the_batch(store: Store) -> None:
    """After so many nothing more starts, and it says why; `resume` counts anew."""
    records.publish(store, 9, executor="instant", max_failures=2)
    assert supervise(store, 9).attempts() == [(1, 1), (2, 1)]
    assert words(store) == ["failed"] * 2 + ["stopped"] * 7
    assert batches.stopped_by(store, 1) == "2 runs failed (--max-failures 2)"
    for expected in ([3, 4], [5, 6]):
        changes.resume(store.batch(1), "you@host")
        batches.take_back_stop(store, 1)
        assert [run for run, _ in supervise(store, 9).attempts()] == expected


def test_attempts_that_are_left_are_no_failures(store: Store) -> None:
    """A run counts when its last attempt has failed, not before; and not when that succeeds."""
    policy_of = {"retries": 1, "retry_delay": 0.0, "retry_on": ALL, "max_failures": 1}
    records.publish(store, 3, executor="instant", **policy_of)
    assert len(supervise(store, 1).attempts()) == 6
    assert words(store) == ["succeeded"] * 3
    records.publish(store, 3, executor="instant", **policy_of)
    supervisor = Supervisor(store.batch(2), {})
    supervisor.executor = flaky = Flaky(9)
    supervisor.run()
    assert flaky.attempts()[-1][1] == 2
    assert batches.stopped_by(store, 2) == "1 run failed (--max-failures 1)"


def test_a_new_supervisor_counts_the_failures_that_were(store: Store) -> None:
    """Also those whose end no event tells; a batch that is through is not marked as stopped."""
    records.publish(store, 4, executor="instant", max_failures=2)
    for run in (1, 2):
        fail(store, run=run)
    batches.add_event(store, 1, "ended", 1, 1, state="failed")
    assert supervise(store, 0).attempts() == []
    assert words(store) == ["failed", "failed", "stopped", "stopped"]
    records.publish(store, 2, executor="instant", max_failures=2)
    supervisor = Supervisor(store.batch(2), {})
    supervisor.executor = Flaky(9)
    supervisor.run()
    assert batches.stopped_by(store, 2) == ""


# Pause, and jobs.


def test_a_paused_batch_starts_nothing(store: Store) -> None:
    """Its runs stay queued, whoever supervises; resumed, it goes on; what a person names goes."""
    records.publish(store, 3, executor="instant")
    changes.pause(store.batch(1), "you@host")
    assert supervise(store, 0).attempts() == []
    assert words(store) == ["queued"] * 3
    time.sleep(0.01)
    runs.new_attempt(store, 1, 2, 1)
    batches.add_event(store, 1, "queued", 2, 1)
    assert supervise(store, 0).attempts() == [(2, 1)]
    changes.resume(store.batch(1), "you@host")
    assert supervise(store, 0).attempts() == [(1, 1), (3, 1)]


def test_the_newest_change_of_each_kind_counts(store: Store) -> None:
    """Changes are numbered and kept; old batches have none; a spoilt one is a pause."""
    batch = records.publish(store, 1, jobs=2)
    folder = store.batch(1)
    assert changes.read(folder, batch) == changes.Course(2)
    changes.set_jobs(folder, 8, "a@host")
    changes.pause(folder, "b@host")
    changes.set_jobs(folder, 3, "c@host")
    course = changes.read(folder, batch)
    assert (course.jobs, course.paused_by) == (3, "b@host")
    assert time.time() - 60 < course.paused_at <= time.time()
    changes.resume(folder, "d@host")
    course = changes.read(folder, batch)
    assert (course.jobs, course.paused_by, course.paused_at) == (3, "", 0.0)
    assert course.resumed_at > 0
    names = sorted(path.name for path in (folder / paths.CHANGES).iterdir())
    assert names == ["1.json", "2.json", "3.json", "4.json"]
    (folder / paths.CHANGES / "5.json").write_text("{")
    assert "changes/5.json" in changes.read(folder, batch).paused_by


CHANGE = """
import sys
from pathlib import Path
from nbbg.store import changes
print("ready", flush=True)
sys.stdin.readline()
for jobs in range(1, 31):
    changes.set_jobs(Path(sys.argv[1]), jobs, sys.argv[2])
"""


def test_changes_at_the_same_instant(store: Store) -> None:
    """Of what several people change at one instant nothing is lost or written over."""
    records.publish(store, 1)
    env = {"PYTHONPATH": os.getcwd()}
    people = [records.start(CHANGE, store.batch(1), name, env=env) for name in "abcd"]
    for person in people:
        assert person.stdin is not None
        person.stdin.write("\n")
        person.stdin.flush()
    for person in people:
        person.communicate()
    folder = store.batch(1) / paths.CHANGES
    assert sorted(folder.iterdir()) == sorted(folder / f"{n}.json" for n in range(1, 121))
    texts = "".join(path.read_text() for path in folder.iterdir())
    assert [texts.count(f'"by":"{name}"') for name in "abcd"] == [30] * 4
