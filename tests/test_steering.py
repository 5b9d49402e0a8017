"""Real batches that are tried again, paused, made wider and narrower, killed and started again."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from nbbg import paths
from nbbg.store import batches
from tests.places import COUNTS, NBBG, kill, numbers, open_gate, states
from tests.project import Project, until

KILLS = int(os.environ.get("NBBG_TEST_KILLS", "5"))
SEED = int(os.environ.get("NBBG_TEST_SEED", "1"))
FLAKY = """\
import os
print('attempt', os.environ['NBBG_ATTEMPT'])
if int(os.environ['NBBG_ATTEMPT']) < 3:
    raise OSError('the network is gone')"""
ENDS = """\
import os, sys, time
if os.environ['NBBG_ATTEMPT'] == '1':
    {1: lambda: sys.exit(3), 2: lambda: 1 / 0, 3: lambda: time.sleep(600)}[RUN]()"""
NUMBER = "import os\nRUN = int(os.environ['RUN_NUMBER'])"
STAMPS = """\
import os, time
number, began = os.environ['RUN_NUMBER'], time.monotonic()
while not (os.path.exists('go') or os.path.exists('go-' + number)):
    time.sleep(0.02)
time.sleep(0.1)
open('stamps', 'a').write(f'{number} {began} {time.monotonic()}\\n')"""


def attempts(project: Project) -> list[int]:
    """How many attempts each run has had."""
    return [run["attempt"] for run in project.runs()]


# Further attempts.


def test_a_flaky_notebook_comes_to_its_end(project: Project) -> None:
    """It fails twice, succeeds, and that is a success; each attempt's log is kept."""
    project.write("flaky.ipynb", FLAKY)
    words = ("run", "flaky.ipynb", "--retries", "3", "--retry-delay", "0.2s", "--wait")
    done = project.nbbg(*words)
    assert "1 of 1 succeeded" in done.stderr
    assert (states(project), attempts(project)) == (["succeeded"], [3])
    logs = [project.attempt(1).parent / str(attempt) / paths.LOG for attempt in (1, 2, 3)]
    assert [log.read_text().splitlines()[0] for log in logs] == [f"attempt {n}" for n in (1, 2, 3)]
    project.nbbg("run", "flaky.ipynb", "--retries", "1", "--retry-delay", "0", "--wait", code=1)
    run = project.run(2)
    assert (run["state"], run["attempt"]) == ("failed", 2)
    assert "the network is gone" in run["reason"]


def test_only_chosen_endings_and_a_timeout(project: Project) -> None:
    """What exited or ran out of time is tried again, what raised is not, and shows in the code."""
    project.write("train.ipynb", NUMBER, ENDS)
    policy = ("--retries", "1", "--retry-delay", "0", "--retry-on", "exited,timed-out")
    words = ("--runs", "3", "--jobs", "3", "--timeout", "4s", "--grace", "0.3", "--wait")
    done = project.nbbg("run", "train.ipynb", *policy, *words, code=1)
    assert "run 2 (train 2) failed: cell 2: ZeroDivisionError" in done.stderr
    assert "2 of 3 succeeded" in done.stderr
    assert states(project) == ["succeeded", "failed", "succeeded"]
    assert attempts(project) == [2, 1, 2]


def test_a_supervisor_that_is_killed_during_a_delay(project: Project) -> None:
    """What waits has not ended; the next supervisor keeps the delay; `retry` does not wait."""
    project.write("flaky.ipynb", FLAKY)
    project.nbbg("run", "flaky.ipynb", "--runs", "2", "--retries", "2", "--retry-delay", "100s")
    until(lambda: [run["retry_at"] is not None for run in project.runs()] == [True, True])
    kill(project.supervisor())
    run = project.run(1)
    assert (run["state"], run["attempt"], run["ended_at"]) == ("queued", 1, None)
    assert run["reason"].startswith("attempt 2 of 3 in ")
    assert "nbbg resume b1" in project.nbbg("status").stderr
    assert "nobody starts what waits" in project.nbbg("wait", "1", code=1).stderr
    assert "nbbg retry 1" in project.nbbg("resume", "b1", "1").stderr
    until(lambda: project.supervisor() is not None)
    assert [again["retry_at"] for again in project.runs()] == [
        run["retry_at"],
        project.run(2)["retry_at"],
    ]
    project.nbbg("wait", "1", "--timeout", "0.5", code=124)
    project.nbbg("retry", "1")
    until(lambda: project.run(1)["reason"].startswith("attempt 3 of 3 in "))
    assert project.run(1)["attempt"] == 2
    assert "run 2 will not start" in project.nbbg("stop", "2").stdout
    assert project.state(2) == "failed"
    project.nbbg("wait", "2", code=1)
    project.nbbg("retry", "1")
    project.nbbg("wait", "1")
    until(lambda: project.supervisor() is None)
    assert (states(project), attempts(project)) == (["succeeded", "failed"], [3, 1])


# Failures.


