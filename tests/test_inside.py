"""What a notebook sees from inside a run, and that it is harmless outside one."""

from __future__ import annotations

import json
import math
import os
import random
import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tqdm import tqdm

import nbbg
from nbbg import files, paths
from nbbg.inside import bars

if TYPE_CHECKING:
    from pathlib import Path

Json = dict[str, Any]


class Run:
    """A run's folder, and what its environment says; one attempt after the other."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.environment = monkeypatch
        (folder / paths.CHECKPOINT).mkdir(parents=True)
        monkeypatch.setenv(paths.RUN_DIR, str(folder))
        monkeypatch.setenv(paths.CHECKPOINT_DIR, str(folder / paths.CHECKPOINT))
        self.begin(1)

    def begin(self, attempt: int) -> None:
        """Begin that attempt."""
        self.attempt = self.folder / str(attempt)
        self.attempt.mkdir()
        self.environment.setenv(paths.ATTEMPT, str(attempt))

    def metrics(self) -> list[Json]:
        """What this attempt has recorded."""
        return list(files.read_lines((self.attempt / paths.METRICS).read_bytes()))


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """This process is in the first attempt of a run."""
    return Run(tmp_path / "12", monkeypatch)


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This process is in no run; the current folder."""
    for name in paths.OF_A_RUN:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_log_adds_one_line_a_call(run: Run) -> None:
    """Each call is one line: when, at which step, and the values."""
    nbbg.log(loss=0.5, step=7)
    nbbg.log(best=True, note="warm")
    first, second = run.metrics()
    assert (first["step"], first["values"]) == (7, {"loss": 0.5})
    assert (second["step"], second["values"]) == (None, {"best": True, "note": "warm"})
    assert first["time"] <= second["time"]


def test_log_takes_what_wraps_one_number(run: Run) -> None:
    """NumPy scalars, arrays of one element and NaN are recorded as the numbers that they are."""
    nbbg.log(a=np.float32(0.5), b=np.array([3]), c=np.bool_(1), d=math.nan, step=np.int64(2))
    line = run.metrics()[0]
    values = line["values"]
    assert line["step"] == 2
    assert math.isnan(values.pop("d"))
    assert values == {"a": 0.5, "b": 3, "c": True}


@pytest.mark.parametrize("value", [None, [1, 2], np.zeros(2), 1j, {"a": 1}])
@pytest.mark.usefixtures("run")
def test_log_names_what_it_can_not_take(value: object) -> None:
    """A value that is no number, bool or text is refused by its name."""
    with pytest.raises(TypeError, match=r"nbbg.log\(loss=...\) takes one number"):
        nbbg.log(loss=value)


def test_everything_is_harmless_outside_a_run(outside: Path) -> None:
    """The same notebook works in Jupyter, and leaves nothing in its folder."""
    nbbg.log(loss=0.5)
    for step in nbbg.track(range(3), resume=True):
        nbbg.saved(step)
    assert list(nbbg.track(range(3), resume=True)) == [0, 1, 2]
    assert nbbg.params() == {}
    assert nbbg.seed_everything() == 0
    assert not nbbg.should_stop()
    assert not list(outside.iterdir())


def test_checkpoints_outside_a_run_are_temporary(outside: Path) -> None:
    """Outside a run there is one folder for the process, away from the notebook's own."""
    folder = nbbg.checkpoint_dir()
    assert folder.is_dir()
    assert folder == nbbg.checkpoint_dir()
    assert outside not in folder.parents
    folder.rmdir()


def test_checkpoints_of_a_run_are_shared_by_its_attempts(run: Run) -> None:
    """Inside a run it is the run's folder, which is there."""
    (run.folder / paths.CHECKPOINT).rmdir()
    assert nbbg.checkpoint_dir() == run.folder / paths.CHECKPOINT
    assert nbbg.checkpoint_dir().is_dir()


