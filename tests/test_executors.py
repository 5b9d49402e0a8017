"""What every executor promises.

One suite for all, against a real Slurm and a real sshd too: the same notebooks, the same records.
What is not asked of one is said where it is left out:

- `inline` runs in the process that typed the command: what survives a kill is asked of the others.
- `slurm` has no supervisor that could be killed, and ends what a task leaves behind, so that an
  engine does not outlive its runner there.
- `slurm` and `ssh` refuse an exit file: nobody would look for it.
- over `ssh` a run has the environment of its machine: what reaches it comes from `.env`, or is
  named as a secret; and data is sent. What is gone there without a result is told for gone 90
  seconds later, which no test waits for: so what ends with its runner is not asked of it.
"""

from __future__ import annotations

import contextlib
import json
import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nbbg import paths, process
from tests import cluster as clusters
from tests.places import (
    COUNTS,
    GATE,
    Place,
    at,
    files_with,
    indented,
    kill,
    states,
)
from tests.project import LONG, alive, until

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.cluster import Cluster
    from tests.project import Project

SECOND_TIME = "import os\nassert os.environ['NBBG_ATTEMPT'] == '2', 'the first attempt fails'"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """One cluster for all tests."""
    with clusters.cluster() as made:
        yield made


@pytest.fixture(params=["local", "tmux", "inline", "slurm", "ssh"])
def place(request: pytest.FixtureRequest, project: Project) -> Iterator[Place]:
    """Each executor in turn."""
    with _at(request, project) as made:
        yield made


@pytest.fixture(params=["local", "tmux", "slurm", "ssh"])
def detached(request: pytest.FixtureRequest, project: Project) -> Iterator[Place]:
    """Each executor whose runs outlive the command."""
    with _at(request, project) as made:
        yield made


@pytest.fixture(params=["local", "tmux", "ssh"])
def supervised(request: pytest.FixtureRequest, project: Project) -> Iterator[Place]:
    """Each executor whose runs are started by a supervisor, and outlive that too."""
    with _at(request, project) as made:
        yield made


def _at(
    request: pytest.FixtureRequest, project: Project
) -> contextlib.AbstractContextManager[Place]:
    """That place; the cluster is started for the first test that needs it."""
    executor: str = request.param
    return at(
        executor, project, request.getfixturevalue("cluster") if executor == "slurm" else None
    )


# What every executor promises.


def test_a_run_that_succeeds_has_a_whole_record(place: Place) -> None:
    """Of a run that succeeded every field is told, with its host, its pids and times in order."""
    cells = ("lr = 0.1", "import nbbg\nnbbg.log(loss=0.5)\nnbbg.log(loss=lr)", "lr")
    place.project.write("train.ipynb", *cells[1:], parameters=cells[0])
    place.launch("train.ipynb", "-p", "lr=0.25", "--seed", "40")
    place.end()
    run = place.project.run(1)
    pid, runner, size = run.pop("pid"), run.pop("runner_pid"), run.pop("bytes")
    assert size > 0
    assert (pid == runner) == (place.executor == "inline")
    times = [
        datetime.fromisoformat(run.pop(f"{name}_at")) for name in ("queued", "started", "ended")
    ]
    assert times == sorted(times)
    assert {time.tzname() for time in times} == {"UTC"}
    output = Path(run["output"])
    assert run == {
        "id": 1,
        "batch": "b1",
        "arm": "train/lr=0.25",
        "notebook": "train.ipynb",
        "number": 1,
        "seed": 41,
        "params": {"lr": 0.25},
        "attempt": 1,
        "state": "succeeded",
        "reason": "",
        "exit_code": 0,
        "signal": None,
        "engine": "ipython",
        "executor": place.executor,
        "gpu": None,
        "retry_at": None,
        "host": process.host(),
        "machine": "gpu1" if place.executor == "ssh" else process.host(),
        "cell": 4,
        "cells": 4,
        "log": str(place.project.batch("b1") / "runs" / "1" / "1" / paths.LOG),
        "output": str(place.project.root / "outputs/train/lr=0.25/train_lr=0.25_1.ipynb"),
        "metrics": {"loss": 0.25},
        "resumed_after": None,
        "cleaned_at": None,
        "project": str(place.project.root),
    }
    assert Path(run["log"]).exists()
    executed = json.loads(output.read_bytes())
    assert executed["cells"][3]["outputs"][0]["data"] == {"text/plain": "0.25"}


