"""`nbbg clean`: what goes, what stays, what is said, and that nothing is lost when it is killed."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from nbbg import files, model, paths
from nbbg.errors import StoreError, UsageError
from nbbg.executors.tmux import session_name
from nbbg.index import Index
from nbbg.ops import cleaning, leftovers
from nbbg.ops.cleaning import DAY, Criteria
from nbbg.ops.project import Project as Place
from nbbg.ops.project import remember
from nbbg.settings import Setting, Settings
from nbbg.store import cleaned, database, runs
from nbbg.supervisor.queue import Queue
from tests import records
from tests.places import GATE, open_gate, tmux_of
from tests.project import LONG, until
from tests.test_sync_killed import MOST, killed_at

if TYPE_CHECKING:
    from nbbg.store.place import Store
    from tests.project import Project

LOSSES = {1: 0.7, 2: 0.2, 3: 0.5}
BOTH: dict[str, Any] = {"checkpoints": False, "outputs": False}


@pytest.fixture
def where(tmp_path: Path) -> Place:
    """A project with a store."""
    store = records.make_store(tmp_path)
    return Place(tmp_path, Settings(()), store)


def end(store: Store, run: int, days: float = 0.0, batch: int = 1, **record: Any) -> None:
    """A run that has ended so many days ago, with a metric and a checkpoint."""
    with records.an_attempt(store, batch, run) as attempt:
        attempt.claim(at=time.time() - days * DAY - 1)
        attempt.print(b"text\n" * 3000)
        lines = [{"step": step, "values": {"loss": loss}} for step, loss in LOSSES.items()]
        resumed = [{"resumed_after": 0}] * (run == 2)
        data = b"".join(map(files.to_line, [*resumed, *lines]))
        (attempt.path / paths.METRICS).write_bytes(data)
        attempt.end(ended_at=time.time() - days * DAY, **record)
        checkpoint = attempt.path.parent / paths.CHECKPOINT
        checkpoint.mkdir(exist_ok=True)
        (checkpoint / "weights").write_bytes(b"1" * 5000)


def chosen(where: Place, **criteria: Any) -> list[int]:
    """The ids of what would go."""
    with Index(where.store) as index:
        return [run.id for run in cleaning.choose(index, Criteria(**criteria))]


def clean(where: Place, **criteria: Any) -> cleaning.Report:
    """Clean what the criteria choose."""
    with Index(where.store) as index:
        found = cleaning.choose(index, Criteria(**criteria))
        return cleaning.clean(where, index, found, **BOTH)


def words(store: Store, *, anew: bool = False) -> dict[int, str]:
    """The state of every run."""
    if anew:
        database.remove(store)
    with Index(store) as index:
        return {run.id: run.state.word for run in index.each()}


def test_all_that_was_said_must_hold(where: Place) -> None:
    """Age, state, name and number choose together; without any of them nothing is chosen."""
    records.publish(where.store, 4)
    records.publish(where.store, 2, arm=records.an_arm("other"))
    for run, days in ((1, 40), (2, 30), (3, 20), (4, 10)):
        end(where.store, run, days)
    end(where.store, 5, 50, batch=2, state="failed", error=None, note="")
    end(where.store, 6, 5, batch=2)
    assert chosen(where) == []
    assert chosen(where, older_than=25 * DAY) == [1, 2, 5]
    assert chosen(where, keep=1) == [1, 2, 3, 5]
    assert chosen(where, keep=0) == [1, 2, 3, 4, 5, 6]
    assert chosen(where, keep=3, older_than=DAY) == [1]
    assert chosen(where, states=["failed"]) == [5]
    assert chosen(where, names=["b2", "1"]) == [1, 5, 6]
    assert chosen(where, names=["other"], states=["succeeded"]) == [6]
    with pytest.raises(UsageError, match="running"):
        Criteria(states=["running"])


def test_what_is_not_over_stays(where: Place) -> None:
    """Queued, running, submitted, unknown and lost runs stay, whatever was said."""
    records.publish(where.store, 6)
    end(where.store, 1)
    with (
        records.an_attempt(where.store, run=2) as running,
        records.an_attempt(where.store, run=3) as submitted,
        records.an_attempt(where.store, run=4) as unknown,
        records.an_attempt(where.store, run=5) as lost,
    ):
        running.claim()
        submitted.ticket(records.me())
        unknown.claim(hold=False, boot=records.EARLIER_BOOT, host=records.HOST)
        lost.claim(records.gone(), hold=False)
        assert chosen(where, keep=0) == [1]
        assert chosen(where, keep=0, states=["lost"]) == [5]
        with Index(where.store) as index:
            for number in (2, 3, 4):
                run = index.run(number)
                assert run
                with pytest.raises(StoreError, match=f"run {number} stays: it is"):
                    cleaned.clean(where.store, index.batch(1), run, checkpoint=False)
        clean(where, states=["lost"])
        for anew in (False, True):
            assert words(where.store, anew=anew)[5] == "lost"
        assert running.path.exists()
        assert not lost.path.exists()


def test_what_it_came_to_stays(where: Place) -> None:
    """Ending, metrics and how far they went stay, without an index too; it never starts again."""
    records.publish(where.store, 3)
    end(where.store, 1)
    end(where.store, 2, state="failed", error=None, note="why")
    with Index(where.store) as index:
        before = [index.run(number) for number in (1, 2)]
    report = clean(where, keep=0)
    assert (len(report.runs), report.stayed) == (2, [])
    assert report.freed >= 2 * 15000
    for step in ("index", "no index", "no hints"):
        if step == "no hints":
            (where.store.batch(1) / paths.EVENTS).write_bytes(b"")
        if step != "index":
            database.remove(where.store)
        with Index(where.store) as index:
            for was in before:
                assert was
                run = index.run(was.id)
                assert run
                assert run.cleaned_at
                assert (run.state, run.metrics, run.ended_at, run.attempt) == (
                    *(was.state, {"loss": 0.5}, was.ended_at, was.attempt),
                )
                assert run.spans["loss"] == model.Span(3, 3, 0.2, 2, 0.7, 1)
            queue = Queue(where.store, index.batch(1))
        assert queue.head(5) == [3]
    with pytest.raises(StoreError, match="run 1 was cleaned"):
        runs.new_attempt(where.store, 1, 1, 2)
    kept = where.store.run(1, 1) / paths.CHECKPOINT / "weights"
    assert kept.exists()
    with Index(where.store) as index:
        assert index.size() == 0


def test_killed_at_any_step() -> None:
    """A clean that is killed at any step leaves every run as it was, and the next one ends it."""
    with records.quick_folder() as folder:
        assert kill_at_each_step(folder) > 20


def kill_at_each_step(folder: Path) -> int:
    """How many steps a clean has at which it was killed."""
    steps = 0
    for step in range(1, MOST):
        store = records.make_store(folder / str(step))
        there = Place(folder, Settings(()), store)
        records.publish(store, 2)
        end(store, 1)
        end(store, 2, state="failed", error=None, note="why")

        def work(there: Place = there) -> None:
            clean(there, keep=0)

        if not killed_at(step, work):
            break
        steps += 1
        for anew in (False, True):
            assert words(store, anew=anew) == {1: "succeeded", 2: "failed"}
        clean(there, keep=0)
        assert words(store) == words(store, anew=True) == {1: "succeeded", 2: "failed"}
        left = sorted(os.listdir(store.folder / paths.TRASH))
        names = {name for run in (1, 2) for name in os.listdir(store.run(1, run))}
        visible = sorted(name for name in names if name[0] != ".")  # what is hidden goes in a day
        assert (left, visible) == (["lock"], [paths.CHECKPOINT, paths.CLEANED])
    return steps


def test_a_retry_at_the_same_time(where: Place) -> None:
    """Of a clean and a retry of the same run one succeeds, and no attempt that was made is lost."""
    count = 40
    records.publish(where.store, count)
    for run in range(1, count + 1):
        end(where.store, run, state="failed", error=None, note="")
    made: list[int] = []

    def retry() -> None:
        for run in range(count, 0, -1):
            try:
                runs.new_attempt(where.store, 1, run, 2)
            except StoreError:
                continue
            made.append(run)

    threads = [
        threading.Thread(target=retry),
        *(threading.Thread(target=lambda: clean(where, keep=0)) for _ in range(2)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gone = {run for run in range(1, count + 1) if cleaned.was(where.store.run(1, run))}
    assert not gone & set(made)
    for run in range(1, count + 1):
        names = {name for name in os.listdir(where.store.run(1, run)) if name.isdigit()}
        assert names == ({"1", "2"} if run in made else set() if run in gone else {"1"})


def test_leftovers(where: Place) -> None:
    """Temporary files go a day after they were written, and nothing else does."""
    store = where.store
    records.publish(store, 1)
    end(store, 1)
    old, new = f".result.json.{'0' * 16}", f".result.json.{'1' * 16}"
    folder = store.run(1, 1) / "1"
    for name in (old, new, ".hidden"):
        (folder / name).write_bytes(b"")
    kept = store.run(1, 1) / paths.CHECKPOINT / old
    kept.write_bytes(b"")
    for path in (folder / old, folder / ".hidden", kept):
        os.utime(path, (0, 0))
    with Index(store) as index:
        found = leftovers.find(where, index)
        assert found.files == [str(folder / old)]
        leftovers.remove(found)
    assert {old, new, ".hidden"} & set(os.listdir(folder)) == {new, ".hidden"}
    assert kept.exists()


def test_from_the_command_line(project: Project) -> None:
    """Told first, done with --yes; each reader says that the files are gone; a target counts."""
    project.write("train.ipynb", "import nbbg\nnbbg.log(loss=0.25)\nprint('said')")
    project.write("bad.ipynb", "1 / 0")
    project.write("long.ipynb", LONG)
    project.nbbg("run", "train.ipynb", "bad.ipynb", "long.ipynb", "--jobs", "3")
    project.until_running(3, "1")
    project.nbbg("wait", "1", "2", code=1)
    until(lambda: [project.state(run) for run in (1, 2)] == ["succeeded", "failed"])
    assert "which runs" in project.nbbg("clean").stderr
    told = project.nbbg("clean", "b1", "--outputs")
    assert told.stdout.startswith("runs 1-2: 1 succeeded, 1 failed\n2 executed notebooks\n")
    assert "would be freed" in told.stdout
    assert "--yes" in told.stderr
    assert "said" in project.nbbg("logs", "1").stdout
    done = json.loads(project.nbbg("clean", "b1", "--yes", "--json").stdout)
    assert (done["runs"], done["states"], done["removed"]) == (
        *([1, 2], {"succeeded": 1, "failed": 1}, True),
    )
    assert done["bytes"] > 0
    assert not project.attempt(1).exists()
    output = project.run(1)["output"]
    assert Path(output).exists()
    for words in ("logs 1", "notebook 1", "show 1", "show 1 --json", "retry 2", "resume 2"):
        said = project.nbbg(*words.split(), code=None)
        assert "cleaned" in said.stdout + said.stderr, words
        assert "Errno" not in said.stderr
    assert "0.25" in project.nbbg("results").stdout
    assert project.state(3) == "running"
    project.nbbg("stop", "3")
    assert "nothing to start" in _again(project) or len(project.runs("train")) == 1
    project.nbbg("run", "bad.ipynb", "--runs", "1")  # a new run of that number
    assert [run["id"] for run in project.runs("bad")] == [4]


def _again(project: Project) -> str:
    """The target once more, which has been reached."""
    done = project.nbbg("run", "train.ipynb", "--runs", "1")
    return done.stdout + done.stderr


def test_keep_rules(project: Project) -> None:
    """With `keep-runs` a launch cleans what is older, of each arm, and says so."""
    project.environment["NBBG_KEEP_RUNS"] = "1"
    project.write("train.ipynb", "1 + 1")
    for run in (1, 2):
        project.nbbg("run", "train.ipynb")
        project.nbbg("wait", str(run))
    third = project.nbbg("run", "train.ipynb")
    assert "keep_runs = 1" in third.stdout + third.stderr
    assert (project.run(1)["cleaned_at"], project.run(2)["cleaned_at"]) != (None, None)
    assert project.attempt(2).exists()
    assert project.state(1) == model.Succeeded.word


def test_faster_than_the_supervisor(project: Project) -> None:
    """What is cleaned before the supervisor has seen its end does not keep it from the rest."""
    project.write("train.ipynb", GATE)
    project.nbbg("run", "train.ipynb", "--runs", "2")
    project.until_running(1, "at the gate")
    supervisor = project.supervisor()
    assert supervisor is not None
    os.kill(supervisor, signal.SIGSTOP)
    open_gate(project)
    until(lambda: project.state(1) == "succeeded")
    until(lambda: _clean_one(project) == [1])
    os.kill(supervisor, signal.SIGCONT)
    project.nbbg("wait", "b1")
    assert [run["state"] for run in project.runs()] == ["succeeded"] * 2
    assert not (project.batch("b1") / paths.SUPERVISOR_LOG).read_text()


def _clean_one(project: Project) -> list[int]:
    """Whether the run went: its processes may be just ending."""
    return list(json.loads(project.nbbg("clean", "1", "--yes", "--json").stdout)["runs"])


def test_a_launch_is_not_refused_by_its_rules(where: Place) -> None:
    """Where the settings ask for a clean that can't be made, a sentence says so."""
    records.publish(where.store, 2)
    end(where.store, 1, days=9)
    said = (Setting("keep_runs", 0, "default"), Setting("keep_days", 1.0, ".env"))
    rules = Place(where.root, Settings(said), where.store)
    with cleaned.alone(where.store):
        assert "somebody cleans" in cleaning.by_rules(rules)
    assert words(where.store)[1] == "succeeded"
    assert "cleaned 1" in cleaning.by_rules(rules)