def test_params_are_those_given(run: Run) -> None:
    """The parameters of the launch, as they are."""
    given = {"lr": 0.1, "name": "a", "limit": math.inf}
    (run.attempt / paths.ENGINE).write_text(json.dumps({"params": given}))
    assert nbbg.params() == given


def test_seed_everything_makes_numbers_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    """The run's seed, or the given one, decides what Python and NumPy draw."""
    monkeypatch.setenv(paths.SEED, "41")

    def draw() -> tuple[int, float, float]:
        seed = nbbg.seed_everything()
        drawn = np.random.random()  # noqa: NPY002 - the state that is shared is what is seeded
        return seed, random.random(), float(drawn)  # noqa: S311 - no secret

    assert draw() == draw()
    assert draw()[0] == 41
    assert nbbg.seed_everything(5) == 5
    monkeypatch.setenv(paths.SEED, "tomato")
    assert nbbg.seed_everything() == 0


def test_seed_everything_seeds_torch_where_it_is_imported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """torch is seeded when it is imported already, and never imported for it."""
    seeds: list[int] = []
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(manual_seed=seeds.append))
    nbbg.seed_everything(3)
    assert seeds == [3]


def test_should_stop_says_that_it_listens(run: Run) -> None:
    """The first call tells the runner that this notebook ends by itself; `stop.json` is heard."""
    assert not (run.attempt / paths.LISTENS).exists()
    assert not nbbg.should_stop()
    assert (run.attempt / paths.LISTENS).exists()
    (run.attempt / paths.STOP).write_text("{}")
    assert nbbg.should_stop()


def test_child_processes_belong_to_the_run(run: Run) -> None:
    """What the children of a notebook log is recorded too, each line whole."""
    code = "import nbbg\nfor step in range(200): nbbg.log(step=step, text='x' * 500)"
    children = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
    assert [child.wait() for child in children] == [0, 0, 0]
    lines = run.metrics()
    assert len(lines) == 600
    assert {len(line["values"]["text"]) for line in lines} == {500}


def test_a_full_disk_does_not_end_a_training(run: Run, recwarn: pytest.WarningsRecorder) -> None:
    """Metrics that can't be written are a warning."""
    (run.attempt / paths.METRICS).symlink_to("/dev/full")
    nbbg.log(loss=1)
    assert "nbbg could not record" in str(recwarn.pop().message)


@pytest.mark.usefixtures("run")
def test_track_shows_a_bar(capsys: pytest.CaptureFixture[str]) -> None:
    """The steps come in order; standard error ends with the last state of the bar."""
    assert list(nbbg.track(iter("abc"), desc="letters", total=3)) == ["a", "b", "c"]
    last = capsys.readouterr().err.strip().rpartition("\r")[2]
    assert last.startswith("letters: 100%|")
    assert "| 3/3 [00:00<00:00, " in last


@pytest.mark.usefixtures("run")
def test_track_shows_where_a_loop_was_left(capsys: pytest.CaptureFixture[str]) -> None:
    """After a `break` the bar stands where the loop was left."""
    for step in nbbg.track(range(10)):
        if step == 4:
            break
    assert "| 4/10 [" in capsys.readouterr().err.rpartition("\r")[2]


@pytest.mark.parametrize(
    ("desc", "total", "before", "done", "elapsed"),
    [
        (None, 100, 0, 45, 1.5),
        ("epoch", 100, 0, 100, 4000.0),
        ("epoch", 60, 30, 33, 90.0),
        ("epoch", 60, 0, 0, 0.0),
        (None, None, 0, 7, 3.0),
    ],
)
@pytest.mark.usefixtures("run")
def test_the_bar_without_tqdm_reads_the_same(
    desc: str | None, total: int | None, before: int, done: int, elapsed: float
) -> None:
    """Readers parse one form, whether or not the interpreter has tqdm."""
    bar = bars.PlainBar(bars.Progress(desc, total, before))
    bar.done = done
    given: Any = total
    theirs = tqdm.format_meter(done, given, elapsed, prefix=desc or "", initial=before)
    ours = bar.text(elapsed)
    assert _without_bar(ours) == _without_bar(theirs)


