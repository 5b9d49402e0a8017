"""Long plans: what must not grow with them does not, and what is shown of them fits a screen."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from nbbg import files, model, paths, settings
from nbbg.errors import StoreError
from nbbg.index import Index
from nbbg.ops import again, pace, project, reports, selection, steer
from nbbg.store import arms, batches, place, reading, runs
from nbbg.supervisor.queue import Queue
from tests import records
from tests.records import an_attempt

if TYPE_CHECKING:
    from pathlib import Path

    from nbbg.store.place import Store
    from tests.project import Project

# Counts the files that are opened from the store while the words are carried out.
OPENS = """
import sys
from pathlib import Path
from nbbg.index import Index
from nbbg.ops import reports
from nbbg.store import batches, place
from nbbg.supervisor.queue import Queue
store = place.open_store(Path(sys.argv[1]))
seen = []
sys.addaudithook(lambda event, given: event in ("open", "os.listdir", "os.scandir") and
                 seen.append(str(given[0])))
{words}
print(len([name for name in seen if ".nbbg" in name or name.isdigit() or name.endswith("json")]))
"""
READ = "with Index(store) as index: reports.of_batch(index, index.batch(1)); index.run(5)"
SUPERVISE = "Queue(store, batches.read(store, 1)).head(1)"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store."""
    return records.make_store(tmp_path / "project")


def finish(store: Store, run: int, *, told: bool = True, **record: object) -> None:
    """A run that has ended, and the event that tells it."""
    with an_attempt(store, run=run) as attempt:
        attempt.claim()
        (attempt.path / paths.METRICS).write_text('{"values": {"loss": 0.5}}\n')
        attempt.end(**record)
        with files.Folder(attempt.path) as folder:
            ended = attempt.state()
            assert isinstance(ended, model.Ended)
            kept = reading.kept_of(folder, ended) if told else None
    batches.add_event(store, 1, "ended", run, runs.newest_attempt(store.run(1, run)), kept)