def test_a_run_that_fails_says_where(place: Place) -> None:
    """Of a run that raised, the cell and the exception are told, and its outputs are kept."""
    place.project.write("train.ipynb", "print('before')", "1 / 0", "print('after')")
    place.launch("train.ipynb")
    place.end()
    run = place.project.run(1)
    assert (run["state"], run["exit_code"], run["cell"]) == ("failed", 1, 2)
    assert run["reason"] == "cell 2: ZeroDivisionError: division by zero"
    first, second, third = place.project.put_out(1)["cells"]
    assert first["outputs"][0]["text"] == "before\n"
    assert second["outputs"][0]["ename"] == "ZeroDivisionError"
    assert third["outputs"] == []


def test_an_exit_code_is_told(place: Place) -> None:
    """`sys.exit(3)` in a cell is `exited`, with that code, and ends no other run."""
    leaves_first = "import os, sys\nif os.environ['RUN_NUMBER'] == '1': sys.exit(3)"
    place.project.write("train.ipynb", "print('before')", leaves_first, "print('after')")
    place.launch("train.ipynb", "--runs", "2")
    place.end()
    first, second = place.project.runs()
    assert (first["state"], first["exit_code"], first["cell"]) == ("exited", 3, 2)
    assert first["reason"] == "exit code 3 in cell 2"
    assert second["state"] == "succeeded"


def test_what_a_run_finds_in_its_environment(place: Place) -> None:
    """A run is told who it is; what the user set wins, and `.env` reaches it."""
    by_file = place.executor == "ssh"
    dumps = "import json, os\njson.dump(dict(os.environ), open('environ.json', 'w'))"
    place.project.write("train.ipynb", dumps)
    mine = {"FLAVOUR": "mine", "BOTH": "shell", "OMP_NUM_THREADS": "7", "RUN_NUMBER": "99"}
    given = {"FROM_DOTENV": "yes", "BOTH": "dotenv"}
    if by_file:
        given |= mine
    else:
        place.project.environment |= mine
    text = "".join(f"{name}={value}\n" for name, value in given.items())
    (place.project.root / ".env").write_text(text)
    place.launch("train.ipynb", "--seed", "10", "--name", "mine", "--jobs", "1000")
    place.end()
    found = json.loads((place.folder / "environ.json").read_text())
    folder = place.store / paths.BATCHES / "1" / paths.RUNS / "1"
    wanted = {
        "RUN_NUMBER": "1",
        "SEED": "11",
        "NBBG_RUN_ID": "1",
        "NBBG_RUN_DIR": str(folder),
        "NBBG_CHECKPOINT_DIR": str(folder / "checkpoint"),
        "NBBG_ATTEMPT": "1",
        "NBBG_ARM": "mine",
        "WANDB_RUN_GROUP": "mine",
        "MLFLOW_EXPERIMENT_NAME": "mine",
        "PYTHONUNBUFFERED": "1",
        "PYTHONHASHSEED": "0",
        "FROM_DOTENV": "yes",
        "BOTH": "shell",
        "FLAVOUR": "mine",
        "OMP_NUM_THREADS": "7",
        # OpenBLAS and MKL go by their own variables first: these must not overrule the user's.
        "OPENBLAS_NUM_THREADS": "7",
        "MKL_NUM_THREADS": "7",
    }
    assert {name: found.get(name) for name in wanted} == wanted
    assert (folder / "checkpoint").is_dir()


def test_threads_are_divided_by_the_jobs(detached: Place) -> None:
    """Runs that go on at once share the processors, unless the user says how."""
    says = "import os\nopen('threads', 'w').write(os.environ['OMP_NUM_THREADS'])"
    detached.project.write("train.ipynb", says)
    detached.launch("train.ipynb", "--jobs", "1000")
    detached.end()
    assert (detached.folder / "threads").read_text() == "1"


