"""Runs under a real Slurm: munged, slurmctld and slurmd, in a folder of the test's own."""

from __future__ import annotations

import json
import math
import os
import re
import signal
import time
from typing import TYPE_CHECKING

import pytest

from nbbg import faults, paths
from nbbg.errors import UsageError
from nbbg.executors.slurm import EXECUTOR, commands, fates, script
from nbbg.store import submissions
from tests import cluster, records
from tests.places import COUNTS, GATE, indented, open_gate
from tests.project import LONG, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.cluster import Cluster
    from tests.project import Project

SLURM = ("--executor", "slurm", "--grace", "1")


@pytest.fixture(scope="module")
def slurm() -> Iterator[Cluster]:
    """One cluster for all tests."""
    with cluster.cluster() as made:
        yield made


@pytest.fixture
def project(project: Project, slurm: Cluster) -> Iterator[Project]:
    """A project on its login node; its jobs end with the test."""
    with slurm.login(project):
        yield project


def states(project: Project, *names: str) -> list[str]:
    """The state of each run."""
    return [run["state"] for run in project.runs(*names)]


def numbers(project: Project) -> list[int]:
    """What the runs wrote, each its number."""
    path = project.root / "numbers"
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def begin_again(slurm: Cluster, task: str, has_begun: Callable[[], bool]) -> None:
    """Let a requeued task begin, which Slurm would let wait for two minutes after its end.

    A little later: what begins in the second in which it ended has its credential revoked.
    """
    asked = -math.inf

    def tried() -> bool:
        nonlocal asked
        waits = any(line.reason == "BeginTime" for line in slurm.lines())
        if waits and time.monotonic() > asked + 10:
            asked = time.monotonic()
            slurm("scontrol", "update", f"JobId={task}", "StartTime=now+3")
        return has_begun()

    until(tried, 90)


def test_a_batch_is_one_array(project: Project, slurm: Cluster) -> None:
    """No supervisor; the script is kept; so many at a time; records as everywhere."""
    project.write("train.ipynb", COUNTS, "import nbbg\nnbbg.log(loss=0.5)", "1 + 1")
    said = project.nbbg("run", "train.ipynb", "--runs", "4", "--jobs", "2", *SLURM).stdout
    assert "runs 1-4, 2 at a time, slurm" in said
    text = (project.batch("b1") / paths.JOBS / "1.sh").read_text()
    assert "#SBATCH --array=0-3%2" in text
    project.nbbg("wait", "b1")
    assert states(project) == ["succeeded"] * 4
    assert sorted(numbers(project)) == [1, 2, 3, 4]
    run = project.run(3)
    assert (run["executor"], run["metrics"]) == ("slurm", {"loss": 0.5})
    assert project.put_out(3)["cells"][2]["outputs"][0]["data"] == {"text/plain": "2"}
    assert project.status()["batches"][0]["supervisor_pid"] is None
    assert not list(project.batch("b1").glob(f"**/{paths.ENVIRONMENT}"))
    # The same command again has nothing to do, and submits nothing.
    project.nbbg("run", "train.ipynb", "--runs", "4", "--jobs", "2", *SLURM)
    assert len(list((project.batch("b1") / paths.JOBS).glob("*.sh"))) == 1
    assert not slurm.jobs()


def test_what_waits_is_submitted_with_slurms_reason(project: Project) -> None:
    """Runs in the line are `submitted`, and say why they wait, in Slurm's words."""
    project.write("train.ipynb", GATE)
    project.nbbg("run", "train.ipynb", "--runs", "3", *SLURM)
    project.until_running(1)
    until(lambda: "JobArrayTaskLimit" in project.run(3)["reason"])
    assert states(project) == ["running", "submitted", "submitted"]
    assert project.status()["batches"][0]["counts"] == {"running": 1, "submitted": 2}
    project.nbbg("jobs", "b1", "3")
    open_gate(project)
    until(lambda: "running" in states(project, "2", "3") or "succeeded" in states(project, "2"))
    project.nbbg("wait", "b1")


TASKS = int(os.environ.get("NBBG_TASKS", "12"))  # of the array, while daemons die