def _without_bar(text: str) -> list[str]:
    parts = text.split("|")
    return [part for place, part in enumerate(parts) if len(parts) < 3 or place != 1]


def _train(steps: Any, until: Any) -> list[Any]:
    seen = []
    for step in nbbg.track(steps, resume=True):
        seen.append(step)
        nbbg.saved(step)
        if step == until:
            break
    return seen


def test_a_later_attempt_goes_on_after_the_last_saved_step(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """Attempt 2 starts with the next step, its bar too, and its record says where it went on."""
    assert _train(range(10), until=3) == [0, 1, 2, 3]
    assert [line.get("saved") for line in run.metrics()] == [0, 1, 2, 3]
    run.begin(2)
    capsys.readouterr()
    assert _train(range(10), until=9) == [4, 5, 6, 7, 8, 9]
    assert run.metrics()[0]["resumed_after"] == 3
    assert "| 4/10 [" in capsys.readouterr().err


def test_a_finished_loop_is_not_repeated(run: Run) -> None:
    """An attempt after one that failed behind the loop has nothing left to do in it."""
    _train(range(3), until=None)
    run.begin(2)
    assert _train(range(3), until=None) == []


@pytest.mark.parametrize(
    "steps", [["a", "b", "c"], [(0, 1), (0, 2), (1, 1)], list(np.arange(3)), [0.1, 0.2, 0.3]]
)
def test_steps_can_be_what_json_holds(run: Run, steps: list[Any]) -> None:
    """Texts, tuples and NumPy numbers are found again."""
    _train(steps, until=steps[1])
    run.begin(2)
    assert _train(iter(steps), until=None) == steps[2:]


def test_a_loop_is_not_silently_started_over(run: Run) -> None:
    """A saved step that is not among the steps is an error that names it and the file."""
    _train(range(10), until=7)
    run.begin(2)
    with pytest.raises(ValueError, match=r"step 7 is not among its 5 steps.*nbbg-saved\.json"):
        nbbg.track(range(5), resume=True)


@pytest.mark.usefixtures("run")
def test_a_second_loop_is_not_silently_skipped() -> None:
    """In one attempt a finished loop does not make the next one empty."""
    _train(range(3), until=None)
    with pytest.raises(ValueError, match="saved in an earlier loop of this attempt"):
        nbbg.track(range(3), resume=True)


@pytest.mark.usefixtures("run")
def test_a_loop_that_is_tried_again_goes_on() -> None:
    """A notebook's own retry, in the same attempt, goes on after the last saved step."""
    _train(range(5), until=2)
    assert _train(range(5), until=None) == [3, 4]


def test_a_torn_record_of_the_saved_step_is_refused(run: Run) -> None:
    """What can't be read is named, and never taken for a new start."""
    (run.folder / paths.CHECKPOINT / paths.SAVED).write_text('{"st')
    with pytest.raises(ValueError, match="can't be read"):
        nbbg.track(range(5), resume=True)


@pytest.mark.usefixtures("run")
def test_a_step_must_be_what_json_holds() -> None:
    """A step that could not be found again is refused when it is saved."""
    with pytest.raises(TypeError, match="JSON can hold"):
        nbbg.saved(object())


def test_importing_it_is_light() -> None:
    """`import nbbg` inside a notebook costs no time and imports nothing of the user's."""
    heavy = ("numpy", "tqdm", "asyncio", "subprocess", "IPython")
    code = f"import sys, nbbg; nbbg.log; print([m for m in {heavy} if m in sys.modules])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert said.stdout.strip() == "[]"


def test_a_folder_that_is_gone_counts_as_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that inherited the environment of a run that was cleaned is not disturbed."""
    monkeypatch.setenv(paths.RUN_DIR, os.fspath(tmp_path / "gone"))
    monkeypatch.setenv(paths.ATTEMPT, "1")
    nbbg.log(loss=1)
    assert nbbg.params() == {}
    assert not nbbg.should_stop()