def test_a_secret_reaches_the_run_and_no_file(place: Place) -> None:
    """A secret is known to the run, and lies in no record, output or command line."""
    secrets = {"SERVICE_API_KEY": "swordfish-in-the-shell", "DB_PASSWORD": "swordfish-in-dotenv"}
    place.project.environment["SERVICE_API_KEY"] = secrets["SERVICE_API_KEY"]
    place.project.environment["NBBG_SECRETS"] = "SERVICE_API_KEY"  # which has it carried, too
    (place.project.root / ".env").write_text(f"DB_PASSWORD={secrets['DB_PASSWORD']}\n")
    prints = (
        "import os, subprocess, sys\n"
        "key, password = os.environ['SERVICE_API_KEY'], os.environ['DB_PASSWORD']\n"
        "assert key.endswith('shell') and password.endswith('dotenv')\n"
        "print(key, password); print(password, file=sys.stderr, flush=True)\n"
        "subprocess.run('echo by a child: $SERVICE_API_KEY $DB_PASSWORD', shell=True)\n"
        "key"
    )
    place.project.write("train.ipynb", prints, GATE, "raise ValueError(password)")
    place.launch("train.ipynb")
    place.project.until_running(1, "at the gate")
    assert _on_a_command_line(secrets.values()) == []
    for store in (place.project.root / paths.STORE, place.store):
        assert files_with(store, secrets.values()) <= {paths.LOG}
    place.open_gate()
    place.end()
    for folder in (place.project.root / paths.STORE, place.project.root / "outputs", place.store):
        assert files_with(folder, secrets.values()) == set()
    assert place.project.run(1)["reason"] == "cell 3: ValueError: *******************"
    masked = f"{'*' * 22} {'*' * 19}"
    assert place.project.log(1).startswith(f"{masked}\n{'*' * 19}\n")
    if place.executor != "inline":  # there a child writes to the terminal
        assert f"by a child: {masked}" in place.project.log(1)
        assert f"by a child: {masked}" in json.dumps(place.project.executed(1))
    for words in (("show", "1"), ("status", "--json"), ("logs", "1"), ("notebook", "1", "-o", "-")):
        said = place.project.nbbg(*words)
        assert "swordfish" not in said.stdout + said.stderr


def _on_a_command_line(secrets: Iterable[str]) -> list[str]:
    lines = []
    for each in process.processes():
        with contextlib.suppress(OSError):
            lines.append(Path(f"/proc/{each.identity.pid}/cmdline").read_text(errors="replace"))
    return [line for line in lines if any(secret in line for secret in secrets)]


def test_a_run_works_in_its_notebooks_folder(place: Place) -> None:
    """Data is read and files are written beside the notebook, with the user's own permissions.

    Those of the machine's shell, over ssh: the tests' machines have an umask of 0.
    """
    works = "open('made.txt', 'w').write(open('data.txt').read())"
    place.project.write("deep/er/train.ipynb", works)
    (place.project.root / "deep/er/data.txt").write_text("data")
    before = os.umask(0o022)
    try:
        sent = ("--send", "deep/er/data.txt") if place.executor == "ssh" else ()
        place.launch("deep/er/train.ipynb", *sent)
    finally:
        os.umask(before)
    place.end()
    assert states(place.project) == ["succeeded"]
    made = place.folder / "deep/er/made.txt"
    assert made.read_text() == "data"
    assert made.stat().st_mode & 0o777 == (0o666 if place.executor == "ssh" else 0o644)


def test_a_run_that_was_stopped_before_its_start_never_starts(place: Place) -> None:
    """A queued run that is stopped is `stopped` at once, and its notebook is never executed."""
    place.project.write("train.ipynb", COUNTS, GATE)
    place.launch("train.ipynb", "--runs", "3")
    place.project.until_running(1, "at the gate")
    place.project.nbbg("stop", "2")
    assert place.project.state(2) == "stopped"
    place.open_gate()
    place.end()
    assert states(place.project) == ["succeeded", "stopped", "succeeded"]
    assert place.project.run(2)["reason"] == "nbbg stop; before it started"
    assert place.numbers() == [1, 3]


def test_a_batch_starts_its_runs_in_order(place: Place) -> None:
    """One at a time, the runs go by their numbers, and of several arms each number in turn."""
    names = "import os\nwho = os.environ['NBBG_ARM'] + os.environ['RUN_NUMBER']"
    tells = "open('order', 'a').write(who + ' ')"
    for name in ("a", "b"):
        place.project.write(f"{name}.ipynb", names, tells)
    place.launch("a.ipynb", "b.ipynb", "--runs", "3")
    place.end()
    assert (place.folder / "order").read_text() == "a1 b1 a2 b2 a3 b3 "