def test_a_daemon_that_dies_changes_nothing(project: Project, slurm: Cluster) -> None:
    """Two at a time, slurmctld and slurmd killed and started again: each number once."""
    project.write("train.ipynb", COUNTS, GATE)
    project.nbbg("run", "train.ipynb", "--runs", str(TASKS), "--jobs", "2", *SLURM)
    until(lambda: len(numbers(project)) == 2)
    slurm.until_saved()
    slurm.kill("slurmctld")
    told = project.runs()  # once: squeue itself tries for nine seconds
    assert {run["state"] for run in told} <= {"running", "unknown"}
    assert "Unable to contact slurm controller" in told[-1]["reason"]
    slurm.start("slurmctld")
    open_gate(project)
    until(lambda: len(numbers(project)) >= 4)
    slurm.kill("slurmd")
    slurm.start("slurmd")
    project.nbbg("wait", "b1", timeout=240)
    assert states(project) == ["succeeded"] * TASKS
    assert sorted(numbers(project)) == list(range(1, TASKS + 1))


def test_scancel_from_outside_is_a_stop(project: Project, slurm: Cluster) -> None:
    """A run that is cancelled in Slurm is `stopped`, at work and waiting; the others go on."""
    project.write("train.ipynb", GATE)
    project.nbbg("run", "train.ipynb", "--runs", "3", *SLURM)
    project.until_running(1, "at the gate")
    job = submissions.of(project.batch("b1"))[0].job
    slurm("scancel", f"{job}_0")
    slurm("scancel", f"{job}_2")
    until(lambda: states(project, "1", "3") == ["stopped", "stopped"])
    assert "scancel" in project.run(1)["reason"]
    assert "cancelled" in project.run(3)["reason"]
    open_gate(project)
    project.nbbg("wait", "2")
    assert states(project) == ["stopped", "succeeded", "stopped"]
    # Whoever wants them after all goes on.
    project.nbbg("resume")
    project.nbbg("wait", "b1")
    assert states(project) == ["succeeded"] * 3
    assert [run["attempt"] for run in project.runs()] == [2, 1, 2]


