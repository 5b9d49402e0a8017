"""The index: a cache that says what the facts say, whatever becomes of it."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbbg import files, model, paths
from nbbg.index import Index
from nbbg.store import batches, database, place, plans, reading, runs
from tests import records
from tests.records import Attempt, an_attempt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbbg.store.place import Store
    from tests.project import Project

RUNS = 4  # of each batch
READ = """
import sys
from collections import Counter
from pathlib import Path
from nbbg.index import Index
from nbbg.store import place
store, total = place.open_store(Path(sys.argv[1])), int(sys.argv[2])
print("ready", flush=True)
with Index(store) as index:
    looks = 0
    while not Path(sys.argv[3]).exists():
        index.refresh()
        counts = index.counts(1)
        assert sum(counts.values()) == total, counts
        words = Counter(run.state.word for run in index.runs())
        assert sum(words.values()) == total, words
        looks += 1
    index.refresh()
    print(sorted(index.counts(1).items()))
"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store with one batch."""
    made = records.make_store(tmp_path / "project")
    records.publish(made, RUNS)
    return made


@pytest.fixture
def quick_store() -> Iterator[Store]:
    """An empty store in memory."""
    with records.quick_folder() as folder:
        yield records.make_store(folder / "project")


@pytest.fixture
def filled(store: Store) -> Iterator[Store]:
    """A store with a run that has ended, one that lives, one that was lost and one that waits."""
    with (
        an_attempt(store) as over,
        an_attempt(store, run=2) as live,
        an_attempt(store, run=3) as lost,
    ):
        for attempt in (over, live, lost):
            attempt.claim()
            batches.add_event(store, 1, "starting", int(attempt.path.parent.name), 1)
        over.end()
        lost.let_go()
        yield store


FILLED = ["succeeded", "running", "lost", "queued"]


def from_facts(store: Store) -> dict[int, str]:
    """The state of every run, each derived from its folder."""
    found = {}
    for number in store.batch_numbers():
        batch, stopped = batches.read(store, number), batches.stopped_by(store, number)
        for plan in plans.read(store.batch(number) / paths.PLAN):
            found[plan.id] = reading.read(store, batch, plan, stopped).state.word
    return found


def check(index: Index) -> None:
    """Compare all that an index tells with the facts."""
    index.refresh()
    facts = from_facts(index.store)
    assert {run.id: run.state.word for run in index.runs()} == facts
    for batch in index.batches():
        mine = [facts[number] for number in range(batch.first, batch.last + 1)]
        assert index.counts(batch.id) == Counter(mine)
    for number in facts:
        run = index.run(number)
        assert run is not None
        assert run.attempt == runs.newest_attempt(index.store.run(run.batch, number))
    live = {number for number, word in facts.items() if word in ("submitted", "running", "unknown")}
    assert live <= {run.id for run in index.live()}


def words(store: Store) -> list[str]:
    """The states of the runs as a new reader tells them."""
    with Index(store) as index:
        check(index)
        return [run.state.word for run in index.runs()]


