"""`--until decided`: looks that are fixed in advance and taken once, and what is not needed."""

from __future__ import annotations

import random
import signal
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from nbbg import files, model, paths, process
from nbbg.errors import UsageError
from nbbg.executors import Ticket
from nbbg.index import Index
from nbbg.ops import deciding, waiting
from nbbg.results import looking
from nbbg.store import batches, looks, runs
from nbbg.supervisor.decide import Finish, Look, Next, Standing, Start, Wait, decide
from nbbg.supervisor.looks import PROGRAM, SEVERAL_FAULTS
from nbbg.supervisor.loop import Supervisor, supervise
from tests import instant, records
from tests.project import until
from tests.records import Attempt, an_attempt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from nbbg.store.place import Store

NOW = 1000.0
LOOKS = (6, 8)  # of two arms and at most 8 runs of each
Value = float | str | None


@pytest.mark.parametrize(
    ("live", "head", "changes", "action"),
    [
        ([], [3], {}, Start(3)),  # before the look
        ([], [13], {}, Look()),  # all before it have ended
        ([], [], {}, Look()),  # and so have all
        ([12], [13], {}, Wait()),  # one has not
        ([13], [14], {}, Look()),  # one that a person started beyond it does not matter
        ([], [13], {"gate": 0}, Start(13)),  # no looks
        ([], [13], {"over_at": 5.0, "gate": 0}, Finish()),  # decided
        ([], [13], {"paused_at": 5.0}, Finish()),
        ([], [13], {"stopped_at": 5.0}, Finish()),
        ([12], [13], {"stopped_at": 5.0}, Wait()),
    ],
)
def test_when_it_is_looked(
    live: list[int], head: list[int], changes: dict[str, Any], action: object
) -> None:
    """Nothing beyond the next look starts before it; it is taken when all before it have ended."""
    standing = Standing(**{"jobs": 2, "gate": 12, **changes})
    assert decide(standing, live, [Next(run) for run in head], NOW) == [action]


def test_what_a_look_waits_for() -> None:
    """A look waits for further attempts; what a person queues beyond it starts all the same."""
    standing = Standing(jobs=2, gate=12)
    assert decide(standing, [], [Next(13), Next(4, due=NOW + 5)], NOW) == [Wait(NOW + 5)]
    assert decide(standing, [], [Next(40, queued_at=3.0)], NOW) == [Start(40)]
    decided = Standing(jobs=2, over_at=5.0)
    assert decide(decided, [], [Next(40, queued_at=3.0)], NOW) == [Finish()]
    assert decide(decided, [], [Next(40, queued_at=6.0)], NOW) == [Start(40)]