@pytest.mark.parametrize("place", ["local", "tmux", "inline"], indirect=True)
def test_an_exit_file_ends_the_batch_after_its_runs(place: Place) -> None:
    """When the exit file appears, what runs goes to its end and nothing more starts."""
    place.project.write("train.ipynb", "open('enough', 'w').close()", "print('to the end')")
    place.launch("train.ipynb", "--runs", "3", "--exit-file", "./enough")
    place.end()
    assert states(place.project) == ["succeeded", "stopped", "stopped"]
    assert place.project.run(2)["reason"].startswith("exit file ")
    assert place.project.log(1) == "to the end\n"


# What survives, at every executor whose runs outlive the command.


@pytest.mark.parametrize("supervised", ["local", "tmux"], indirect=True)
def test_a_killed_runner_leaves_its_engine_at_work(supervised: Place) -> None:
    """Without its runner a run goes on as `running`, says so, and ends as its journal tells."""
    says = "import os\nos.system('echo $SERVICE_TOKEN')"
    supervised.project.write("train.ipynb", says, GATE, "print('the end')")
    supervised.project.environment["SERVICE_TOKEN"] = "swordfish"
    supervised.launch("train.ipynb")
    run = supervised.project.until_running(1, "at the gate")
    kill(run["runner_pid"])
    assert supervised.project.run(1)["reason"] == "its runner was killed; the engine goes on"
    assert supervised.project.executed(1)["cells"][1]["outputs"][0]["text"] == "at the gate\n"
    supervised.open_gate()
    supervised.end()
    run = supervised.project.run(1)
    assert (run["state"], run["reason"]) == ("succeeded", "its runner was killed")
    assert supervised.project.executed(1)["cells"][2]["outputs"][0]["text"] == "the end\n"
    until(lambda: supervised.supervisor() is None)
    assert supervised.project.log(1).startswith("*********\n")


def test_a_killed_engine_is_told_with_its_signal(detached: Place) -> None:
    """SIGKILL to the engine is `killed`, with the signal and the cell; the next run starts."""
    detached.project.write("train.ipynb", "first = 1", GATE)
    detached.launch("train.ipynb", "--runs", "2")
    run = detached.project.until_running(1, "at the gate")
    kill(run["pid"])
    detached.project.until_running(2, "at the gate")
    detached.open_gate()
    detached.end()
    first, second = detached.project.runs()
    assert (first["state"], first["signal"], first["cell"]) == ("killed", "SIGKILL", 2)
    assert first["reason"] == "SIGKILL in cell 2"
    assert second["state"] == "succeeded"


def test_a_killed_supervisor_is_replaced_by_resume(supervised: Place) -> None:
    """Without a supervisor what runs goes on; `resume` starts the rest, each exactly once."""
    supervised.project.write("train.ipynb", COUNTS, GATE)
    supervised.launch("train.ipynb", "--runs", "3")
    supervised.project.until_running(1, "at the gate")
    kill(supervised.supervisor())
    assert supervised.supervisor() is None
    left = "lost" if supervised.executor == "ssh" else "queued"  # once its machine has said so
    until(lambda: states(supervised.project) == ["running", left, left])
    supervised.open_gate()
    supervised.project.nbbg("wait", "1")
    assert states(supervised.project) == ["succeeded", left, left]
    supervised.project.nbbg("resume")
    supervised.end()
    assert states(supervised.project) == ["succeeded"] * 3
    assert supervised.numbers() == [1, 2, 3]


@pytest.mark.parametrize("detached", ["local", "tmux", "slurm"], indirect=True)
def test_everything_killed_is_lost_and_goes_on_with_resume(detached: Place) -> None:
    """Runner and engine killed: `lost`; `resume` makes a second attempt and keeps the first."""
    first = f"import os\nif os.environ['NBBG_ATTEMPT'] == '1':\n{indented(GATE)}"
    detached.project.write("train.ipynb", first)
    detached.launch("train.ipynb")
    run = detached.project.until_running(1, "at the gate")
    kill(run["runner_pid"], run["pid"])
    assert states(detached.project) == ["lost"]
    detached.project.nbbg("resume")
    detached.end()
    run = detached.project.run(1)
    assert (run["state"], run["attempt"]) == ("succeeded", 2)
    assert "at the gate" in detached.project.nbbg("logs", "1", "--attempt", "1").stdout