class Life:
    """A store in which things happen to runs, as supervisors, runners and people make them."""

    def __init__(self, folder: Path) -> None:
        self.store = records.make_store(folder)
        self.attempts: dict[int, Attempt] = {}
        records.publish(self.store, RUNS)

    def batch_of(self, run: int) -> int:
        """The batch of a run."""
        return (run - 1) // RUNS + 1

    def event(self, event: str, run: int) -> None:
        """Append a hint."""
        folder = self.store.run(self.batch_of(run), run)
        batches.add_event(
            self.store, self.batch_of(run), event, run, runs.newest_attempt(folder) or 1
        )

    def launch(self, _: int) -> None:
        """Another batch."""
        records.publish(self.store, RUNS)

    def start(self, run: int) -> None:
        """A supervisor starts a run, its runner claims it."""
        state = from_facts(self.store)[run]
        if state not in ("queued", "stopped") or run in self.attempts:
            return
        self.event("starting", run)
        _, path = runs.open_attempt(self.store, self.batch_of(run), run)
        if not (path / paths.PROCESS).exists():
            self.attempts[run] = Attempt(path)
            self.attempts[run].claim()

    def end(self, run: int) -> None:
        """A run ends, and the supervisor notes it."""
        if attempt := self.attempts.pop(run, None):
            attempt.end(state="failed", error=None, ended_at=1.0)
            self.ended(run, attempt)

    def ended(self, run: int, attempt: Attempt) -> None:
        """The supervisor's event, with what it tells of every second run."""
        with files.Folder(attempt.path) as folder:
            kept = reading.kept_of(folder, model.Failed(None)) if run % 2 else None
        number = int(attempt.path.name)
        batches.add_event(self.store, self.batch_of(run), "ended", run, number, kept)

    def end_late(self, run: int) -> None:
        """A run ends, and is queued again before the supervisor notes it."""
        if attempt := self.attempts.pop(run, None):
            attempt.end(state="failed", error=None, ended_at=1.0)
            self.again(run)
            self.ended(run, attempt)

    def end_unnoticed(self, run: int) -> None:
        """A run ends while there is no supervisor."""
        if attempt := self.attempts.pop(run, None):
            attempt.end()

    def end_without_runner(self, run: int) -> None:
        """An engine whose runner was killed ends."""
        if attempt := self.attempts.pop(run, None):
            attempt.tell("end", status="exited", exit_code=3, ordinal=1)
            attempt.let_go()

    def kill(self, run: int) -> None:
        """Everything of a run is killed."""
        if attempt := self.attempts.pop(run, None):
            attempt.let_go()

    def again(self, run: int) -> None:
        """A person says `retry` or `resume`."""
        folder = self.store.run(self.batch_of(run), run)
        if run not in self.attempts and (number := runs.newest_attempt(folder)):
            batches.take_back_stop(self.store, self.batch_of(run))
            runs.new_attempt(self.store, self.batch_of(run), run, number + 1)
            self.event("queued", run)

    def stop(self, run: int) -> None:
        """A person stops a run that waits."""
        if from_facts(self.store)[run] == "queued":
            _, path = runs.open_attempt(self.store, self.batch_of(run), run)
            batches.ask_to_stop(path, "nbbg stop")
            self.event("stopped", run)

    def stop_batch(self, run: int) -> None:
        """A person stops a batch after its runs."""
        batches.ask_to_stop(self.store.batch(self.batch_of(run)), "nbbg stop", after_run=True)

    def resume_batch(self, run: int) -> None:
        """A person takes it back."""
        batches.take_back_stop(self.store, self.batch_of(run))

    def spoil(self, run: int) -> None:
        """The index is lost, or restored from yesterday."""
        path = self.store.folder / paths.INDEX
        if run % 2:
            path.unlink(missing_ok=True)
        elif path.exists():
            os.truncate(path, path.stat().st_size // 2)


HAPPENINGS = [
    *(Life.launch, Life.start, Life.start, Life.end, Life.end_unnoticed, Life.end_without_runner),
    *(
        Life.end_late,
        Life.kill,
        Life.again,
        Life.stop,
        Life.stop_batch,
        Life.resume_batch,
        Life.spoil,
    ),
]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(HAPPENINGS), st.integers(1, 2 * RUNS), st.booleans()),
        min_size=5,
        max_size=30,
    )
)
def test_it_tells_what_the_facts_tell(happenings: list[tuple[object, int, bool]]) -> None:
    """Whatever happens, an old reader, a new one and the facts agree on every run and count."""
    with records.quick_folder() as folder:
        life = Life(folder)
        with Index(life.store) as old:
            for happening, run, look in happenings:
                assert callable(happening)
                last = batches.read(life.store, life.store.batch_numbers()[-1]).last
                happening(life, min(run, last))
                if look:
                    check(old)
                    words(life.store)
            check(old)
            words(life.store)
        for attempt in life.attempts.values():
            attempt.let_go()


def test_ten_readers_while_runs_end(quick_store: Store) -> None:
    """Readers that refresh one index at once count every run once, and agree at the end."""
    store, over = quick_store, quick_store.root / "over"
    records.publish(store, 30)
    env = {"PYTHONPATH": os.getcwd()}
    readers = [records.start(READ, store.root, "30", over, env=env) for _ in range(10)]
    chance = random.Random(1)  # noqa: S311 - the same each time
    live: dict[int, Attempt] = {}
    for _ in range(150):
        run = chance.randint(1, 30)
        if run in live:
            live.pop(run).end()
            if chance.random() < 0.8:
                batches.add_event(store, 1, "ended", run, 1)
        else:
            number = runs.newest_attempt(store.run(1, run)) + 1
            batches.add_event(store, 1, "starting" if number == 1 else "queued", run, number)
            live[run] = Attempt(runs.new_attempt(store, 1, run, number))
            batches.add_event(store, 1, "queued", run, number)
            live[run].claim()
    for attempt in live.values():
        attempt.end()
    over.touch()
    said = {reader.communicate()[0] for reader in readers}
    assert [reader.returncode for reader in readers] == [0] * 10
    assert said == {f"{sorted(Counter(from_facts(store).values()).items())}\n"}
    words(store)


