"""What commands cost where runs are elsewhere: on a cluster, and on machines over ssh.

Slurm is small programs of the bench's own, which answer as a cluster of that size would; machines
over ssh are folders here, reached by an `ssh` that only changes the folder, so no network is in the
figures.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench import place, tables
from bench.measure import SECONDS, Case
from bench.place import NBBG, Place
from nbbg import files, paths
from nbbg.store import plans

if TYPE_CHECKING:
    from pathlib import Path

    from bench.bench import Bench
    from bench.kept import Kept
    from bench.measure import Figures
    from bench.pictures import Drawing

TITLE = "Many machines"
SLURM, SSH = "elsewhere/slurm", "elsewhere/ssh"
RUNS, NODES = 100_000, 1_000
RUNS_OVER_SSH, HOSTS = 1_000, 4
FEW = 3
FRESH = 3.2  # seconds after which nbbg asks again
_SQUEUE = """#!/bin/sh
cat {folder}/squeue
"""
_SBATCH = """#!/bin/sh
case "$*" in
    *--test-only*) cat >/dev/null ;;
    *) echo 7; mv {folder}/lines {folder}/squeue ;;
esac
"""
_SCONTROL = """#!/bin/sh
echo "MaxArraySize = 1000001"
"""
_SSH = """#!/bin/sh
while [ "${{1#-}}" != "$1" ]; do
    case "$1" in -o) shift ;; esac
    shift
done
HOME={folder}/homes/$1
cd "$HOME" && shift && exec sh -c "$*"
"""
_TEXT = """\
Slurm is a stand-in that answers at once with what `squeue` would print at that size; a controller
under load takes seconds more. The machines over ssh are folders of this one, so to each command but
*again* comes what your network takes for two or three logins (at once to all machines). *status*
asks anew; *again* is a second one within three seconds, which asks nobody; *home* is one `nbbg
pull` that brings all records of the runs. What changes the batch is measured once.

Slurm: {runs:,} runs, {nodes:,} at work on as many nodes.

{slurm}

{how_slurm}

ssh: {ssh_runs:,} runs over {hosts} machines.

{ssh}

{how_ssh}

What would break first:

- Slurm: what `status` pays for is going over each task that waits, once a question. At a million
  tasks that is ten times these figures; before that, `squeue` for one user's whole queue becomes
  what a controller's administrators mind, and `MaxArraySize` (1,001 unless raised) cuts a batch
  into arrays that wait for each other.
- ssh: each question lists the run folders of the batches that are not over, on both sides; with
  10,000 runs on one machine that takes longer than the login. Bringing home is bound by the number
  of files, about seven a run.
- Both: 1,000 live runs are derived anew at each reading.
"""


@dataclass
class _Timed:
    """Commands of a project whose programs come from a folder of the bench's own."""

    where: Place
    programs: Path

    def __call__(self, *words: str, nap: float = 0.0) -> float:
        """The time of a command, in seconds."""
        time.sleep(nap)
        began = time.perf_counter()
        path = f"{self.programs}:{os.environ['PATH']}"
        self.where.call("env", f"PATH={path}", NBBG, *words)
        return time.perf_counter() - began

    def case(self, *words: str, nap: float = 0.0) -> Case:
        """The command as a case."""
        return Case(lambda: {SECONDS: self(*words, nap=nap)}, f"nbbg {' '.join(words)}")


def measure(bench: Bench) -> None:
    """A cluster, then machines over ssh."""
    if bench.quick:
        return
    if not bench.is_done(SLURM, FEW):
        timed, launch = _slurm(bench.top / "slurm")
        bench.kept.notes[f"{SLURM}/launch"] = launch
        bench.take(SLURM, _reading(timed) | {"show": timed.case("show", "7")}, FEW, trial=False)
        bench.kept.notes[f"{SLURM}/stop"] = timed("stop", str(RUNS), nap=FRESH)
        place.remove(bench.top / "slurm")
    if not bench.is_done(SSH, FEW):
        timed, launch = _ssh(bench.top / "ssh")
        bench.kept.notes[f"{SSH}/launch"] = launch
        bench.take(SSH, _reading(timed), FEW, trial=False)
        bench.kept.notes[f"{SSH}/stop"] = timed("stop", "1", nap=FRESH)
        bench.kept.notes[f"{SSH}/home"] = _home(bench.top / "ssh", timed)
        place.remove(bench.top / "ssh")


def _reading(timed: _Timed) -> dict[str, Case]:
    """A status that asks, and one within the seconds in which an answer holds."""

    def again() -> Figures:
        timed("status")
        return {SECONDS: timed("status")}

    return {"status": timed.case("status", nap=FRESH), "again": Case(again, "nbbg status")}