def test_a_task_that_dies_before_its_run_begins(
    project: Project, slurm: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is lost, with its exit code and its last words, also when Slurm has forgotten it."""
    project.write("train.ipynb", COUNTS)
    folder = project.home / "faults"
    (folder / faults.FIRED).mkdir(parents=True)
    (folder / "before 1.json").write_text("9")
    project.environment[faults.NAME] = str(folder)
    project.nbbg("run", "train.ipynb", "--runs", "2", *SLURM, code=-signal.SIGKILL)
    del project.environment[faults.NAME]
    assert states(project) == ["queued"] * 2
    for name, value in slurm.environment.items():
        monkeypatch.setenv(name, value)
    # Python itself won't start with that.
    broken = {**project.environ(), "PYTHONHASHSEED": "nonsense"}
    EXECUTOR.hand_over(project.batch("b1"), [1, 2], broken)
    until(lambda: states(project) == ["lost"] * 2, 60)
    until(lambda: not slurm.jobs())
    job = submissions.of(project.batch("b1"))[0].job
    told = fates.of(project.batch("b1"), [1])[1]
    if "exit code" not in told.reason:  # which Slurm has forgotten by now
        assert told.reason.startswith("its task is over: ")
    until(lambda: not [line for line in commands.squeue() if line.job == job], 60)
    assert states(project) == ["lost"] * 2
    assert "Python runtime state" in project.run(2)["reason"]  # the last of its words
    project.nbbg("resume")
    project.nbbg("wait", "b1")
    assert sorted(numbers(project)) == [1, 2]


def test_what_became_of_tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slurm's word while it remembers, else the accounting's, else what the task has left."""
    records.publish(store := records.make_store(tmp_path), 5, executor="slurm")
    batch = store.batch(1)
    made = submissions.intend(batch, "x", range(1, 6))
    submissions.settle(batch, made, "77")
    for index, text in ((0, ""), (1, "first\nno such file\n\n"), (2, "killed\n")):
        (batch / paths.JOBS / f"{made.number}-{index}.out").write_text(text)
    (tmp_path / "scontrol").write_text(
        "#!/bin/sh\ncase $4 in 77_1) echo JobId=9 JobState=FAILED Reason=x ExitCode=127:0;;"
        " 77_4) echo JobState=CANCELLED ExitCode=0:15;; *) exit 1;; esac\n"
    )
    (tmp_path / "sacct").write_text("#!/bin/sh\necho '77_2|OUT_OF_MEMORY|0:125'\n")
    for name in ("scontrol", "sacct"):
        (tmp_path / name).chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert {run: told.reason for run, told in fates.of(batch, range(1, 8)).items()} == {
        1: "its task is over",
        2: "its task is failed, exit code 127: no such file",
        3: "its task is out of memory: killed",
        4: "cancelled",
        5: "cancelled",
    }
    monkeypatch.setenv("SQUEUE_PARTITION", "another")
    (tmp_path / "squeue").write_text('#!/bin/sh\necho "7|0|$SQUEUE_PARTITION|x|y"\n')
    (tmp_path / "squeue").chmod(0o700)
    assert commands.squeue() == [commands.Line("7", "0", "", "x", "y")]


def test_a_stop_of_very_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """100,000 tasks here and there leave the line, and no word is too long."""
    records.publish(store := records.make_store(tmp_path), 1, executor="slurm")
    batch = store.batch(1)
    made = submissions.intend(batch, "x", range(1, 200_001))
    submissions.settle(batch, made, "77")
    (tmp_path / "scancel").write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/said\n')
    (tmp_path / "scancel").chmod(0o700)
    (tmp_path / "squeue").write_text("#!/bin/sh\necho '77|0-199999|PENDING|Priority|x'\n")
    (tmp_path / "squeue").chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    EXECUTOR.withdraw(batch, range(1, 200_001, 2))
    said = (tmp_path / "said").read_text()
    assert len(re.findall(r"\d+(?=[,\]])", said)) == 100_000


def test_sbatch_says_more_than_an_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A site's greeting is no job's id; without any, nobody knows whether it was taken."""
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    (tmp_path / "sbatch").write_text("#!/bin/sh\necho Welcome\necho '12;cluster'\n")
    (tmp_path / "sbatch").chmod(0o700)
    assert commands.sbatch([], "") == "12"
    (tmp_path / "sbatch").write_text("#!/bin/sh\necho Welcome\n")
    with pytest.raises(commands.NoAnswerError):
        commands.sbatch([], "")


def test_a_stop_ends_what_runs_and_what_waits(project: Project, slurm: Cluster) -> None:
    """`nbbg stop b1` ends the run through its record, and takes the others out of the line."""
    project.write("train.ipynb", f"print('begun')\n{LONG}")
    project.nbbg("run", "train.ipynb", "--runs", "3", *SLURM)
    project.until_running(1, "begun")
    project.nbbg("stop", "b1")
    assert states(project) == ["stopped"] * 3
    until(lambda: not slurm.jobs())
    assert not (project.batch("b1") / paths.RUNS / "3").exists()
    assert "nbbg stop" in project.run(3)["reason"]


def test_a_further_attempt_leaves_the_line_with_its_batch(project: Project, slurm: Cluster) -> None:
    """It is said that it will not start, and Slurm does not have it any more."""
    project.write("train.ipynb", COUNTS)
    project.nbbg("run", "train.ipynb", "--slurm", "begin=now+1hour", *SLURM)
    project.nbbg("stop", "1")
    project.nbbg("resume", "1")
    until(lambda: project.state(1) == "submitted")
    assert project.nbbg("stop", "b1").stdout == "run 1 will not start\n"
    until(lambda: not slurm.jobs())
    assert project.run(1)["attempt"] == 2
    assert project.state(1) == "stopped"


def test_a_pause_holds_the_line(project: Project, slurm: Cluster) -> None:
    """A paused batch starts nothing; `resume` lets it go on."""
    project.write("train.ipynb", GATE, COUNTS)
    project.nbbg("run", "train.ipynb", "--runs", "3", *SLURM)
    project.until_running(1, "at the gate")
    project.nbbg("pause", "b1")
    open_gate(project)
    project.nbbg("wait", "1")
    until(lambda: bool({line.reason for line in slurm.lines()} & {"JobHeldUser", "JobHeldAdmin"}))
    assert numbers(project) == [1]
    project.nbbg("resume", "b1")
    project.nbbg("wait", "b1")
    assert sorted(numbers(project)) == [1, 2, 3]


def test_a_limit_of_time_is_followed_by_an_attempt_that_goes_on(
    project: Project, slurm: Cluster
) -> None:
    """Slurm's signal before its limit is a graceful stop; the next attempt goes on after it."""
    cells = (
        "import os, nbbg, time",
        "first = os.environ['NBBG_ATTEMPT'] == '1'",
        (
            "for step in nbbg.track(range(5), resume=True):\n"
            "    open('steps', 'a').write(f'{step} ')\n"
            "    nbbg.saved(step)\n"
            "    if step == 2 and first:\n"
            "        print('waits', flush=True)\n"
            "        while not nbbg.should_stop():\n"
            "            time.sleep(0.05)\n"
            "        break"
        ),
    )
    project.write("train.ipynb", *cells)
    # A limit is of minutes; so the signal comes almost at once.
    project.nbbg("run", "train.ipynb", *SLURM, "--slurm", "time=1,signal=B:USR1@59")
    until((project.root / "steps").exists)
    until(lambda: project.run(1)["attempt"] == 2, 60)
    assert project.state(1) in ("submitted", "running", "queued", "succeeded")
    job = submissions.of(project.batch("b1"))[0].job
    begin_again(slurm, f"{job}_0", lambda: project.state(1) == "succeeded")
    project.nbbg("wait", "b1")
    assert (project.root / "steps").read_text().split() == list("01234")
    run = project.run(1)
    assert (run["state"], run["attempt"], run["resumed_after"]) == ("succeeded", 2, 2)
    result = json.loads((project.batch("b1") / "runs/1/1" / paths.RESULT).read_bytes())
    assert (result["state"], result["by"]) == ("stopped", "Slurm's limit of time")


def test_a_task_that_slurm_starts_again_is_the_next_attempt(
    project: Project, slurm: Cluster
) -> None:
    """A requeued task, whose node was lost, goes on as attempt 2; nothing is done twice at once."""
    project.write("train.ipynb", GATE, COUNTS)
    project.nbbg("run", "train.ipynb", *SLURM)
    project.until_running(1, "at the gate")
    job = submissions.of(project.batch("b1"))[0].job
    slurm("scontrol", "requeue", f"{job}_0")
    until((project.batch("b1") / "runs/1/1" / paths.RESULT).exists, 60)
    open_gate(project)  # not before: a run that is being stopped may still succeed
    begin_again(slurm, f"{job}_0", lambda: project.run(1)["attempt"] == 2)
    project.nbbg("wait", "b1")
    assert project.state(1) == "succeeded"
    assert numbers(project) == [1]


def test_a_disk_of_the_node(project: Project, tmp_path: Path) -> None:
    """What runs write on a disk of their node is kept with their records, also when stopped."""
    tells = "import os\nopen(os.environ['NBBG_SCRATCH_DIR'] + '/x', 'w').write('written')"
    project.write("train.ipynb", tells, f"if os.environ['RUN_NUMBER'] == '2':\n{indented(LONG)}")
    disk = f"{tmp_path}/disk/$SLURM_ARRAY_JOB_ID"
    project.nbbg("run", "train.ipynb", "--runs", "2", "--jobs", "2", *SLURM, "--scratch", disk)
    project.until_running(2, "0")
    project.nbbg("stop", "2")
    project.nbbg("wait", "b1", code=1)
    assert states(project) == ["succeeded", "stopped"]
    for run in (1, 2):
        assert (project.attempt(run) / paths.SCRATCH / "x").read_text() == "written"
    job = submissions.of(project.batch("b1"))[0].job
    assert list((tmp_path / "disk" / str(job)).iterdir()) == []


def test_an_answer_that_was_lost(project: Project) -> None:
    """A submission whose id was never recorded is found again by its name: nothing runs twice."""
    project.write("train.ipynb", GATE, COUNTS)
    project.nbbg("run", "train.ipynb", "--runs", "3", *SLURM)
    (project.batch("b1") / paths.JOBS / "1.id").unlink()
    assert states(project)[1:] == ["queued", "queued"]
    project.nbbg("resume")
    assert states(project)[1:] == ["submitted", "submitted"]
    assert len(list((project.batch("b1") / paths.JOBS).glob("*.sh"))) == 1
    open_gate(project)
    project.nbbg("wait", "b1")
    assert sorted(numbers(project)) == [1, 2, 3]


def test_an_answer_that_comes_too_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where sbatch hangs nobody knows what it has done: the job is looked for by its name."""
    records.publish(store := records.make_store(tmp_path), executor="slurm")
    batch = store.batch(1)
    programs = {"sbatch": "exec sleep 60", "squeue": "", "scontrol": "echo MaxArraySize = 1001"}
    for name, does in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / name).chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(commands, "PATIENCE", 1.0)
    with pytest.raises(commands.NoAnswerError):
        EXECUTOR.hand_over(batch, [1], os.environ)
    (made,) = submissions.of(batch)
    assert made.job is None
    (tmp_path / "squeue").write_text(f"#!/bin/sh\necho '77|0|PENDING|None|{made.name}'\n")
    EXECUTOR.hand_over(batch, [1], os.environ)
    assert [each.job for each in submissions.of(batch)] == ["77"]


def test_slurm_says_no(project: Project) -> None:
    """What sbatch refuses is said in its own words, and nothing was recorded."""
    project.write("train.ipynb", COUNTS)
    said = project.nbbg("run", "train.ipynb", *SLURM, "--slurm", "partition=nope", code=2).stderr
    assert said == "nbbg: sbatch: invalid partition specified: nope\n"
    assert not (project.root / paths.STORE / paths.BATCHES / "1").exists()


@pytest.mark.parametrize(
    "words",
    [
        ("--gpus", "0"),
        ("--machine-jobs", "3"),
        ("--max-failures", "1"),
        ("--until", "decided", "--metric", "loss", "--max-runs", "8"),
        ("--slurm", "array=1-3"),
        ("--slurm", "partition="),
        ("--slurm", "comment=`id`"),
        ("--slurm", "Partition p"),
    ],
)
def test_what_is_not_for_slurm(project: Project, words: tuple[str, ...]) -> None:
    """An option that a supervisor would see to, or that is nbbg's own, is refused in two lines."""
    project.write("train.ipynb", COUNTS)
    done = project.nbbg("run", "train.ipynb", *SLURM, *words, code=2)
    assert done.stderr.startswith("nbbg: ")
    assert len(done.stderr.splitlines()) <= 2
    assert not (project.root / paths.STORE).exists()


def test_slurm_options_without_slurm(project: Project) -> None:
    """`--slurm` alone says which option is missing."""
    project.write("train.ipynb", COUNTS)
    said = project.nbbg("run", "train.ipynb", "--slurm", "partition=p", code=2).stderr
    assert "--executor slurm" in said


def test_no_slurm_at_all(project: Project, tmp_path: Path) -> None:
    """On a machine without Slurm that is said, and what to type."""
    project.write("train.ipynb", COUNTS)
    project.environment["PATH"] = str(tmp_path)
    said = project.nbbg("run", "train.ipynb", *SLURM, code=2).stderr
    assert said == "nbbg: there is no Slurm here\nlog in where sbatch is, or --executor local\n"


def test_options_are_read_as_people_type_them() -> None:
    """Commas separate options; a bare word belongs to the value before it, but for flags."""
    given = ["partition=gpu,time=4:00:00,gres=gpu:1", "exclude=n1,n2,exclusive", "--mem=4G"]
    assert script.parse(given) == {
        "partition": "gpu",
        "time": "4:00:00",
        "gres": "gpu:1",
        "exclude": "n1,n2",
        "exclusive": "",
        "mem": "4G",
    }
    with pytest.raises(UsageError):
        script.parse(["job-name=mine"])


def test_indices_of_an_array() -> None:
    """What squeue writes of an array's tasks is read whole."""
    line = commands.Line("7", "3-5,9,20-26:3%4", "PENDING", "Priority", "x")
    assert list(line.indices()) == [3, 4, 5, 9, 20, 23, 26]
    assert list(commands.Line("7", "N/A", "PENDING", "", "x").indices()) == []


def test_ranges_of_runs(tmp_path: Path) -> None:
    """Runs are submitted and found again as ranges."""
    (tmp_path / "3").mkdir()
    made = submissions.intend(tmp_path / "3", "nbbg-x", [9, 3, 4, 5])
    submissions.settle(tmp_path / "3", made, "77")
    found = submissions.of(tmp_path / "3")
    assert found == [submissions.Submission(1, "nbbg-x-1", ((3, 5), (9, 9)), 3, "77")]
    assert [run for run in range(12) if run in found[0]] == [3, 4, 5, 9]
    assert submissions.newest(found, 9) == found[0]
    assert found[0].ticket(9) == "77_6"
    assert re.fullmatch(r"nbbg-x-\d+", found[0].name)
