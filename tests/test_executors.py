"""What every executor promises.

One suite for all: the same notebooks, the same records. `inline` runs in the process that typed
the command, so what survives a kill is asked of the others alone.
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
from tests.places import (
    COUNTS,
    GATE,
    Place,
    at,
    files_with,
    indented,
    kill,
    numbers,
    open_gate,
    states,
)
from tests.project import LONG, alive, until

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.project import Project

SECOND_TIME = "import os\nassert os.environ['NBBG_ATTEMPT'] == '2', 'the first attempt fails'"


@pytest.fixture(params=["local", "tmux", "inline"])
def place(request: pytest.FixtureRequest, project: Project) -> Iterator[Place]:
    """Each executor in turn."""
    with at(request.param, project) as made:
        yield made


@pytest.fixture(params=["local", "tmux"])
def detached(request: pytest.FixtureRequest, project: Project) -> Iterator[Place]:
    """Each executor whose runs outlive the command."""
    with at(request.param, project) as made:
        yield made


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
        "machine": process.host(),
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
    dumps = "import json, os\njson.dump(dict(os.environ), open('environ.json', 'w'))"
    place.project.write("train.ipynb", dumps)
    (place.project.root / ".env").write_text("FROM_DOTENV=yes\nBOTH=dotenv\n")
    mine = {"FLAVOUR": "mine", "BOTH": "shell", "OMP_NUM_THREADS": "7", "RUN_NUMBER": "99"}
    place.project.environment |= mine
    place.launch("train.ipynb", "--seed", "10", "--name", "mine", "--jobs", "1000")
    place.end()
    found = json.loads((place.project.root / "environ.json").read_text())
    folder = place.project.batch("b1") / "runs" / "1"
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
    assert (detached.project.root / "threads").read_text() == "1"


def test_a_secret_reaches_the_run_and_no_file(place: Place) -> None:
    """A secret is known to the run, and lies in no record, output or command line."""
    secrets = {"SERVICE_API_KEY": "swordfish-in-the-shell", "DB_PASSWORD": "swordfish-in-dotenv"}
    place.project.environment["SERVICE_API_KEY"] = secrets["SERVICE_API_KEY"]
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
    assert files_with(place.project.root / ".nbbg", secrets.values()) <= {paths.LOG}
    open_gate(place.project)
    place.end()
    assert files_with(place.project.root / ".nbbg", secrets.values()) == set()
    assert files_with(place.project.root / "outputs", secrets.values()) == set()
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
    """Data is read and files are written beside the notebook, with the user's own permissions."""
    works = "open('made.txt', 'w').write(open('data.txt').read())"
    place.project.write("deep/er/train.ipynb", works)
    (place.project.root / "deep/er/data.txt").write_text("data")
    before = os.umask(0o022)
    try:
        place.launch("deep/er/train.ipynb")
    finally:
        os.umask(before)
    place.end()
    assert states(place.project) == ["succeeded"]
    made = place.project.root / "deep/er/made.txt"
    assert made.read_text() == "data"
    assert made.stat().st_mode & 0o777 == 0o644


def test_a_run_that_was_stopped_before_its_start_never_starts(place: Place) -> None:
    """A queued run that is stopped is `stopped` at once, and its notebook is never executed."""
    place.project.write("train.ipynb", COUNTS, GATE)
    place.launch("train.ipynb", "--runs", "3")
    place.project.until_running(1, "at the gate")
    place.project.nbbg("stop", "2")
    assert place.project.state(2) == "stopped"
    open_gate(place.project)
    place.end()
    assert states(place.project) == ["succeeded", "stopped", "succeeded"]
    assert place.project.run(2)["reason"] == "nbbg stop; before it started"
    assert numbers(place.project) == [1, 3]


def test_a_batch_starts_its_runs_in_order(place: Place) -> None:
    """One at a time, the runs go by their numbers, and of several arms each number in turn."""
    names = "import os\nwho = os.environ['NBBG_ARM'] + os.environ['RUN_NUMBER']"
    tells = "open('order', 'a').write(who + ' ')"
    for name in ("a", "b"):
        place.project.write(f"{name}.ipynb", names, tells)
    place.launch("a.ipynb", "b.ipynb", "--runs", "3")
    place.end()
    assert (place.project.root / "order").read_text() == "a1 b1 a2 b2 a3 b3 "


