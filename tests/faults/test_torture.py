"""A short torture, and that its checks see what is wrong. `scripts/torture` goes on for longer."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from nbbg import faults
from tests.faults import actors, records, workload
from tests.faults.rounds import Round
from tests.faults.schedule import Fault, Schedule
from tests.project import PYTHON, Project, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECONDS, MEAN = 5.0, 0.1
SEED = os.environ.get("NBBG_TEST_SEED", "7")


@pytest.mark.timeout(400)  # where the machine is busy, what was killed takes long to come again
@pytest.mark.parametrize(("engine", "executor"), [("ipython", "local"), ("kernel", "tmux")])
def test_nothing_is_lost(engine: str, executor: str) -> None:
    """Signals at random instants and steps, ten launchers at once, a stop and a reboot: all holds.

    NBBG_TEST_SEED says which.
    """
    made = Round(f"{SEED} {engine}", engine, executor, runs=4)
    try:
        made.torture(SECONDS / 2, MEAN)
        for kind in ("launchers", "supervisors", "stop", "reboot"):
            made.inject(Fault(kind, count=10))
        made.torture(SECONDS / 2, MEAN)
        made.finish()
        assert made.checker.violations == []
        assert made.done.total() > 10
        assert made.checker.looks > 2
    finally:
        made.close()


def test_a_schedule_can_be_repeated() -> None:
    """The same seed gives the same faults, and another seed gives others."""
    one, same, other = (Schedule(seed) for seed in ("1", "1", "2"))
    faults_of_one = [one.next() for _ in range(100)]
    assert faults_of_one == [same.next() for _ in range(100)]
    assert faults_of_one != [other.next() for _ in range(100)]


@pytest.fixture
def ended() -> Iterator[Round]:
    """A project in which two runs have ended well."""
    made = Round("", "ipython", "local", jobs=2, runs=2)
    (made.root / workload.NAME).write_text(json.dumps(workload.content(0.001)))
    made.launch().process.wait(30)
    made.finish()
    assert made.checker.violations == []
    yield made
    made.close()


def test_the_checks_can_fail(ended: Round) -> None:
    """Each invariant that is broken on purpose is named."""
    check, (batch,) = ended.checker, records.batches(ended.root)
    first, second = batch.attempts()
    said = ended.status()
    before = check.survey()

    def named(words: str, **told: object) -> bool:
        runs = [{**said["runs"][0], **told}, said["runs"][1]]
        check.violations.clear()
        check.compare(before, {**said, "runs": runs})
        return any(words in sentence for sentence in check.violations)

    assert not named("")
    assert named("status calls it running", state="running")
    assert named("has the result succeeded, and status says lost", state="lost")
    assert named("status does not name it", id=7)
    proof = ended.root / workload.PROOFS / f"{first.run}-{first.number}"
    whole = proof.read_text()
    for text, words in (
        (whole + "start 1\n", "was executed 2 times"),
        (whole + "twice\n", "another attempt at its number was alive"),
        (whole + "out 9.9\n", "its log has"),
        (whole.replace("end\n", ""), "did not come to its end"),
    ):
        proof.write_text(text)
        assert named(words)
    proof.write_text(whole)
    result = second.path / "result.json"
    content = result.read_bytes()
    result.write_text(json.dumps({**json.loads(content), "state": "failed"}))
    assert named("was changed")
    assert named("is called failed")
    result.write_bytes(content[:10])
    with pytest.raises(records.DamagedError):
        check.survey()
    result.unlink()
    assert named("is gone")
    check.acknowledge(9, "batch b9: run 1")
    assert "acknowledged, and not there: batch b9: run 1" in check.violations


# One process of a run is killed at a step; the others live on.


def lay(project: Project, tmp_path: Path, step: str, number: int) -> Path:
    """Have the next process that comes to a step send itself a signal; the folder of faults."""
    folder = tmp_path / "faults"
    (folder / faults.FIRED).mkdir(parents=True)
    (folder / step).write_text(str(number))
    project.environment[faults.NAME] = str(folder)
    return folder


@pytest.mark.parametrize(
    ("engine", "step", "state", "reason"),
    [
        ("ipython", "before process.json", "lost", "never started"),
        ("ipython", "after process.json", "lost", "without a word"),
        ("ipython", "after spawn", "succeeded", "its runner was killed"),
        ("ipython", "after exit", "succeeded", "its runner was killed"),
        ("ipython", "beside result.json", "succeeded", "its runner was killed"),
        ("ipython", "before end", "killed", "SIGKILL in cell"),
        ("kernel", "after begin", "killed", "SIGKILL"),
        ("kernel", "after end", "succeeded", "SIGKILL after its last cell"),
    ],
)
def test_one_is_killed_at_a_step(
    project: Project, tmp_path: Path, engine: str, step: str, state: str, reason: str
) -> None:
    """Runner or engine is killed between two writes: what is said of the run is true, and why."""
    (project.root / workload.PROOFS).mkdir()
    (project.root / workload.NAME).write_text(json.dumps(workload.content(0.001)))
    folder = lay(project, tmp_path, step, signal.SIGKILL)
    project.nbbg("run", workload.NAME, "--engine", engine)
    project.nbbg("wait", "1", code=None)
    run = project.run(1)
    assert len(list((folder / faults.FIRED).iterdir())) == 1
    assert (run["state"], reason in run["reason"]) == (state, True), run["reason"]
    assert workload.Proof(project.root, 1, 1).ended == (
        state == "succeeded" or step == "before end"
    )


@pytest.mark.parametrize("step", ["before submit", "after submit", "after event starting"])
def test_a_supervisor_is_killed_at_a_step(project: Project, tmp_path: Path, step: str) -> None:
    """Between decision and ticket: the next supervisor sees to the run, which is executed once."""
    (project.root / workload.PROOFS).mkdir()
    (project.root / workload.NAME).write_text(json.dumps(workload.content(0.02)))
    folder = lay(project, tmp_path, step, signal.SIGKILL)
    project.nbbg("run", workload.NAME)
    until(lambda: any((folder / faults.FIRED).iterdir()))
    until(lambda: project.supervisor() is None)
    project.nbbg("resume")
    project.nbbg("wait", "1")
    assert project.run(1)["attempt"] == 1
    assert workload.Proof(project.root, 1, 1).starts == 1


def test_an_order_that_is_written_anew_is_waited_for(project: Project) -> None:
    """A runner that finds half an order does not fail its run: it waits, or leaves it unclaimed."""
    (project.root / workload.PROOFS).mkdir()
    (project.root / workload.NAME).write_text(json.dumps(workload.content(0.001)))
    project.environment["SERVICE_TOKEN"] = "swordfish"
    project.nbbg("run", workload.NAME, "--wait")
    attempt = project.attempt(1).with_name("2")
    attempt.mkdir()
    order = attempt / "environment.json"
    whole = json.dumps({"environment": project.environ(), "decided_at": time.time()})
    order.write_text(whole[:100])
    argv = [PYTHON, "-P", "-m", "nbbg.runner", str(attempt)]
    assert subprocess.run(argv, check=False, stderr=subprocess.DEVNULL).returncode == 1
    assert not (attempt / "process.json").exists()
    with subprocess.Popen(argv) as runner:
        time.sleep(0.5)
        order.write_text(whole)
        assert runner.wait() == 0
    assert workload.Proof(project.root, 1, 2).ended
    assert not order.exists()


def test_two_runners_of_an_attempt_that_is_halted(project: Project, tmp_path: Path) -> None:
    """A runner halted before its claim is overtaken by another; when it goes on, it leaves."""
    (project.root / workload.PROOFS).mkdir()
    (project.root / workload.NAME).write_text(json.dumps(workload.content(0.001)))
    folder = lay(project, tmp_path, "before lock", signal.SIGSTOP)
    project.nbbg("run", workload.NAME)
    until(lambda: any((folder / faults.FIRED).iterdir()))
    assert project.state(1) == "submitted"
    (halted,) = (one for one in actors.find(project.home) if one.role == actors.RUNNER)
    supervisor = project.supervisor()
    assert supervisor is not None
    os.kill(supervisor, signal.SIGKILL)
    until(lambda: project.supervisor() is None)
    (project.attempt(1) / "ticket.json").unlink()  # as if it had been killed before it wrote it
    project.nbbg("resume")
    project.nbbg("wait", "1")
    halted.send(signal.SIGCONT)
    until(lambda: not actors.alive(halted.pid, halted.start))
    time.sleep(0.05)
    assert workload.Proof(project.root, 1, 1).starts == 1
    assert project.state(1) == "succeeded"