def test_what_another_reader_has_closed_is_counted_once(filled: Store) -> None:
    """A run that another reader has closed or opened since is told neither twice nor not at all."""
    with Index(filled) as old, an_attempt(filled, run=4) as fourth:
        fourth.claim()
        batches.add_event(filled, 1, "starting", 4, 1)
        words(filled)
        assert sum(old.counts(1).values()) == RUNS
        found = old.run(4)
        assert found is not None
        assert found.state == model.Running()
        fourth.end()
        words(filled)
        assert sum(old.counts(1).values()) == RUNS


def test_a_retried_run_is_opened_again(store: Store) -> None:
    """A run that had ended is what its new attempt is, for old and new readers."""
    with Index(store) as old, an_attempt(store) as first:
        first.claim()
        batches.add_event(store, 1, "starting", 1, 1)
        first.end(state="failed", error=None)
        check(old)
        assert old.counts(1) == {"failed": 1, "queued": 3}
        with an_attempt(store) as second:
            batches.add_event(store, 1, "queued", 1, 2)
            check(old)
            assert old.counts(1) == {"queued": 4}
            second.claim()
            check(old)
            assert old.counts(1) == {"running": 1, "queued": 3}
            assert words(store)[0] == "running"


def test_what_is_kept_of_an_ended_run(store: Store) -> None:
    """Of a run that has ended all that was known is told again without looking at its folder."""
    with an_attempt(store) as attempt:
        batches.add_event(store, 1, "starting", 1, 1)
        attempt.claim(at=5.0)
        attempt.tell("engine", pid=7, start_time=8)
        attempt.tell("begin", cells=3)
        attempt.tell("cell", cell=1, ordinal=2, cells=3, count=2, log=0)
        (attempt.path / paths.METRICS).write_text(
            '{"values": {"loss": NaN, "b": 1}}\n{"values": {"b": 2}}\n'
        )
        attempt.end(state="killed", signal="SIGKILL", cell=2, out_of_memory=True, ended_at=9.0)
    with Index(store) as index:
        first = index.run(1)
    with Index(store) as index:
        shutil.move(store.run(1, 1), store.root / "away")
        second = index.run(1)
    assert first is not None
    assert repr(first) == repr(second)
    assert first.state == model.Killed("SIGKILL", 2, out_of_memory=True)
    assert (first.pid, first.runner_pid, first.cell, first.cells) == (7, os.getpid(), 2, 3)
    assert (first.started_at, first.ended_at, first.metrics["b"]) == (5.0, 9.0, 2)


def garbage_in_the_middle(path: Path) -> None:
    """Overwrite all pages but the first."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(random.Random(3).randbytes(size - 4096))  # noqa: S311 - the same each time


def in_its_place(path: Path) -> None:
    """Put a folder in its place, which can be neither read, written nor removed."""
    path.unlink()
    (path / "full").mkdir(parents=True)


@pytest.mark.parametrize(
    "spoil",
    [
        Path.unlink,
        in_its_place,
        garbage_in_the_middle,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"garbage" * 5000),
        lambda path: os.truncate(path, 100),
        lambda path: os.truncate(path, 4096),
        lambda path: os.truncate(path, path.stat().st_size - 4096),
        lambda path: path.write_bytes(bytes(path.stat().st_size)),
    ],
)
def test_a_spoilt_index_harms_nothing(filled: Store, spoil: object) -> None:
    """Deleted, cut, overwritten or replaced: the facts are told, and the index is made anew."""
    path = filled.folder / paths.INDEX
    assert words(filled) == FILLED
    assert callable(spoil)
    with Index(filled) as old:
        spoil(path)
        assert words(filled) == FILLED
        check(old)
    assert words(filled) == FILLED
    if path.is_file():
        assert path.stat().st_mode & 0o777 == 0o600
        db = sqlite3.connect(path)
        assert db.execute("SELECT count(*) FROM runs").fetchone() == (RUNS,)
        db.close()


def test_an_index_of_a_newer_nbbg_is_left_alone(filled: Store) -> None:
    """An index that a newer nbbg has made is not read, and not destroyed."""
    path = filled.folder / paths.INDEX
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE newer (a)")
    db.execute("PRAGMA user_version = 1000000")
    db.close()
    before = path.read_bytes()
    assert words(filled) == FILLED
    assert path.read_bytes() == before


def test_an_older_sqlite_can_make_it() -> None:
    """That of RHEL 9, 3.34, knows no conflict whose columns are not named."""
    made = [sql for (sql,) in database.in_memory().execute("SELECT sql FROM sqlite_master")]
    assert any("ON CONFLICT (batch, word) DO" in str(sql) for sql in made)
    assert not any("ON CONFLICT DO" in str(sql) for sql in made)


def test_an_index_of_an_older_nbbg_is_made_anew(filled: Store) -> None:
    """An index that an older nbbg has made is replaced by one of our own."""
    path = filled.folder / paths.INDEX
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE older (a)")
    db.execute(f"PRAGMA user_version = {database.VERSION - 1}")
    db.close()
    assert words(filled) == FILLED
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA user_version").fetchone() == (database.VERSION,)
    db.close()


def test_an_index_that_is_in_use_is_left_alone(
    filled: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While another process keeps the index to itself the facts are read, and it stays."""
    monkeypatch.setattr(database, "PATIENCE", 0.1)
    path = filled.folder / paths.INDEX
    assert words(filled) == FILLED
    inode = path.stat().st_ino
    with Index(filled) as old:
        db = sqlite3.connect(path, isolation_level=None)
        db.execute("BEGIN EXCLUSIVE")
        assert words(filled) == FILLED
        check(old)
        db.execute("COMMIT")
        db.close()
    assert path.stat().st_ino == inode