def test_an_exit_file_ends_the_batch_after_its_runs(place: Place) -> None:
    """When the exit file appears, what runs goes to its end and nothing more starts."""
    place.project.write("train.ipynb", "open('enough', 'w').close()", "print('to the end')")
    place.launch("train.ipynb", "--runs", "3", "--exit-file", "./enough")
    place.end()
    assert states(place.project) == ["succeeded", "stopped", "stopped"]
    assert place.project.run(2)["reason"].startswith("exit file ")
    assert place.project.log(1) == "to the end\n"


# What survives, at every executor whose runs outlive the command.


def test_a_killed_runner_leaves_its_engine_at_work(detached: Place) -> None:
    """Without its runner a run goes on as `running`, says so, and ends as its journal tells."""
    says = "import os\nos.system('echo $SERVICE_TOKEN')"
    detached.project.write("train.ipynb", says, GATE, "print('the end')")
    detached.project.environment["SERVICE_TOKEN"] = "swordfish"
    detached.launch("train.ipynb")
    run = detached.project.until_running(1, "at the gate")
    kill(run["runner_pid"])
    assert detached.project.run(1)["reason"] == "its runner was killed; the engine goes on"
    assert detached.project.executed(1)["cells"][1]["outputs"][0]["text"] == "at the gate\n"
    open_gate(detached.project)
    detached.end()
    run = detached.project.run(1)
    assert (run["state"], run["reason"]) == ("succeeded", "its runner was killed")
    assert detached.project.executed(1)["cells"][2]["outputs"][0]["text"] == "the end\n"
    until(lambda: detached.project.supervisor() is None)
    assert detached.project.log(1).startswith("*********\n")


def test_a_killed_engine_is_told_with_its_signal(detached: Place) -> None:
    """SIGKILL to the engine is `killed`, with the signal and the cell; the next run starts."""
    detached.project.write("train.ipynb", "first = 1", GATE)
    detached.launch("train.ipynb", "--runs", "2")
    run = detached.project.until_running(1, "at the gate")
    kill(run["pid"])
    detached.project.until_running(2, "at the gate")
    open_gate(detached.project)
    detached.end()
    first, second = detached.project.runs()
    assert (first["state"], first["signal"], first["cell"]) == ("killed", "SIGKILL", 2)
    assert first["reason"] == "SIGKILL in cell 2"
    assert second["state"] == "succeeded"


def test_a_killed_supervisor_is_replaced_by_resume(detached: Place) -> None:
    """Without a supervisor what runs goes on; `resume` starts the rest, each exactly once."""
    detached.project.write("train.ipynb", COUNTS, GATE)
    detached.launch("train.ipynb", "--runs", "3")
    detached.project.until_running(1, "at the gate")
    kill(detached.project.supervisor())
    assert detached.project.supervisor() is None
    assert states(detached.project) == ["running", "queued", "queued"]
    open_gate(detached.project)
    detached.project.nbbg("wait", "1")
    assert states(detached.project) == ["succeeded", "queued", "queued"]
    detached.project.nbbg("resume")
    detached.end()
    assert states(detached.project) == ["succeeded"] * 3
    assert numbers(detached.project) == [1, 2, 3]


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
    assert (detached.project.root / "cleaned").exists()
    assert not alive(run["pid"])


def test_stop_after_run_lets_the_live_runs_end(detached: Place) -> None:
    """`stop --after-run` of a batch starts nothing more; `resume` takes it back."""
    detached.project.write("train.ipynb", COUNTS, GATE)
    detached.launch("train.ipynb", "--runs", "3")
    detached.project.until_running(1, "at the gate")
    said = detached.project.nbbg("stop", "b1", "--after-run").stdout
    assert "runs 2-3 will not start\n" in said
    open_gate(detached.project)
    detached.end()
    assert states(detached.project) == ["succeeded", "stopped", "stopped"]
    detached.project.nbbg("resume", "b1")
    detached.end()
    assert states(detached.project) == ["succeeded"] * 3
    assert numbers(detached.project) == [1, 2, 3]


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