def test_what_is_read_only(where: Place) -> None:
    """What a notebook has made read-only goes too, and no more is said to be freed than is."""
    records.publish(where.store, 1)
    end(where.store, 1)
    folder = where.store.run(1, 1) / "1" / "results"
    folder.mkdir()
    (folder / "a").write_bytes(b"1" * 10_000)
    folder.chmod(0o500)
    assert clean(where, keep=0).freed >= 10_000
    assert os.listdir(where.store.folder / paths.TRASH) == ["lock"]


def test_sessions_of_tmux(project: Project) -> None:
    """The session of a batch that is through goes, with the pane that a runner left; no other."""
    with tmux_of(project) as tmux:
        project.write("short.ipynb", "1 + 1")
        project.write("long.ipynb", LONG)
        for number, name in enumerate(("short", "long"), 1):
            project.nbbg("run", f"{name}.ipynb", "--executor", "tmux")
            if name == "long":
                project.until_running(number)
            else:
                project.nbbg("wait", "1")
        live = session_name(project.batch("b2") / "runs/2/1")
        ended = session_name(project.batch("b1") / "runs/1/1")
        tmux("new-session", "-d", "-s", ended, "sleep 600")
        tmux("set-option", "-t", ended, "remain-on-exit", "on")
        tmux("respawn-pane", "-k", "-t", ended, "false")
        until(lambda: "1" in tmux("list-panes", "-t", ended, "-F", "#{pane_dead}"))
        assert "1 tmux sessions" in project.nbbg("clean").stdout
        project.nbbg("clean", "--yes")
        sessions = tmux("list-sessions", "-F", "#{session_name}").split()
        assert (live in sessions, ended in sessions) == (True, False)