def test_a_store_that_can_not_be_written_is_read(filled: Store) -> None:
    """In a folder that can't be written everything is told, with and without an index in it."""
    for indexed in (False, True):
        if indexed:
            words(filled)
        else:
            (filled.folder / paths.INDEX).unlink(missing_ok=True)
        if subprocess.run(["chattr", "+i", filled.folder], check=False).returncode:
            pytest.skip("this file system has no immutable folders")
        try:
            with Index(filled) as index:
                assert [run.state.word for run in index.runs()] == FILLED
                records.Attempt(filled.run(1, 2) / "1").end()
                index.refresh()
                assert index.counts(1) == {"succeeded": 2, "lost": 1, "queued": 1}
                os.unlink(filled.run(1, 2) / "1" / paths.RESULT)
        finally:
            subprocess.run(["chattr", "-i", filled.folder], check=True)


def test_a_batch_that_was_removed_is_forgotten(filled: Store) -> None:
    """The runs of a batch whose folder is gone are told no more; the others are."""
    records.publish(filled, 2)
    with Index(filled) as old:
        shutil.rmtree(filled.batch(1))
        check(old)
        assert [run.id for run in old.runs()] == [5, 6]
        assert [batch.id for batch in old.batches()] == [2]
    assert words(filled) == ["queued", "queued"]


@pytest.mark.parametrize("name", [paths.BATCH, paths.PLAN])
def test_a_batch_that_can_not_be_read_is_named(filled: Store, name: str) -> None:
    """A spoilt batch is left out and named; the other batches are told as ever."""
    records.publish(filled, 2)
    with Index(filled) as old:
        (filled.batch(2) / name).write_bytes(b"{")
        (filled.folder / paths.INDEX).unlink()
        with Index(filled) as index:
            assert [run.state.word for run in index.runs()] == FILLED
            assert [batch.id for batch in index.batches()] == [1]
            assert str(filled.batch(2) / name) in index.unreadable[2]
            index.refresh()
            assert sum(index.counts(1).values()) == RUNS
        old.refresh()
        assert len(old.runs()) >= RUNS


def test_events_that_were_cut_are_read_anew(filled: Store) -> None:
    """When the events are not those that were read, the batch is looked at again."""
    with Index(filled) as old:
        (filled.batch(1) / paths.EVENTS).write_bytes(b"")
        check(old)
        (filled.batch(1) / paths.EVENTS).unlink()
        check(old)
    assert words(filled) == FILLED


def test_a_launch_beside_a_spoilt_batch_is_refused(project: Project) -> None:
    """Readers tell what they can and name the rest; a launch, which can't know it, is refused."""
    project.write("train.ipynb", "pass")
    for _ in range(2):
        project.nbbg("run", "train.ipynb", "--runs", "+1", "--wait")
    (project.batch("b1") / "batch.json").write_text("{")
    (project.root / ".nbbg" / "index.db").unlink()
    said = project.nbbg("status")
    assert "b2" in said.stdout
    assert "batches/1/batch.json can't be read" in said.stderr
    assert [run["id"] for run in project.runs()] == [2]
    said = project.nbbg("run", "train.ipynb", "--runs", "2", code=2)
    assert "batches/1/batch.json can't be read" in said.stderr
    assert not (project.root / ".nbbg" / "batches" / "3").exists()


def test_nothing_was_launched_yet(tmp_path: Path) -> None:
    """Reading a project without a store makes none."""
    with Index(place.open_store(tmp_path)) as index:
        assert (index.batches(), index.runs(), index.counts(1)) == ([], [], {})
    assert os.listdir(tmp_path) == []
