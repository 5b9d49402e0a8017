"""What warm starts save: many short runs of a notebook, against a loop and against the peers.

`python -m bench.warm` writes `docs/bench-warm.md`. Every case is many runs of a notebook, from
the command that is typed to the end of the last: launch, template and imports included.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import nbbg
from bench import place
from bench.measure import interleaved, ratio, spread, table
from nbbg import process

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.measure import Case, Seconds

PAGE = Path(__file__).parents[1] / "docs" / "bench-warm.md"
ROUNDS = 5
MANY, SOME, FEW = 100, 10, 1  # runs of one go: of what is quick, of what is not, of the peers
AT_ONCE = 20
PEERS = ("papermill", "millrun", "ipykernel", "numpy", "pandas", "scikit-learn")
LOOP = "`python -u` in a loop"
NUMPY = (
    "print('hello')",
    "import numpy as np",
    "x = np.arange(10_000).reshape(100, 100)\nprint((x @ x.T).sum())",
)
LEARN = (
    "import numpy as np\nimport pandas as pd",
    "from sklearn.linear_model import LinearRegression",
    "x = np.arange(100.0).reshape(-1, 1)\nfit = LinearRegression().fit(x, x[:, 0])",
    "print(pd.DataFrame({'coef': fit.coef_}))",
)
SLEEP = "import time\nprint('there')\ntime.sleep(600)"
_TEXT = """# What warm starts save

Written by `python -m bench.warm` on {date}; {cpus} CPUs, load when it began {load:.1f}, when it
ended {after:.1f}. Times are in ms a run: the median of {rounds} rounds, with the smallest and the
largest. The cases of a table take turns, and *times* is the median of the ratios to its first case,
round by round. A go of nbbg is {many} runs, of `python -u` and of cold nbbg {some}, of the peers
{few}, each from the command to the end of the last run. nbbg and the peers keep an executed
notebook of each run; nbbg also a record, a log and a journal.

- nbbg {nbbg}, Python {python}, IPython {ipython}
- peers: {peers}

## A small notebook: print, import NumPy, compute; one at a time

Aims: 0.25 of the loop; papermill takes 40 times as long as nbbg, millrun 25 times.

{numpy}

## pandas and scikit-learn: import, fit a line, print; one at a time

Aim: 0.06 of the loop.

{learn}

## `pass`, two at a time

Aim: under 15 ms a run.

{nothing}

## Memory of {at_once} runs at once

They have imported pandas and scikit-learn, and sleep. MB of all processes together, runners and the
template included (proportional set size). Aim: a quarter of cold runs.