def test_environments_that_nobody_uses(
    where: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Old environments go; what a run that is not over needs, or was used of late, stays."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    folder = tmp_path / "cache" / "nbbg" / "environments"
    for name in ("old", "needed", "new"):
        (folder / name / "venv" / "bin").mkdir(parents=True)
        (folder / name / "made").write_bytes(b"")
        if name != "new":
            os.utime(folder / name / "made", (0, 0))
    python = str(folder / "needed" / "venv" / "bin" / "python")
    records.publish(where.store, 1, arm=records.an_arm(python=python))
    remember(where)
    with Index(where.store) as index:
        found = leftovers.find(where, index, environments=30 * DAY)
        assert found.environments == [str(folder / "old")]
        leftovers.remove(found)
    assert sorted(os.listdir(folder)) == ["needed", "new"]


def test_what_is_said_of_cleaned_runs(project: Project) -> None:
    """What stayed of them can go later, and nothing is offered that is no longer there."""
    save = "import os; open(os.environ['NBBG_CHECKPOINT_DIR'] + '/weights', 'w').write('1' * 9000)"
    project.write("train.ipynb", save, "table = {'a': 1}", "1 / 0")
    project.nbbg("run", "train.ipynb", "--runs", "2", "--results", "table", "--wait", code=1)
    checkpoint = project.batch("b1") / "runs/1/checkpoint"
    project.nbbg("clean", "1", "--yes")
    assert checkpoint.exists()
    assert "train_1.ipynb" in project.nbbg("show", "1").stdout
    assert "retry --failed" in project.nbbg("resume").stderr
    project.nbbg("clean", "2", "--yes")
    assert "failed" not in project.nbbg("resume").stderr
    assert "what failed was cleaned" in project.nbbg("retry", "--failed").stderr
    assert "nbbg run train.ipynb --runs 1" in project.nbbg("retry", "1", code=2).stderr
    assert "files were cleaned" in project.nbbg("show", "1", "--result", "table", code=2).stderr
    assert "also kept" not in project.nbbg("results").stderr
    project.nbbg("run", "train.ipynb", "--runs", "1", "--wait", code=1)
    assert "train_1.ipynb" not in project.nbbg("show", "1").stdout  # it is another run's now
    assert project.nbbg("clean", "b1").stderr == "of what was named none goes: 2 cleaned already\n"
    words = ("clean", "b1", "--checkpoints", "--outputs")
    said = project.nbbg(*words).stdout
    assert "runs 1-2: 2 failed\n1 executed notebooks\n" in said
    assert said.splitlines()[2].endswith("would be freed")
    project.nbbg(*words, "--yes")
    assert not checkpoint.exists()
    outputs = {path.name for path in (project.root / "outputs/train").iterdir()}
    assert outputs == {"train_1.ipynb", "train_1.ipynb.~1~"}
    assert project.nbbg(*words).stdout == "nothing to clean\n"
    project.nbbg("clean", "3", "--state", "failed", "--yes")
    assert [run["state"] for run in project.runs()] == ["failed"] * 3
