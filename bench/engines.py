"""What a whole notebook costs with each engine, and with the peers: time, memory, and outputs.

`python -m bench.engines` writes `docs/bench-engines.md`. For nbbg the program is its runner, which
starts the engine and writes record and executed notebook: all but the launch.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from subprocess import Popen
from typing import TYPE_CHECKING

import nbbg
from bench import place
from bench.measure import interleaved, ratio, spread, table
from nbbg import paths, process

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.measure import Case, Seconds

PAGE = Path(__file__).parents[1] / "docs" / "bench-engines.md"
ROUNDS, FEW = 9, 3
CELLS, SIZE = 200, 250_000  # cells, and bytes of output of each
PEERS = ("papermill", "nbclient", "ipykernel", "ipython", "ploomber-engine", "execnb")
THREE = (
    "print('hello')",
    "import numpy as np",
    "x = np.arange(10_000).reshape(100, 100)\nprint((x @ x.T).sum())",
)
PLAIN = "`python -u script.py`"
Start = Callable[[], Popen[bytes]]  # starts a case
_BY_CLIENT = """import sys, nbformat, nbclient
notebook = nbformat.read(sys.argv[1], 4)
nbclient.NotebookClient(notebook).execute()
nbformat.write(notebook, "client.ipynb")
"""
_BY_EXECNB = """import sys
from execnb.shell import CaptureShell
CaptureShell().execute(sys.argv[1], "execnb.ipynb")
"""
_BY_PLOOMBER = """import sys
from ploomber_engine import execute_notebook
execute_notebook(sys.argv[1], "ploomber.ipynb", progress_bar=False, log_output=False)
"""
_TEXT = """# What executing a notebook costs

Written by `python -m bench.engines` on {date}; {cpus} CPUs, load when it began {load:.1f}. Times
are in ms: the median, with the smallest and the largest. The cases of a table take turns, and
*times* is the median of the ratios to its first case, round by round. *MB* is the most that all
processes of a case held together (proportional set size, read every few ms, in other rounds).

For nbbg the program is its runner, `python -m nbbg.runner FOLDER`, with all that it writes: record,
log, journal and executed notebook.

- nbbg {nbbg}, Python {python}, IPython {ipython}
- peers: {peers}

## Three cells: print, import NumPy, compute

Aims: the engine `ipython` within 2.2 times of `python -u`, and within 25 MB of it; the engine
`kernel` at 0.6 of nbclient.

{three}

## {cells} cells that print {total:.0f} MB in all

The first case writes the same to a file.

{outputs}
"""


def main() -> None:
    """Measure, write the page, and leave nothing behind."""
    top, load = Path(tempfile.mkdtemp(prefix="nbbg-bench-")), os.getloadavg()[0]
    try:
        peers = top / "peers" / "bin"
        versions = _install(peers)
        three = _three(top / "three", peers if versions else None)
        outputs = _outputs(top / "outputs", peers if versions else None)
    finally:
        place.remove(top)
    page = _TEXT.format(
        date=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        cpus=len(os.sched_getaffinity(0)),
        load=load,
        nbbg=nbbg.__version__,
        python=sys.version.split()[0],
        ipython=version("ipython"),
        peers=versions or "can't be had here",
        three=three,
        cells=CELLS,
        total=CELLS * SIZE / 1e6,
        outputs=outputs,
    )
    PAGE.write_text(page)
    print(page)


def _three(top: Path, peers: Path | None) -> str:
    cases = _cases(top, THREE, peers, ("ipython", "kernel"))
    taken = interleaved({name: _timed(case) for name, case in cases.items()}, ROUNDS)
    held = interleaved({name: _weighed(case) for name, case in cases.items()}, FEW)
    base = taken[PLAIN]
    rows = [
        (name, spread(goes), ratio(goes, base), f"{max(go[0] for go in held[name]):.0f}")
        for name, goes in taken.items()
    ]
    return table(("", "ms", "times", "MB"), rows)


def _outputs(top: Path, peers: Path | None) -> str:
    cell = f"print('\\n'.join(['0123456789' * 10] * {SIZE // 101}))"
    cases = _cases(top, [cell] * CELLS, peers, ("ipython",))
    slow = cases.pop("papermill", None)  # it writes the notebook anew after each cell
    taken = interleaved({name: _timed(case) for name, case in cases.items()}, FEW)
    rows = [(name, spread(goes), ratio(goes, taken[PLAIN])) for name, goes in taken.items()]
    if slow:
        rows.append(("papermill, once", f"{1000 * _timed(slow)()[0]:.0f}", ""))
    return table(("", "ms", "times"), rows)


def _cases(
    top: Path, sources: Sequence[str], peers: Path | None, engines: tuple[str, ...]
) -> dict[str, Start]:
    """Name -> what starts it."""
    plain = place.make(top / "plain")
    plain.write("it", *sources)
    found: dict[str, Start] = {PLAIN: _program(plain.root, sys.executable, "-u", "it.py")}
    for engine in engines:
        own = place.make(top / engine)
        own.write("it", *sources)
        found[f"nbbg, engine `{engine}`"] = _runner(own, engine)
    if peers:
        for name, code in _SCRIPTS.items():
            found[name] = _program(plain.root, str(peers / "python"), "-c", code, "it.ipynb")
        mill = (str(peers / "papermill"), "it.ipynb", "mill.ipynb", "--no-progress-bar")
        found["papermill"] = _program(plain.root, *mill)
    return found


_SCRIPTS: Mapping[str, str] = {
    "nbclient": _BY_CLIENT,
    "ploomber-engine": _BY_PLOOMBER,
    "execnb": _BY_EXECNB,
}


def _program(folder: Path, *argv: str) -> Start:
    def start() -> Popen[bytes]:
        with (folder / "said").open("wb") as said:
            return Popen(argv, cwd=folder, stdin=subprocess.DEVNULL, stdout=said, stderr=said)

    return start


def _runner(where: place.Place, engine: str) -> Start:
    most = 1000
    batch = where.batch("it", most, "--engine", engine)
    attempts = (batch / paths.RUNS / str(number) / "1" for number in range(2, most))

    def start() -> Popen[bytes]:
        (attempt := next(attempts)).mkdir(parents=True)
        return _program(where.root, *process.own_program("nbbg.runner", str(attempt)))()

    return start


def _timed(start: Start) -> Case:
    def go() -> Seconds:
        began = time.perf_counter()
        _end(start())
        return (time.perf_counter() - began,)

    return go


def _weighed(start: Start) -> Case:
    """The most MB that the program and all that it started held together."""

    def go() -> Seconds:
        program, most = start(), 0.0
        while program.poll() is None:
            most = max(most, sum(map(_megabytes, _tree(program.pid))))
            time.sleep(0.002)
        _end(program)
        return (most,)

    return go


def _end(program: Popen[bytes]) -> None:
    if program.wait():
        raise RuntimeError(f"{program.args!r} ended with {program.returncode}")


def _tree(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(each for child in children for each in _tree(int(child)))]


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
        pip = [python, "-m", "pip", "install", "-qq", "numpy", *PEERS]
        subprocess.run(pip, check=True, capture_output=True, timeout=300)
        told = subprocess.check_output([python, "-c", ask], text=True)
    except (subprocess.SubprocessError, OSError):
        shutil.rmtree(peers.parent, ignore_errors=True)
        return ""
    return ", ".join(told.splitlines())


if __name__ == "__main__":
    main()