{memory}
"""


def main() -> None:
    """Measure, write the page, and leave nothing behind."""
    top, load = Path(tempfile.mkdtemp(prefix="nbbg-bench-")), os.getloadavg()[0]
    try:
        peers = top / "peers" / "bin"
        versions = _install(peers)
        numpy = _section(top / "numpy", NUMPY, peers if versions else None)
        learn = _section(top / "learn", LEARN, peers if versions else None)
        nothing = _nothing(top / "nothing")
        memory = _memory(top / "memory")
    finally:
        place.remove(top)
    page = _TEXT.format(
        date=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        cpus=len(os.sched_getaffinity(0)),
        load=load,
        after=os.getloadavg()[0],
        rounds=ROUNDS,
        many=MANY,
        some=SOME,
        few=FEW,
        nbbg=nbbg.__version__,
        python=sys.version.split()[0],
        ipython=version("ipython"),
        peers=versions or "can't be had here",
        numpy=numpy,
        learn=learn,
        nothing=nothing,
        at_once=AT_ONCE,
        memory=memory,
    )
    PAGE.write_text(page)
    print(page)


def _section(top: Path, sources: Sequence[str], peers: Path | None) -> str:
    where = place.make(top)
    where.write("it", *sources)
    cases = {
        LOOP: _loop(where, SOME, sys.executable, "-u", "it.py"),
        "nbbg, warm": _nbbg(where, MANY, "on"),
        "nbbg, cold": _nbbg(where, SOME, "off"),
    }
    if peers:
        mill = (peers / "papermill", "it.ipynb", "out.ipynb", "--no-progress-bar")
        cases["papermill"] = _loop(where, FEW, *mill)
        (top / "one.json").write_text("[{}]")  # one set of no parameters
        cases["millrun"] = _loop(where, FEW, peers / "millrun", "run", "it.ipynb", "one.json")
    return _timed(cases)


def _nothing(top: Path) -> str:
    where = place.make(top)
    where.write("it", "pass")
    two = ("--jobs", "2")
    return _timed(
        {
            LOOP: _loop(where, SOME, sys.executable, "-u", "it.py"),
            "nbbg, warm": _nbbg(where, MANY, "on", *two),
            "nbbg, cold": _nbbg(where, SOME, "off", *two),
        }
    )


def _timed(cases: dict[str, Case]) -> str:
    taken = interleaved(cases, ROUNDS)
    base = taken[LOOP]
    rows = [(name, spread(goes), ratio(goes, base, digits=2)) for name, goes in taken.items()]
    return table(("", "ms a run", "times"), rows)


def _loop(where: place.Place, count: int, *argv: str | Path) -> Case:
    def go() -> Seconds:
        began = time.perf_counter()
        for _ in range(count):
            where.call(*argv)
        return ((time.perf_counter() - began) / count,)

    return go


def _nbbg(where: place.Place, count: int, warm: str, *more: str) -> Case:
    words = ("run", "it.ipynb", "--runs", f"+{count}", "--warm", warm, "--wait", *more)

    def go() -> Seconds:
        began = time.perf_counter()
        where.call(place.NBBG, *words)
        return ((time.perf_counter() - began) / count,)

    return go


def _memory(top: Path) -> str:
    found = {warm: _held(top / warm, warm) for warm in ("off", "on")}
    names = {"off": "nbbg, cold", "on": "nbbg, warm"}
    rows = [(names[w], f"{mb:.0f}", f"{mb / found['off']:.2f}") for w, mb in found.items()]
    return table(("", "MB", "times"), rows)


def _held(top: Path, warm: str) -> float:
    where = place.make(top)
    where.write("it", *LEARN, SLEEP)
    count = str(AT_ONCE)
    where.call(place.NBBG, "run", "it.ipynb", "--runs", count, "--jobs", count, "--warm", warm)

    def are_there() -> bool:
        logs = (top / ".nbbg" / "batches" / "1" / "runs").glob("*/1/log.txt")
        return sum("there" in log.read_text() for log in logs) == AT_ONCE

    place.until(are_there, nap=0.5)
    pids = [each.identity.pid for each in process.processes()]
    needle = os.fsencode(top)
    return sum(_megabytes(pid) for pid in pids if _mentions(pid, needle))


def _mentions(pid: int, needle: bytes) -> bool:
    try:
        return needle in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _megabytes(pid: int) -> float:
    try:
        return float(place.memory(pid)[1])
    except (OSError, KeyError, IndexError):  # it has just ended
        return 0.0


def _install(peers: Path) -> str:
    """Make the peers' environment; their versions, or nothing where they can't be had."""
    python = str(peers / "python")
    ask = f"from importlib.metadata import version\nfor n in {PEERS}: print(n, version(n))"
    try:
        subprocess.run([sys.executable, "-m", "venv", peers.parent], check=True)
        pip = [python, "-m", "pip", "install", "-qq", *PEERS]
        subprocess.run(pip, check=True, capture_output=True, timeout=300)
        told = subprocess.check_output([python, "-c", ask], text=True)
    except (subprocess.SubprocessError, OSError):
        shutil.rmtree(peers.parent, ignore_errors=True)
        return ""
    return ", ".join(told.splitlines())


if __name__ == "__main__":
    main()