class Measured(instant.Instant):
    """Each attempt logs what it is told to, and succeeds; without a value it fails."""

    def __init__(self, value: Callable[[str, int, int], Value]) -> None:
        super().__init__()
        self.value = value  # of arm, number and attempt

    def submit(self, attempt: Path) -> Ticket:
        """End it at once."""
        self.started.append(attempt)
        made = Attempt(attempt)
        run = int(attempt.parent.name)
        value = self.value("ab"[(run - 1) % 2], (run + 1) // 2, int(attempt.name))
        made.claim()
        if value is None:
            made.end(state="failed", error=None)
        else:
            (attempt / paths.METRICS).write_bytes(files.to_line({"values": {"score": value}}))
            made.end()
        return Ticket(None)

    def runs(self) -> list[int]:
        """The runs that were carried, in order."""
        return [int(path.parent.name) for path in self.started]


def noise(arm: str, number: int, _: int) -> float:
    """No arm is better."""
    return number + 0.1 * ((number + (arm == "b")) % 2)


def better(arm: str, number: int, attempt: int) -> float:
    """Arm b is better on each seed."""
    return noise("a", number, attempt) + (arm == "b")


@pytest.fixture
def store() -> Iterator[Store]:
    """A store in memory with a batch of two arms that runs until it is decided by `score`."""
    instant.register()
    with records.quick_folder() as folder:
        made = records.make_store(folder / "project")
        publish(made)
        yield made


def publish(store: Store, **more: Any) -> None:
    """Publish a batch of arms `a` and `b`, at most 8 runs of each, seeds from 1."""

    def draft(number: int, first: int) -> batches.Draft:
        plan = [
            model.Planned(first + 2 * k + i, arm, k + 1, k + 1)
            for k in range(8)
            for i, arm in enumerate("ab")
        ]
        made = records.a_draft(number, first, range(1, 17), executor="instant", **more).batch
        until = model.Until("score", ("a", "b"), LOOKS, 1, 0.05)
        arms = {name: records.an_arm(name) for name in "ab"}
        return batches.Draft(model.Batch(**{**vars(made), "arms": arms, "until": until}), plan, {})

    assert batches.publish(store, draft)


def see(store: Store, value: Callable[[str, int, int], Value]) -> Measured:
    """A supervisor sees the batch through; what it carried."""
    supervisor = Supervisor(store.batch(1), {})
    supervisor.executor = measured = Measured(value)
    supervisor.run()
    return measured


def taken(store: Store) -> list[looks.Look]:
    """The looks that were taken."""
    until = batches.read(store, 1).until
    assert until is not None
    return looks.taken(store.batch(1), until)


def report(store: Store) -> deciding.Report:
    """What is told of the batch."""
    with Index(store) as index:
        found = deciding.report(index, index.batch(1))
    assert found is not None
    return found


def test_a_winner_ends_it(store: Store) -> None:
    """Decided at the first look: nothing beyond it starts, and what is not needed is no failure."""
    assert see(store, better).runs() == list(range(1, 13))
    told = report(store)
    assert (told.taken, told.over, told.winner, told.needless) == (1, True, "b", 4)
    with Index(store) as index:
        assert index.counts(1) == {"succeeded": 12}
        assert index.waiting(1) == []
        last = index.run(16)
    assert last is not None
    assert last.needless
    assert last.state.reason == "decided: b is better than a (look 1 of 2, 6 seeds)"
    assert see(store, better).runs() == []


def test_no_winner_runs_all(store: Store) -> None:
    """Each look sees the runs before it alone, and lets the next ones start; the last says so."""
    assert see(store, noise).runs() == list(range(1, 17))
    assert [look.decided for look in taken(store)] == [False] * 2
    assert [list(look.values["b"]) for look in taken(store)] == [
        list(range(1, last + 1)) for last in LOOKS
    ]
    assert report(store).verdict == "undecided after 8 seeds, all that were planned"
    with Index(store) as index:
        assert index.counts(1) == {"succeeded": 16}


def test_a_retry_changes_no_look(store: Store) -> None:
    """A run that failed is missing from its look for good, whatever a later attempt says."""

    def fails_first(arm: str, number: int, attempt: int) -> Value:
        return None if (arm, number, attempt) == ("b", 2, 1) else better(arm, number, attempt)

    supervisor = Supervisor(store.batch(1), {})
    supervisor.executor = Measured(fails_first)
    for _ in range(12):
        for action in supervisor.decide():
            assert isinstance(action, Start)
            supervisor.start(action.run)
    supervisor.looks.take()
    assert 2 not in taken(store)[0].values["b"]
    assert not taken(store)[0].over  # five pairs can't decide
    runs.new_attempt(store, 1, 4, 2)
    batches.add_event(store, 1, "queued", 4, 2)
    supervisor.run()
    assert taken(store)[-1].winner == "b"
    assert 2 not in taken(store)[-1].values["b"]
    with Index(store) as index:
        assert index.counts(1) == {"succeeded": len(taken(store)[-1].values["a"]) * 2}


def test_a_look_waits_for_retries(store: Store) -> None:
    """What is tried again by itself counts with its last attempt, before the look."""
    publish_again = {"retries": 1, "retry_on": model.RETRIABLE}
    with files.Folder(store.batch(1)) as folder:
        record = {**(folder.read_json(paths.BATCH) or {}), **publish_again}
        folder.replace(paths.BATCH, files.to_json(record))

    def fails_first(arm: str, number: int, attempt: int) -> Value:
        return None if attempt == 1 else better(arm, number, attempt)

    see(store, fails_first)
    assert report(store).winner == "b"
    assert report(store).taken == 1


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (lambda *_: None, "look 1: no run has a metric 'score'; none was logged yet"),
        (lambda arm, *_: None if arm == "a" else 1.0, "look 1: no run of a counts (failed)"),
        (lambda arm, *_: "x" if arm == "a" else 1.0, "look 1: no run of a counts (score is no"),
        (lambda *_: 1e300, "look 1: score of a, seed 1, is 1e+300: no statistics of that"),
    ],
)
def test_nothing_to_look_at(
    store: Store, value: Callable[[str, int, int], Value], why: str
) -> None:
    """Where the metric is missing, the batch stops at its first look, and says so."""
    assert see(store, value).runs() == list(range(1, 13))
    assert batches.stopped_by(store, 1).startswith(why)
    assert taken(store) == []
    with Index(store) as index:
        assert index.counts(1)["stopped"] == 4


