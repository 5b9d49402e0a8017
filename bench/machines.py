"""What commands cost where runs are elsewhere. `python -m bench.machines` writes
`docs/bench-machines.md`.

Slurm is small programs of the bench's own, which answer as a cluster of that size would; machines
over ssh are folders here, reached by an `ssh` that only changes the folder, so no network is in the
figures.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from bench import place
from bench.measure import table
from bench.place import NBBG, Place
from nbbg import files, paths
from nbbg.classes import dataclass
from nbbg.store import plans

PAGE = Path(__file__).parents[1] / "docs" / "bench-machines.md"
RUNS, NODES = 100_000, 1_000
RUNS_OVER_SSH, HOSTS = 1_000, 4
ROUNDS = 3
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
_TEXT = """# Many machines

Written by `python -m bench.machines` on {date}, on {cpus} CPUs (load: {load:.1f}). Times are in
seconds, of whole commands; the median of {rounds} where something can be repeated. *status* asks
anew; *again* is a second one within three seconds, which asks nobody.

## Slurm: {runs:,} runs, {nodes:,} at work on as many nodes

{slurm}

Slurm is a stand-in that answers at once with what `squeue` would print at that size
({squeue:.0f} kB); a controller under load takes seconds more.

## ssh: {ssh_runs:,} runs over {hosts} machines

{ssh}

The machines are folders of this one, so to each command but *again* comes what your network takes
for two or three logins (at once to all machines; with `ControlMaster` next to nothing). *home* is
one `nbbg pull` that brings all records of {ssh_runs:,} finished runs.

## Where it would break first

{where}
"""
_WHERE = """\
- Slurm: what `status` pays for is going over each task that waits, once a question. At a million
  tasks that is ten times these figures; before that, `squeue` for one user's whole queue becomes
  what a controller's administrators mind, and `MaxArraySize` (1,001 unless raised) cuts a batch
  into arrays that wait for each other.
- ssh: each question lists the run folders of the batches that are not over, on both sides; with
  10,000 runs on one machine that takes longer than the login. Bringing home is bound by the number
  of files, about seven a run.
- Both: 1,000 live runs are derived anew at each reading."""


@dataclass
class _Timed:
    """Commands of a project whose programs come from a folder of the bench's own."""

    where: Place
    programs: Path

    def __call__(self, *words: str, rounds: int = 1, nap: float = 0.0) -> str:
        """The median time of a command, in seconds."""
        taken = []
        for _ in range(rounds):
            time.sleep(nap)
            began = time.perf_counter()
            self.call(*words)
            taken.append(time.perf_counter() - began)
        return f"{statistics.median(taken):.2f}"

    def call(self, *words: str) -> None:
        """`nbbg`, with those programs."""
        path = f"{self.programs}:{os.environ['PATH']}"
        self.where.call("env", f"PATH={path}", NBBG, *words)


def main() -> None:
    """Measure, write the page, and leave nothing behind."""
    load = os.getloadavg()[0]
    top = Path(tempfile.mkdtemp(prefix="nbbg-bench-"))
    try:
        slurm, size = _slurm(top / "slurm")
        ssh = _ssh(top / "ssh")
        page = _TEXT.format(
            date=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
            cpus=len(os.sched_getaffinity(0)),
            load=load,
            rounds=ROUNDS,
            runs=RUNS,
            nodes=NODES,
            slurm=slurm,
            squeue=size,
            ssh_runs=RUNS_OVER_SSH,
            hosts=HOSTS,
            ssh=ssh,
            where=_WHERE,
        )
    finally:
        place.remove(top)
    PAGE.write_text(page)
    print(page)


def _slurm(top: Path) -> tuple[str, float]:
    """The figures, and the size of what squeue prints, in kB."""
    where = place.make(top / "project")
    where.write("train", "1 + 1")
    programs = _programs(top, {"squeue": _SQUEUE, "sbatch": _SBATCH, "scontrol": _SCONTROL})
    _program(programs / "scancel", "#!/bin/sh\n")
    lines = [f"7|{task}|RUNNING|None|nbbg" for task in range(NODES)]
    lines.append(f"7|{NODES}-{RUNS - 1}%{NODES}|PENDING|Resources|nbbg")
    (top / "squeue").write_text("")
    (top / "lines").write_text("\n".join(lines) + "\n")
    timed = _Timed(where, programs)
    words = ("run", "train.ipynb", "--executor", "slurm", "--jobs", str(NODES))
    launch = timed(*words, "--runs", str(RUNS))
    _begin(where.root / paths.STORE / paths.BATCHES / "1")
    first = timed("status", nap=FRESH)
    figures = (
        launch,
        first,
        timed("status", rounds=ROUNDS, nap=FRESH),
        timed("status", rounds=ROUNDS),
        timed("show", "7", rounds=ROUNDS),
        timed("stop", str(RUNS), nap=FRESH),
    )
    head = ("", "launch", "first status", "status", "again", "show", "stop a run")
    return table(head, [("seconds", *figures)]), (top / "squeue").stat().st_size / 1e3


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


def _ssh(top: Path) -> str:
    where = place.make(top / "project")
    where.write("train", "import time", "time.sleep(3600)")
    timed = _Timed(where, _programs(top, {"ssh": _SSH}))
    names = [f"gpu{number}" for number in range(1, HOSTS + 1)]
    for name in names:
        (top / "homes" / name).mkdir(parents=True)
        timed.call("host", "add", name, f"{name}:proj", "--nbbg", sys.executable)
    words = ("run", "train.ipynb", "--on", ",".join(names), "--grace", "1")
    launch = timed(*words, "--runs", str(RUNS_OVER_SSH))
    status = timed("status", rounds=ROUNDS, nap=FRESH)
    again = timed("status", rounds=ROUNDS)
    stop = timed("stop", "1", nap=FRESH)
    whole = timed("stop", "b1", nap=FRESH)
    for name in names:
        _finish(next((top / "homes" / name).glob(f"proj/{paths.STORE}/{paths.FROM}/*/batches/1")))
    home = timed("pull")
    results = where.root.glob(f"{paths.STORE}/{paths.BATCHES}/1/{paths.RUNS}/*/1/{paths.RESULT}")
    if (came := len(list(results))) != RUNS_OVER_SSH:
        raise RuntimeError(f"{came} results came home")
    head = ("", "launch", "status", "again", "stop a run", "stop the batch", "home")
    return table(head, [("seconds", launch, status, again, stop, whole, home)])


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


if __name__ == "__main__":
    main()