def opens(store: Store, words: str) -> int:
    """How many files and folders are opened."""
    said = subprocess.run(
        records.python(OPENS.format(words=words), store.root),
        env={"PYTHONPATH": os.getcwd()},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(said.stdout)


@pytest.mark.parametrize("words", [READ, SUPERVISE])
def test_no_more_files_are_opened_for_more_runs(tmp_path: Path, words: str) -> None:
    """A first reading, and the start of a supervisor, open as many files for 8 runs as for 80."""
    counted = []
    for count in (8, 80):
        store = records.make_store(tmp_path / str(count))
        records.publish(store, 5 * count)
        for run in range(1, count + 1):
            finish(store, run)
        counted.append(opens(store, words))
    assert counted[0] == counted[1] > 0


def test_what_an_event_tells_is_what_the_folder_tells(store: Store) -> None:
    """A run that is read from its event alone is the same as one read from its facts."""
    records.publish(store, 2)
    for run in (1, 2):
        finish(store, run, told=run == 1, state="failed", error=None, ended_at=5.0)
    with Index(store) as index:
        one, two = index.runs()
    assert one.state == two.state == model.Failed(None)
    assert one.metrics == two.metrics == {"loss": 0.5}
    for name in ("host", "pid", "runner_pid", "ended_at", "cell", "cells", "resumed_after"):
        assert getattr(one, name) == getattr(two, name)


@pytest.mark.parametrize(
    "kept", [7, {}, {"ending": 1}, {"ending": {"state": "newer"}}, {"ending": {"state": "failed"}}]
)
def test_an_event_that_tells_nonsense_is_a_hint(store: Store, kept: object) -> None:
    """What an event tells and can't be understood is read from the facts."""
    records.publish(store, 1)
    finish(store, 1, told=False)
    event = {"event": "ended", "run": 1, "attempt": 1, "kept": kept}
    (store.batch(1) / paths.EVENTS).write_bytes(files.to_line(event))
    with Index(store) as index:
        assert [run.state.word for run in index.runs()] == ["succeeded"]


def test_a_late_event_does_not_end_the_next_attempt(store: Store) -> None:
    """A run that was queued again before its first end was noted waits, for old and new readers."""
    records.publish(store, 1)
    with Index(store) as old:
        finish(store, 1, state="failed", error=None)
        last = (store.batch(1) / paths.EVENTS).read_bytes()
        runs.new_attempt(store, 1, 1, 2)
        batches.add_event(store, 1, "queued", 1, 2)
        for _ in range(2):
            with (store.batch(1) / paths.EVENTS).open("ab") as file:
                file.write(last)
            old.refresh()
            assert old.counts(1) == {"queued": 1}
    (store.folder / paths.INDEX).unlink()
    with Index(store) as index:
        assert index.counts(1) == {"queued": 1}


def many(store: Store, count: int) -> model.Batch:
    """A batch of so many arms, with one run each; names do not rise with the ids."""
    made = {
        f"train/x={number}": records.an_arm(
            f"train/x={number}", params={"x": number}, cwd=str(store.root / "sub")
        )
        for number in reversed(range(count))
    }

    def draft(number: int, first: int) -> batches.Draft:
        one = records.a_draft(number, first, range(1, count + 1))
        plan = [model.Planned(first + offset, name, 1, 1) for offset, name in enumerate(made)]
        batch = model.Batch(**{**{f: getattr(one.batch, f) for f in vars(one.batch)}, "arms": made})
        return batches.Draft(batch, plan, {})

    found = batches.publish(store, draft)
    assert found is not None
    return found


@pytest.mark.parametrize("count", [arms.FEW, arms.FEW + 1, 1000])
def test_arms_come_back_whether_few_or_many(store: Store, count: int) -> None:
    """Every arm of a batch is found by its name, none other is, and all are gone through."""
    made = many(store, count)
    found = batches.read(store, 1)
    assert found == made
    assert len(found.arms) == count
    assert {arm.name: arm for arm in arms.each(found.arms)} == dict(made.arms)
    for name in ("", "train", "train/x=-1", "zzz"):
        assert name not in found.arms
    with Index(store) as index:
        assert [run.arm.params["x"] for run in index.each()] == list(reversed(range(count)))


def test_equal_values_of_other_types_stay_apart(store: Store) -> None:
    """1, 1.0 and True are equal in Python; an arm's parameters come back as they were given."""
    values = [True, 1, 1.0] * 50
    made = {f"a{n}": records.an_arm(f"a{n}", params={"x": x}) for n, x in enumerate(values)}
    record, content = arms.to_files(made, store.root)
    for name, data in content.items():
        (store.folder / name).write_bytes(data)
    found = arms.from_json(record, store.folder, str(store.root))
    assert [repr(found[f"a{n}"].params["x"]) for n in range(150)] == list(map(repr, values))


def test_a_large_batch_does_not_grow_the_record(tmp_path: Path) -> None:
    """What each command reads of a batch is as long for 200 arms as for 2,000."""
    sizes = []
    for count in (200, 2000):
        store = records.make_store(tmp_path / str(count))
        many(store, count)
        sizes.append((store.batch(1) / paths.BATCH).stat().st_size)
    assert sizes[1] - sizes[0] < 8  # digits of the ids


def test_lost_arms_are_named(store: Store) -> None:
    """A batch whose arms are gone is an error that says so."""
    many(store, arms.FEW + 1)
    (store.batch(1) / paths.ARMS).unlink()
    with pytest.raises(StoreError, match=r"arms\.jsonl is gone"):
        batches.read(store, 1)


def test_a_supervisor_goes_on_where_the_plan_stands(store: Store) -> None:
    """A new supervisor starts after what has begun, also where that has gaps."""
    records.publish(store, 30)
    for run in (1, 2, 3, 5, 30):
        finish(store, run)
    queue = Queue(store, batches.read(store, 1))
    started = []
    while head := queue.head(1):
        queue.take(head[0])
        started += head
    assert started == [4, *range(6, 30)]


def test_a_whole_batch_is_stopped_and_chosen_again(store: Store, tmp_path: Path) -> None:
    """`stop` of a batch of 3,000 makes no folder a run; `resume` finds all that wait."""
    records.publish(store, 3000)
    finish(store, 1)
    where = project.Project(tmp_path, settings.resolve(tmp_path, {}, {}), store)
    with Index(store) as index:
        asked = steer.stop(where, index, ["b1"], by="nbbg stop")
        assert asked.waiting == list(range(2, 3001))
        assert os.listdir(store.batch(1) / paths.RUNS) == ["1"]
        index.refresh()
        assert [run.id for run in again.resumable(index, [])] == asked.waiting
        assert [run.id for run in again.resumable(index, ["7", "9"])] == [7, 9]
        assert selection.numbers(index, ["b1", "1"]) == list(range(1, 3001))


def test_many_that_end_at_one_instant_are_waited_for(project: Project) -> None:
    """`wait` takes in 1,000 endings of one second, and tells the first failures alone."""
    store = place.open_store(project.root)
    place.make(store)
    records.publish(store, 1000)
    (store.batch(1) / paths.EVENTS).write_bytes(b"".join(map(an_end, range(1, 1001))))
    done = project.nbbg("wait", "b1", code=1)
    assert done.stderr.count("nbbg show") == 20
    assert "and 80 more did not succeed" in done.stderr
    assert "900 of 1000 succeeded" in done.stderr


def an_end(run: int) -> bytes:
    """The event of a run that has ended; of each ten one has failed."""
    ending = {"state": "succeeded"} if run % 10 else {"state": "failed", "error": None}
    kept = {"ending": ending, "started_at": 1.0, "ended_at": 2.0, "metrics": {}}
    return files.to_line({"event": "ended", "run": run, "attempt": 1, "kept": kept})


def steps(root: Path, count: int) -> int:
    """What SQLite does, in steps, for all that `status` asks about so many ended runs."""
    store = records.make_store(root / str(count))
    records.publish(store, count)
    (store.batch(1) / paths.EVENTS).write_bytes(b"".join(map(an_end, range(1, count + 1))))
    with Index(store) as index:
        done: list[None] = []
        index._db.set_progress_handler(lambda: done.append(None), 1)  # noqa: SLF001 - counted there
        index.refresh()
        reports.of_batch(index, index.batch(1))
        assert index.size() == 0
        assert index.unfinished() == []
        assert len(index.runs("arm = ?", ("train",), limit=100)) == 100  # `show`
        assert len(index.runs("open = 0 AND word <> 'queued'", limit=10)) == 10
        return len(done)


def test_status_costs_the_same_for_more_runs(tmp_path: Path) -> None:
    """No question of `status` to the index goes through all runs."""
    assert steps(tmp_path, 3000) < 1.2 * steps(tmp_path, 300)


def test_what_is_counted_follows_the_runs(store: Store) -> None:
    """Counts and sizes are right after runs have ended, were queued again, and went."""
    records.publish(store, 4)
    finish(store, 1)
    finish(store, 2, state="failed", error=None)
    with Index(store) as index:
        assert index.counts(1) == {"succeeded": 1, "failed": 1, "queued": 2}
        size = index.size()
        assert size == index.size(1) > 0
        runs.new_attempt(store, 1, 2, 2)
        batches.add_event(store, 1, "queued", 2, 2)
        index.refresh()
        assert index.counts(1) == {"succeeded": 1, "queued": 3}
        assert 0 < index.size() < size
        assert index.unfinished() == [1]
        shutil.rmtree(store.batch(1))
        index.refresh()
        assert index.size() == 0


def test_a_large_batch_is_shown_in_part(project: Project) -> None:
    """`status` shows a screenful of 1,500 runs, and every one of them when asked by name."""
    store = place.open_store(project.root)
    place.make(store)
    records.publish(store, 1500)
    (store.batch(1) / paths.EVENTS).write_bytes(b"".join(map(an_end, range(1, 1001))))
    assert len(project.nbbg("status").stdout.splitlines()) < 30
    whole = project.nbbg("status", "b1").stdout.splitlines()
    assert sum(" train " in line for line in whole) == 1500
    some = project.status()
    assert 0 < len(some["runs"]) < 30
    (batch,) = some["batches"]
    assert (batch["total"], batch["done"], batch["failed"]) == (1500, 1000, 100)
    assert len(project.runs("b1")) == 1500
    assert json.loads(project.nbbg("show", "1234", "--json").stdout)["state"] == "queued"


@pytest.mark.parametrize(
    ("ends", "begun", "queued", "jobs", "rate", "left"),
    [
        ([], [3.0], 5, 1, None, None),
        ([(0.0, 10.0)], [5.0], 2, 1, 3600 / 15, 25.0),  # half of one, and two more
        ([(0.0, 10.0)], [5.0, 1.0], 0, 2, 3600 / 15, 9.0),  # the longest to go
        ([(t, t + 10.0) for t in range(0, 100, 10)], [0.0], 9, 4, 360.0, 100.0),  # one at a time
    ],
)
def test_pace(
    ends: list[tuple[float, float]],
    begun: list[float],
    queued: int,
    jobs: int,
    rate: float | None,
    left: float | None,
) -> None:
    """Rate and time left follow from the last endings, the live runs and what waits."""
    now = max((end for _, end in ends), default=0.0) + (5.0 if len(ends) == 1 else 0.0)
    found = pace.rate_and_left(ends, now, begun, queued, jobs)
    assert list(found) == [pytest.approx(rate), pytest.approx(left)]
