"""A command over ssh that is killed at each step of its own, here and there: nothing is lost, and
nothing is done twice. A program in the place of ssh carries out on this machine what it is asked.

`NBBG_ALL_STEPS=1` takes every step; without it some, by turns.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from nbbg import faults, paths
from tests import machines
from tests.places import COUNTS, GATE
from tests.project import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.project import Project

_SSH = """\
#!/bin/sh
while [ "${{1#-}}" != "$1" ]; do
    case $1 in --) shift; break;; -o|-l) shift 2;; *) shift;; esac
done
cd {top}/$1 && HOME={top}/$1 && shift || exit 255
unset NBBG_FAULTS
case "$*" in *nbbg.far*) export NBBG_FAULTS={top}/there ;; esac
exec sh -c "$*"
"""
# Which side comes to the step, and in which command.
HERE = {
    "run": (
        *("before called", "after called", "before 1.json", "after 1.json"),
        *("before 1.id", "beside 1.id", "after 1.id", "before remove told.json"),
    ),
    "status": (
        *("before process.json", "after process.json", "before train_1.ipynb"),
        *("beside train_1.ipynb", "after train_1.ipynb", "before result.json"),
        *("beside result.json", "after result.json", "before told.json", "after told.json"),
    ),
    "resume b1 --on gpu2": (
        *("before 2.json", "after 2.json", "before 2.id", "after 2.id"),
        *("before 1.json", "after 1.json"),
    ),
}
THERE = {
    "run": (
        *("before format", "after client.json", "before batch.json", "after batch.json"),
        *("before plan.jsonl", "after plan.jsonl", "before supervisor.lock", "before 1.json"),
        *("after 1.json", "before events.jsonl", "after events.jsonl"),
    ),
    "resume b1 --on gpu2": (
        *("before attempt", "after attempt", "before process.json", "beside process.json"),
        *("after process.json", "before result.json", "beside result.json", "after result.json"),
        *("before event ended", "after event ended", "before .given-1.json"),
        *("after .given-1.json", "before batch.json", "after plan.jsonl"),
    ),
}
ALL = [
    (side, command, step)
    for side, known in (("here", HERE), ("there", THERE))
    for command, steps in known.items()
    for step in steps
]
CHOSEN = ALL if os.environ.get("NBBG_ALL_STEPS") else ALL[3::9]


@pytest.fixture
def top(project: Project, tmp_path: Path) -> Iterator[Path]:
    """A folder with the homes of two machines, which the project knows."""
    made = tmp_path / "far"
    for name in ("gpu1", "gpu2", "bin", *(f"{side}/{faults.FIRED}" for side in ("here", "there"))):
        (made / name).mkdir(parents=True)
    (made / "bin/ssh").write_text(_SSH.format(top=made))
    (made / "bin/ssh").chmod(0o700)
    project.environment["PATH"] = f"{made}/bin:{os.environ['PATH']}"
    machines.add(project, "gpu1", "gpu2")
    yield made
    project.end_all()
    machines.end_all(made)


@pytest.mark.parametrize(("side", "command", "step"), CHOSEN)
def test_a_command_that_is_killed(
    project: Project, top: Path, side: str, command: str, step: str
) -> None:
    """Whatever was killed where: the next commands heal it, and each number comes exactly once."""
    project.write("train.ipynb", GATE, COUNTS)
    run = ("run", "train.ipynb", "--runs", "3", "--on", "gpu1")
    words = run if command == "run" else tuple(command.split())
    if words != run:
        project.nbbg(*run)
        until(lambda: "at the gate" in there(top, 1))
    if command == "status":
        open_gates(top)
        until(lambda: numbers(top) == [1, 2, 3])
    (top / side / step).write_text("9")
    project.environment[faults.NAME] = str(top / "here")
    project.nbbg(*words, code=None)
    del project.environment[faults.NAME]
    struck = [path.name for path in (top / side / faults.FIRED).iterdir()]
    (top / side / step).unlink(missing_ok=True)
    open_gates(top)
    until(lambda: healed(project, words), 90)
    assert numbers(top) == [1, 2, 3]
    assert [bool(project.put_out(number)["cells"]) for number in (1, 2, 3)] == [True] * 3
    print(side, command, step, "struck" if struck else "NOT STRUCK")  # noqa: T201 - for -s


def healed(project: Project, words: tuple[str, ...]) -> bool:
    """Whether all has succeeded, after the same command again, and a `resume`."""
    project.nbbg(*words, code=None)
    states = [run["state"] for run in project.runs()]
    if states == ["succeeded"] * 3:
        return True
    assert not {"failed", "killed"}.intersection(states)
    project.nbbg("resume", code=None)
    return False


def there(top: Path, run: int) -> str:
    """The log of a run where it runs."""
    logs = top.glob(f"gpu*/work/proj/.nbbg/from/*/batches/1/runs/{run}/1/{paths.LOG}")
    return "".join(path.read_text() for path in logs)


def open_gates(top: Path) -> None:
    """Let the runs go on, wherever they are."""
    for name in ("gpu1", "gpu2"):
        (top / name / "work/proj").mkdir(parents=True, exist_ok=True)
        (top / name / "work/proj/go").touch()


def numbers(top: Path) -> list[int]:
    """What the runs wrote, each its number."""
    texts = [path.read_text() for path in top.glob("gpu*/work/proj/numbers")]
    return sorted(int(line) for text in texts for line in text.split())