def test_a_run_that_nobody_can_tell(store: Store) -> None:
    """While a run is unknown no look is taken; while one lives, it is put off."""
    with an_attempt(store) as live:
        live.claim()
        with pytest.raises(looking.NotYet, match="run 1 is running"):
            looking.look(store.batch(1), 1)
    with an_attempt(store) as elsewhere:
        elsewhere.claim(boot=records.EARLIER_BOOT, host=records.HOST)
        with pytest.raises(UsageError, match="run 1 is unknown"):
            looking.look(store.batch(1), 1)


def test_a_look_that_crashes(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried again a few times; then the batch stops with the reason, and can go on."""
    counts = tmp_path / "counts"
    (tmp_path / "scipy.py").write_text(
        f"open({str(counts)!r}, 'a').write('x')\nraise RuntimeError('no room')"
    )
    with monkeypatch.context() as patch:
        patch.setenv("PYTHONPATH", str(tmp_path))
        see(store, better)
    assert counts.read_text() == "x" * SEVERAL_FAULTS
    assert batches.stopped_by(store, 1) == "look 1: RuntimeError: no room"
    batches.take_back_stop(store, 1)
    assert see(store, better).runs() == []
    assert report(store).winner == "b"


def test_killed_at_its_looks(store: Store) -> None:
    """Looks that are killed, and two at once, leave one record each, of the same data."""
    supervisor = Supervisor(store.batch(1), {})
    supervisor.executor = Measured(noise)
    for _ in range(12):
        for action in supervisor.decide():
            assert isinstance(action, Start)
            supervisor.start(action.run)
    argv = process.own_program(PROGRAM, "look", str(store.batch(1)), "1")
    chance = random.Random(4)  # noqa: S311 - no secret
    for _ in range(2):
        with subprocess.Popen(argv) as child:
            time.sleep(chance.random() * 0.5)
            child.send_signal(signal.SIGKILL)
    both = [subprocess.Popen(argv) for _ in range(2)]
    assert [child.wait(60) for child in both] == [0, 0]
    first = (store.batch(1) / "look-1.json").read_bytes()
    assert (store.batch(1) / "look-1.json").read_bytes() == first
    assert [look.number for look in taken(store)] == [1]


def test_killed_supervisors(store: Store) -> None:
    """Whenever supervisors are killed, the next goes on; each run and each look comes once."""
    code = (
        "import sys; from pathlib import Path; from tests import instant, test_until as t;"
        "instant.register(); from nbbg.supervisor import loop; print('ready', flush=True);"
        "s = loop.Supervisor(Path(sys.argv[1]), {}); s.executor = t.Measured(t.noise); s.run()"
    )
    chance = random.Random(9)  # noqa: S311 - no secret
    for _ in range(2):
        child = records.start(code, store.batch(1), env={"PYTHONPATH": "."})
        time.sleep(chance.random())
        records.end(child)
    see(store, noise)
    assert len(taken(store)) == 2
    with Index(store) as index:
        found = index.counts(1)
    assert sum(found.values()) == 16
    assert found["succeeded"] >= 12  # what was killed in mid-run, with its supervisor, is lost
    assert [runs.newest_attempt(store.run(1, run)) for run in range(1, 17)] == [1] * 16


def test_one_that_is_not_needed_can_be_run(store: Store) -> None:
    """After the decision, a run that a person names goes ahead; the verdict stays."""
    see(store, better)
    time.sleep(0.01)
    runs.new_attempt(store, 1, 16, 1)
    batches.add_event(store, 1, "queued", 16, 1)
    assert see(store, lambda *_: -1000.0).runs() == [16]
    assert report(store).winner == "b"
    assert report(store).needless == 3


def test_a_stop_between_looks(store: Store) -> None:
    """A stopped batch takes no look; taken back, it goes on where it was."""
    batches.ask_to_stop(store.batch(1), "nbbg stop", after_run=True)
    see(store, better)
    assert taken(store) == []
    with Index(store) as index:
        assert index.counts(1) == {"stopped": 16}
    batches.take_back_stop(store, 1)
    assert see(store, better).runs() == list(range(1, 13))


def test_a_look_that_cannot_be_read(store: Store) -> None:
    """A damaged look ends the batch, by name; it is never taken a second time."""
    see(store, better)
    (store.batch(1) / "look-1.json").write_bytes(b"{")
    assert see(store, better).runs() == []
    assert report(store).verdict == "look-1.json can't be read"
    assert not report(store).decided
    assert (store.batch(1) / "look-1.json").read_bytes() == b"{"


def test_waiting_for_the_verdict(store: Store) -> None:
    """Where all runs have ended and a supervisor is at it, the last look is waited for."""
    for run in range(1, 17):
        with an_attempt(store, run=run) as attempt:
            attempt.claim()
            line = {"values": {"score": noise("ab"[(run - 1) % 2], (run + 1) // 2, 1)}}
            (attempt.path / paths.METRICS).write_bytes(files.to_line(line))
            attempt.end()
    supervisor = threading.Thread(target=supervise, args=(store.batch(1), {}))
    supervisor.start()
    until(lambda: batches.supervisor_pid(store.batch(1)) is not None)
    with Index(store) as index:
        assert len(list(waiting.as_they_end(index, range(1, 17)))) == 16
    assert len(taken(store)) == 2
    supervisor.join(60)


@pytest.mark.parametrize(
    ("word", "runs_", "given", "why"),
    [
        (None, None, {"metric": "a"}, "--metric goes with --until decided"),
        (None, None, {"max_runs": 30}, "--max-runs goes with --until decided"),
        ("soon", None, {}, "--until soon: there is --until decided"),
        ("decided", None, {"max_runs": 30}, "by what"),
        ("decided", None, {"metric": "a"}, "how many runs of each arm at most"),
        ("decided", 5, {"metric": "a", "max_runs": 30}, "exclude each other"),
        ("decided", None, {"metric": "a", "max_runs": 0}, "--max-runs 0: a number"),
        ("decided", None, {"metric": "a", "max_runs": "x"}, "--max-runs x: a number"),
    ],
)
def test_what_is_refused(
    word: str | None, runs_: int | None, given: dict[str, object], why: str
) -> None:
    """What is missing, or excludes the other, is said in a sentence."""
    with pytest.raises(UsageError, match=why):
        deciding.asked(word, runs_, given)


@pytest.mark.parametrize(
    ("arms", "more", "why"),
    [
        (["a"], {}, "one arm can't be compared"),
        (["a", "b"], {"max_runs": 5}, "at least --max-runs 6"),
        (["a", "b"], {"max_runs": 5000}, "at most 1000"),
        (["a", "b"], {"baseline": "c"}, "the baseline 'c' is none of the arms"),
        ([f"a{k}" for k in range(61)], {}, "too many to compare each with each"),
    ],
)
def test_designs_that_are_refused(arms: list[str], more: dict[str, Any], why: str) -> None:
    """A launch that could never be decided is refused before anything runs."""
    given = {"max_runs": 30, "lower_is_better": False, "baseline": "", **more, "arms": arms}
    with pytest.raises(UsageError, match=why):
        looking.design(given)


def test_a_supervisor_loads_no_statistics() -> None:
    """Neither NumPy and SciPy nor what reads notebooks is in what lives as long as a batch."""
    heavy = {"numpy", "scipy", "jupytext", "nbformat"}
    code = f"import sys, nbbg.supervisor.loop; print({heavy} & set(sys.modules) or '')"
    done = subprocess.run(records.python(code), capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