def test_a_failing_run_in_the_middle(project: Project) -> None:
    """The others are done, the exit code is 1, and the failure is named with its cell."""
    fails = "import os\nassert os.environ['RUN_NUMBER'] != '2', 'the second'"
    project.write("train.ipynb", "1", fails, COUNTS)
    done = project.nbbg("run", "train.ipynb", "--runs", "3", "--wait", code=1)
    assert "run 2 (train 2) failed: cell 2: AssertionError: the second" in done.stderr
    assert "2 of 3 succeeded" in done.stderr
    assert numbers(project) == [1, 3]
    assert "cell 2: AssertionError" in project.nbbg("wait", "b1", code=1).stderr


def test_a_sweep_that_burns_is_stopped(project: Project) -> None:
    """After so many failures nothing more starts, and it is said; `resume` goes on."""
    project.write("train.ipynb", "1 / 0")
    words = ("--runs", "5", "--max-failures", "2", "--wait")
    done = project.nbbg("run", "train.ipynb", *words, code=1)
    never = "runs 3-5 stopped: 2 runs failed (--max-failures 2); before it started"
    assert f"{never}   nbbg resume b1\n" in done.stderr
    assert done.stderr.count("stopped") == 1
    assert states(project) == ["failed", "failed", "stopped", "stopped", "stopped"]
    assert "2 runs failed (--max-failures 2)" in project.nbbg("status").stdout
    project.nbbg("resume", "b1")
    project.nbbg("wait", "b1", code=1)
    assert states(project) == ["failed"] * 4 + ["stopped"]


def test_a_batch_that_is_stopped_during_a_delay(project: Project) -> None:
    """`resume` gives back the attempts that its stop took away; one of others leaves them so."""
    project.write("train.ipynb", "1 / 0")
    policy = ("--retries", "1", "--retry-delay", "1h")
    project.nbbg("run", "train.ipynb", "--runs", "2", "--jobs", "2", *policy)
    until(lambda: all(run["retry_at"] for run in project.runs()))
    project.nbbg("stop", "b1")
    assert states(project) == ["failed", "failed"]
    project.nbbg("resume", "1")  # it alone
    project.nbbg("wait", "1", code=1)
    assert attempts(project) == [2, 1]
    project.nbbg("resume", "b1")
    assert states(project) == ["failed", "queued"]
    assert project.run(2)["retry_at"]


# Pause, and jobs.


def test_a_paused_batch_waits(project: Project) -> None:
    """What runs goes on, the rest stays queued, `wait` waits, and `resume` goes on."""
    project.write("train.ipynb", STAMPS)
    project.nbbg("run", "train.ipynb", "--runs", "3")
    project.until_running(1)
    assert "nbbg resume b1" in project.nbbg("pause", "b1").stdout
    assert "paused already" in project.nbbg("pause", "b1").stderr
    open_gate(project)
    project.nbbg("wait", "1")
    until(lambda: project.supervisor() is None)
    said = project.nbbg("wait", "b1", "--timeout", "4", code=124).stderr
    assert "b1 is paused by " in said
    assert states(project) == ["succeeded", "queued", "queued"]
    report = project.status()["batches"][0]
    assert report["paused_by"] in project.nbbg("status").stdout
    assert "@" in report["paused_by"]
    project.nbbg("resume", "3")  # it alone
    project.nbbg("wait", "3")
    assert states(project) == ["succeeded", "queued", "succeeded"]
    project.nbbg("resume", "b1")
    project.nbbg("wait", "b1")
    assert project.status()["batches"][0]["paused_by"] is None
    assert "nothing to pause" in project.nbbg("pause", "b1").stderr


def test_nobody_knows_how_long_a_pause_lasts(project: Project) -> None:
    """While a paused batch, or one without a supervisor, runs something, no time left is told."""
    project.write("train.ipynb", STAMPS)
    project.nbbg("run", "train.ipynb", "--runs", "3")
    (project.root / "go-1").touch()
    project.until_running(2)
    assert project.status()["batches"][0]["seconds_left"] is not None
    project.nbbg("pause", "b1")
    report = project.status()["batches"][0]
    assert report["rate_per_hour"]
    assert report["seconds_left"] is None
    project.nbbg("resume", "b1")
    assert project.status()["batches"][0]["seconds_left"] is not None
    os.kill(project.supervisor() or 0, signal.SIGKILL)
    until(lambda: project.supervisor() is None)
    assert project.status()["batches"][0]["seconds_left"] is None
    open_gate(project)