def test_stop_interrupts_the_cell(detached: Place) -> None:
    """`stop` raises KeyboardInterrupt in the cell, so that its `finally` runs; it is `stopped`."""
    cleans = f"try:\n{indented(LONG)}\nfinally:\n    open('cleaned', 'w').close()"
    detached.project.write("train.ipynb", cleans, "print('never')")
    detached.launch("train.ipynb")
    run = detached.project.until_running(1, "0")
    said = detached.project.nbbg("stop", "1").stdout
    assert said == "run 1 stopped (nbbg stop in cell 1)\n"
    run = detached.project.run(1)
    assert (run["state"], run["reason"]) == ("stopped", "nbbg stop in cell 1")
    assert (detached.folder / "cleaned").exists()
    assert not alive(run["pid"])


def test_stop_after_run_lets_the_live_runs_end(detached: Place) -> None:
    """`stop --after-run` of a batch starts nothing more; `resume` takes it back."""
    detached.project.write("train.ipynb", COUNTS, GATE)
    detached.launch("train.ipynb", "--runs", "3")
    detached.project.until_running(1, "at the gate")
    said = detached.project.nbbg("stop", "b1", "--after-run").stdout
    assert "runs 2-3 will not start\n" in said
    detached.open_gate()
    detached.end()
    assert states(detached.project) == ["succeeded", "stopped", "stopped"]
    detached.project.nbbg("resume", "b1")
    detached.end()
    assert states(detached.project) == ["succeeded"] * 3
    assert detached.numbers() == [1, 2, 3]


def test_retry_makes_another_attempt(detached: Place) -> None:
    """`retry` runs what failed again, in its place, and keeps the failed attempt."""
    detached.project.write("train.ipynb", SECOND_TIME)
    detached.launch("train.ipynb")
    detached.end()
    assert states(detached.project) == ["failed"]
    detached.project.nbbg("retry", "--failed")
    detached.end()
    run = detached.project.run(1)
    assert (run["state"], run["attempt"]) == ("succeeded", 2)
    first = Path(run["log"]).parent.parent / "1"
    assert json.loads((first / paths.RESULT).read_text())["state"] == "failed"


# Those of others.

_CARRIED = """
import os, subprocess, sys
from nbbg import process
from nbbg.executors import Ticket
from nbbg.executors.here import Here


class Carried(Here):
    def submit(self, attempt):
        argv = [sys.executable, "-P", "-m", "nbbg.runner", str(attempt)]
        runner = subprocess.Popen(argv, start_new_session=True, stdin=subprocess.DEVNULL)
        return Ticket(process.identity(runner.pid), {"by": "carried"})


EXECUTOR = Carried()
"""


def _install(project: Project, folder: Path, name: str, code: str) -> None:
    """Have nbbg find a package of somebody else's, with an executor of that name."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[nbbg.executors]\n{name} = of_{name}:EXECUTOR\n")
    (folder / f"of_{name}.py").write_text(code)
    project.environment["PYTHONPATH"] = str(folder)


def test_an_executor_of_another_package(project: Project, tmp_path: Path) -> None:
    """One that an entry point names is listed, carries runs as nbbg's own do, and is in records."""
    _install(project, tmp_path / "theirs", "carried", _CARRIED)
    project.write("train.ipynb", COUNTS, SECOND_TIME)
    listed = project.nbbg("run", "train.ipynb", "--executor", "nope", code=2).stderr
    assert listed.startswith("nbbg: there is no executor 'nope'; there are: local, ")
    assert listed.endswith("carried\n")
    project.nbbg("run", "train.ipynb", "--runs", "2", "--executor", "carried")
    project.nbbg("wait", "b1", code=1)
    project.nbbg("retry", "--failed")
    project.nbbg("wait", "b1")
    assert states(project) == ["succeeded"] * 2
    assert {run["executor"] for run in project.runs()} == {"carried"}
    assert json.loads((project.attempt(1) / paths.TICKET).read_bytes())["by"] == "carried"


@pytest.mark.parametrize(
    ("code", "why"),
    [("1 / 0", "division by zero"), ("import not_there", "No module named 'not_there'")],
)
def test_a_broken_executor_is_one_line(
    project: Project, tmp_path: Path, code: str, why: str
) -> None:
    """A package whose executor can't be loaded is named, with the cause; nothing is launched."""
    _install(project, tmp_path / "theirs", "broken", code)
    project.write("train.ipynb", COUNTS)
    said = project.nbbg("run", "train.ipynb", "--executor", "broken", code=2).stderr
    assert said == f"nbbg: the executor 'broken' can't be loaded: {why}\n"
    assert not (project.root / paths.STORE).exists()