def _slurm(top: Path) -> tuple[_Timed, float]:
    """A batch of which as many runs as there are nodes are at work; what its launch took."""
    where = place.make(top / "project")
    where.write("train", "1 + 1")
    programs = _programs(top, {"squeue": _SQUEUE, "sbatch": _SBATCH, "scontrol": _SCONTROL})
    _program(programs / "scancel", "#!/bin/sh\n")
    found = [f"7|{task}|RUNNING|None|nbbg" for task in range(NODES)]
    found.append(f"7|{NODES}-{RUNS - 1}%{NODES}|PENDING|Resources|nbbg")
    (top / "squeue").write_text("")
    (top / "lines").write_text("\n".join(found) + "\n")
    timed = _Timed(where, programs)
    words = ("run", "train.ipynb", "--executor", "slurm", "--jobs", str(NODES))
    launch = timed(*words, "--runs", str(RUNS))
    _begin(where.root / paths.STORE / paths.BATCHES / "1")
    return timed, launch


def _begin(batch: Path) -> None:
    """As many runs as there are nodes have begun, each on its own."""
    record = {
        "pid": 1,
        "start_time": 1,
        "boot": "another",
        "namespace": "",
        "machine": "another",
        "lock_device": 0,
        "lock_inode": 0,
        "marker": "",
        "at": time.time(),
    }
    for run in range(1, NODES + 1):
        folder = batch / paths.RUNS / str(run) / "1"
        folder.mkdir(parents=True)
        claim = {**record, "host": f"node{run}"}
        (folder / paths.PROCESS).write_bytes(files.to_json(claim))
        (folder / paths.LOG).write_text("step 1\n")
        (folder / paths.LOCK).touch()


def _ssh(top: Path) -> tuple[_Timed, float]:
    """A batch over a few machines, and what its launch took."""
    where = place.make(top / "project")
    where.write("train", "import time", "time.sleep(3600)")
    timed = _Timed(where, _programs(top, {"ssh": _SSH}))
    for name in _names():
        (top / "homes" / name).mkdir(parents=True)
        timed("host", "add", name, f"{name}:proj", "--nbbg", sys.executable)
    words = ("run", "train.ipynb", "--on", ",".join(_names()), "--grace", "1")
    return timed, timed(*words, "--runs", str(RUNS_OVER_SSH))


def _home(top: Path, timed: _Timed) -> float:
    """One `nbbg pull` that brings all records."""
    timed("stop", "b1", nap=FRESH)
    for name in _names():
        _finish(next((top / "homes" / name).glob(f"proj/{paths.STORE}/{paths.FROM}/*/batches/1")))
    home = timed("pull")
    records = timed.where.root / paths.STORE / paths.BATCHES / "1" / paths.RUNS
    if (came := len(list(records.glob(f"*/1/{paths.RESULT}")))) != RUNS_OVER_SSH:
        raise RuntimeError(f"{came} results came home")
    return home


def _names() -> list[str]:
    return [f"gpu{number}" for number in range(1, HOSTS + 1)]


def _finish(batch: Path) -> None:
    """Make all runs of a host what its first is: ended."""
    (batch / paths.STOP).unlink(missing_ok=True)
    ids = [run.id for run in plans.read(batch / paths.PLAN)]
    first = batch / paths.RUNS / str(ids[0]) / "1"
    result = json.loads((first / paths.RESULT).read_bytes())
    (first / paths.STOP).unlink(missing_ok=True)
    (first / paths.RESULT).write_text(json.dumps({**result, "state": "stopped"}))
    for run in ids[1:]:
        shutil.rmtree(batch / paths.RUNS / str(run), ignore_errors=True)
        shutil.copytree(first, batch / paths.RUNS / str(run) / "1")


def _programs(top: Path, texts: dict[str, str]) -> Path:
    made = top / "bin"
    made.mkdir(parents=True)
    for name, text in texts.items():
        _program(made / name, text.format(folder=top))
    return made


def _program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def tell(kept: Kept) -> str:
    """Two tables, and what would break first."""
    slurm = ("launch", "status", "again", "show", "stop")
    ssh = ("launch", "status", "again", "stop", "home")
    return _TEXT.format(
        runs=RUNS,
        nodes=NODES,
        slurm=tables.markdown(("ms", *slurm), [_row(kept, SLURM, slurm)]),
        how_slurm=tables.how(kept.table(SLURM)),
        ssh_runs=RUNS_OVER_SSH,
        hosts=HOSTS,
        ssh=tables.markdown(("ms", *ssh), [_row(kept, SSH, ssh)]),
        how_ssh=tables.how(kept.table(SSH)),
    )


def _row(kept: Kept, key: str, names: tuple[str, ...]) -> tuple[str, ...]:
    once = {name: kept.notes.get(f"{key}/{name}") for name in names}
    return "", *(
        tables.ms(value) if value else tables.figure(kept, key, name)
        for name, value in once.items()
    )


def draw(_kept: Kept) -> list[Drawing]:
    """None."""
    return []