def test_more_and_fewer_at_a_time(project: Project) -> None:
    """With more, more start; with fewer, nothing is stopped and none starts without room."""
    project.write("train.ipynb", STAMPS)
    project.nbbg("run", "train.ipynb", "--runs", "6")
    project.until_running(1)
    project.nbbg("jobs", "b1", "3")
    until(lambda: states(project)[:3] == ["running"] * 3)
    assert states(project)[3:] == ["queued"] * 3
    project.nbbg("jobs", "b1", "1")
    assert project.status()["batches"][0]["jobs"] == 1
    said = project.nbbg("run", "train.ipynb", "--runs", "6", "--jobs", "8")
    assert "nbbg jobs b1 8" in said.stderr
    assert "1 at a time" in said.stdout
    for number in (1, 2):
        (project.root / f"go-{number}").touch()
    project.nbbg("wait", "1", "2")
    time.sleep(1.2)  # longer than a supervisor's look
    assert states(project) == ["succeeded"] * 2 + ["running"] + ["queued"] * 3
    open_gate(project)
    project.nbbg("wait", "b1")
    lines = [line.split() for line in (project.root / "stamps").read_text().splitlines()]
    spans = {int(number): (float(begin), float(end)) for number, begin, end in lines}
    at_once = [sum(begin <= at <= end for begin, end in spans.values()) for at, _ in spans.values()]
    assert sorted(at_once) == [1, 1, 1, 1, 2, 3]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("jobs", "b1", "0"), "must be 1 or more"),
        (("jobs", "b1", "many"), "nbbg jobs b3 8"),
        (("jobs", "1", "2"), "1 is no batch"),
        (("jobs", "b7", "2"), "there is no 'b7'"),
        (("pause", "train"), "nbbg stop 7"),
        (("run", "train.ipynb", "--retries", "-1"), "must be 0 or more"),
        (("run", "train.ipynb", "--retry-on", "stopped"), "failed, exited, killed"),
        (("run", "train.ipynb", "--retry-delay", "soon"), "must be a duration"),
        (("run", "train.ipynb", "--max-failures", "x"), "must be a whole number"),
    ],
)
def test_what_cannot_be_meant(project: Project, words: tuple[str, ...], said: str) -> None:
    """It is said in a line or two, and nothing is changed."""
    project.write("train.ipynb", "1")
    if words[0] != "run":
        project.nbbg("run", "train.ipynb", "--executor", "inline")
    assert said in project.nbbg(*words, code=2).stderr
    assert not list(project.root.glob(f".nbbg/batches/*/{paths.CHANGES}"))


# Killed, and started again.


def test_killed_at_ten_of_twenty(project: Project) -> None:
    """Started again the remaining ten are run; an exit file ends it, and without it it goes on."""
    gate = (
        "import os, time\n"
        "while os.environ['RUN_NUMBER'] == '11' and not os.path.exists('go'):\n"
        "    time.sleep(0.02)"
    )
    leaves = "if os.environ['RUN_NUMBER'] == '15':\n    open('enough', 'w').close()"
    project.write("train.ipynb", gate, COUNTS, leaves)
    lines = ("NOTEBOOKS=train.ipynb", "RUN_TIMES=20", f"EXIT_FILE={project.root}/enough")
    (project.root / ".env").write_text("\n".join(lines))
    project.nbbg("run")
    project.until_running(11)
    project.end_all()
    assert states(project) == ["succeeded"] * 10 + ["lost"] + ["queued"] * 9
    open_gate(project)
    project.nbbg("run", "--wait", code=1)
    assert numbers(project) == list(range(1, 16))
    assert states(project) == ["succeeded"] * 15 + ["stopped"] * 5
    assert "enough" in project.nbbg("run", code=2).stderr
    (project.root / "enough").unlink()
    project.nbbg("run", "--wait")
    assert numbers(project) == list(range(1, 21))
    assert states(project) == ["succeeded"] * 20


def test_random_kills_of_supervisors_and_launchers(project: Project) -> None:
    """However often both are killed, at any instant, each number is run once, and all is counted.

    NBBG_TEST_KILLS says how often, NBBG_TEST_SEED when.
    """
    chance = random.Random(SEED)  # noqa: S311 - the instants of a test
    project.write("train.ipynb", COUNTS, "__import__('time').sleep(0.2)")
    runs = max(8, KILLS)
    words = ("run", "train.ipynb", "--runs", str(runs), "--jobs", "2", "--retries", "1")
    for _ in range(KILLS):
        launcher = subprocess.Popen(
            [*NBBG, *words],
            cwd=project.root,
            env=project.environ(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        with contextlib.suppress(subprocess.TimeoutExpired):
            launcher.wait(chance.uniform(0.05, 0.6))
        launcher.kill()
        launcher.wait()
        folder = project.batch("b1")
        if folder.exists() and (pid := batches.supervisor_pid(folder)):
            time.sleep(chance.uniform(0, 0.3))
            with contextlib.suppress(ProcessLookupError):
                kill(pid)
    project.nbbg(*words, "--wait", timeout=300)
    assert sorted(numbers(project)) == list(range(1, runs + 1))
    assert states(project) == ["succeeded"] * runs
    assert set(attempts(project)) == {1}
    (batch,) = project.status()["batches"]
    assert batch["counts"] == {"succeeded": runs}
    plan = (project.batch("b1") / paths.PLAN).read_text().splitlines()
    assert [json.loads(line)["number"] for line in plan] == list(range(1, runs + 1))
    assert not list(Path(project.batch("b1")).rglob(paths.ENVIRONMENT))
