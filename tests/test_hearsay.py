"""What an executor says of an attempt elsewhere explains a missing result, and nothing more."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from nbbg import executors, model, paths
from nbbg.executors import get
from nbbg.index import Index
from nbbg.ops import asking
from nbbg.store import batches, hearsay, runs
from tests import records
from tests.records import HOST, Attempt

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

    from nbbg.store.place import Store

WORD = model.Word


@pytest.fixture
def store() -> Iterator[Store]:
    """A store with one batch of one run."""
    with records.quick_folder() as folder:
        made = records.make_store(folder / "project")
        records.publish(made)
        yield made


@pytest.fixture
def attempt(store: Store) -> Attempt:
    """An attempt that another machine has claimed."""
    made = Attempt(runs.new_attempt(store, 1, 1, 1))
    made.claim(hold=False, host=HOST, boot=records.EARLIER_BOOT)
    return made


def tell(store: Store, word: model.Word, reason: str = "") -> None:
    """Keep a word about it."""
    hearsay.write(store.batch(1), {"1/1": model.Told(word, reason)})


def age(store: Store, seconds: float) -> None:
    """Make what was told older."""
    path = store.batch(1) / paths.TOLD
    record = json.loads(path.read_bytes())
    for one in record["tickets"].values():
        one["since"] -= seconds
    path.write_text(json.dumps(record))


def test_what_is_said_is_told(store: Store, attempt: Attempt) -> None:
    """It runs, waits or can't be asked, as its executor says."""
    tell(store, WORD.RUNNING)
    assert attempt.state() == model.Running()
    tell(store, WORD.QUEUED, "Resources")
    assert attempt.state() == model.Submitted("Resources")
    tell(store, WORD.UNKNOWN, "the link is cut")
    assert attempt.state() == model.Unknown(f"it runs on {HOST}, the link is cut")


def test_gone_is_lost_only_after_a_grace(store: Store, attempt: Attempt) -> None:
    """A result may be on the way: until then nothing is called lost."""
    tell(store, WORD.GONE)
    assert isinstance(attempt.state(), model.Unknown)
    tell(store, WORD.GONE)
    age(store, hearsay.GRACE + 1)
    assert isinstance(attempt.state(), model.Lost)
    tell(store, WORD.GONE)  # said again: since when stays
    assert isinstance(attempt.state(), model.Lost)
    tell(store, WORD.RUNNING)
    tell(store, WORD.GONE)
    assert isinstance(attempt.state(), model.Unknown)


@pytest.mark.parametrize("then", ["stopped", "succeeded"])
def test_an_end_is_not_guessed_while_the_result_may_come(
    store: Store, attempt: Attempt, then: str
) -> None:
    """Neither a stop that was asked for nor the notebook's end tells the ending before a grace."""
    if then == "stopped":
        attempt.write(paths.STOP, {"by": "you", "at": 1.0})
    else:
        attempt.tell("end", status="succeeded", ordinal=1)
    tell(store, WORD.GONE)
    assert isinstance(attempt.state(), model.Unknown)
    age(store, hearsay.GRACE + 1)
    assert attempt.state().word == then
    (attempt.path / paths.RESULT).write_text('{"state": "failed", "error": null, "note": ""}')
    tell(store, WORD.GONE)
    assert attempt.state().word == "failed"


def test_a_result_wins(store: Store, attempt: Attempt) -> None:
    """Whatever is said, the record is the truth."""
    attempt.end()
    tell(store, WORD.RUNNING)
    assert attempt.state().word == "succeeded"


def test_an_old_or_unreadable_word_is_none(store: Store, attempt: Attempt) -> None:
    """What was said too long ago, or can't be read, counts as nothing said."""
    tell(store, WORD.RUNNING)
    path = store.batch(1) / paths.TOLD
    record = json.loads(path.read_bytes())
    path.write_text(json.dumps({**record, "at": record["at"] - hearsay.STALE - 1}))
    assert isinstance(attempt.state(), model.Unknown)
    path.write_bytes(b'{"at": 1')
    assert isinstance(attempt.state(), model.Unknown)


def test_what_is_lost_by_a_word_stays_lost(
    store: Store, attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While others of its batch are asked about, what is gone for long is asked about, too."""

    class Far:
        supervised = False

        def fetch(self, batches: Collection[Path]) -> None:
            pass

        def poll(self, tickets: Iterable[str]) -> dict[str, model.Told]:
            return {ticket: model.Told(WORD.GONE, "given up", 1.0) for ticket in tickets}

    del attempt
    records.publish(store, 2, executor="far")
    made = Attempt(runs.new_attempt(store, 2, 2, 1))
    made.claim(hold=False, host=HOST, boot=records.EARLIER_BOOT)
    made.write(paths.TICKET, {"host": HOST, "job": "7_2"})
    batches.add_event(store, 2, "starting", 2, 1)
    monkeypatch.setattr(executors, "scheduler", lambda name: Far() if name == "far" else None)
    with Index(store) as index:
        for _ in range(3):
            asking.refresh(index, fresh=0)
            found = index.run(2)
            assert found is not None
            assert isinstance(found.state, model.Lost), found.state


def test_a_scheduler_is_asked(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An executor of another package is found by its entry point, and asked in one call."""
    folder = tmp_path / "far-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: far\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text("[nbbg.executors]\nfar = far_away:EXECUTOR\n")
    code = """
    from nbbg.executors.here import Here
    from nbbg.model import Told, Word

    class Far(Here):
        supervised = False
        asked = []

        def poll(self, tickets):
            self.asked.append(list(tickets))
            return {ticket: Told(Word.QUEUED, "Priority") for ticket in tickets}

    EXECUTOR = Far()
    """
    lines = [line.removeprefix("    ") for line in code.splitlines()]
    (tmp_path / "far_away.py").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(str(tmp_path))
    records.publish(store, 2, executor="far")
    for run in (2, 3):
        made = Attempt(runs.new_attempt(store, 2, run, 1))
        made.write(paths.TICKET, {"host": HOST, "job": f"7_{run}"})
        batches.add_event(store, 2, "starting", run, 1)
    with Index(store) as index:
        assert [index.run(run).state.word for run in (2, 3)] == ["unknown"] * 2  # type: ignore[union-attr]
        assert asking.refresh(index) == []
        assert [index.run(run).state for run in (2, 3)] == [model.Submitted("Priority")] * 2  # type: ignore[union-attr]
        assert asking.refresh(index) == []
    assert get("far").asked == [["7_2", "7_3"]]  # type: ignore[attr-defined]
