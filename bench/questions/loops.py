"""What a loop of many short runs costs, warm and cold, beside a plain loop and the peers.

A case is many runs of a notebook, from the command that is typed to the end of the last: launch,
template and imports included.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from bench import peers, place, tables
from bench.measure import SECONDS, Case
from bench.pictures import bars

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.bench import Bench
    from bench.kept import Kept
    from bench.measure import Figures
    from bench.pictures import Drawing

TITLE = "Many short runs"
MANY = 100  # runs of a loop
LOOP = "`python -u` in a loop, no notebooks"
WARM, COLD = "nbbg, warm", "nbbg, cold"
PAPERMILL, MILLRUN = "papermill, one process", "millrun"
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
TORCH = (
    "import torch",
    "x = torch.arange(10_000.0).reshape(100, 100)\nprint((x @ x.T).sum().item())",
)
SMALL, PANDAS, TORCHED, NOTHING = "loops/numpy", "loops/pandas", "loops/torch", "loops/nothing"
_TEXT = """\
One go of a case is as many runs as the table says, from the command that is typed to the end of the
last run; figures are a run's share. Slow peers have few runs a go; what their process needs once
(imports) is then charged as if they were {many}. nbbg and the notebook tools keep an executed
notebook of every run; nbbg also a record, a live log and a journal. millrun executes as many
notebooks at once as there are CPUs, which is its command line's way; all others one at a time.

\\* All runs share one process: what a run imports, sets or leaks, the next one finds, and a crash
ends all of them. nbbg's warm runs are forks: each begins as a fresh process.

![What does one of many short runs cost?](benchmarks/loops.svg)
"""


def measure(bench: Bench) -> None:
    """Four notebooks; all peers that execute some take part in the first, some in the second."""
    for key, sources, count, theirs in (
        (SMALL, NUMPY, 6, _most_peers),
        (PANDAS, LEARN, 2, _some_peers),
    ):
        if not bench.is_done(key):
            where = place.make(bench.top / key)
            where.write("it", *sources)
            bench.take(key, _own(bench, where, count) | theirs(bench, where))
    if bench.peers.has(peers.TORCH) and not bench.is_done(TORCHED):
        where = place.make(bench.top / TORCHED, bench.peers.program(peers.TORCH))
        where.write("it", *TORCH)
        bench.take(TORCHED, _own(bench, where, 1), trial=False)
    if not bench.is_done(NOTHING):
        where = place.make(bench.top / NOTHING)
        where.write("it", "pass")
        cases = _own(bench, where, 10, ("--jobs", "2"), bench.sized(1000, 100))
        bench.take(NOTHING, cases | _managers(bench, where), trial=False)


def _own(
    bench: Bench, where: place.Place, few: int, more: Sequence[str] = (), many: int = 0
) -> dict[str, Case]:
    """The plain loop, and nbbg; what is slow has a few runs in a go."""
    many = many or bench.sized(MANY, 20)
    return {
        LOOP: where.loop(
            2 * few,
            *(where.python, "-u", "it.py"),
            typed=f"for i in $(seq {2 * few}); do python -u it.py; done",
        ),
        WARM: _nbbg(where, many, "on", more),
        COLD: _nbbg(where, few, "off", more),
    }


def _nbbg(where: place.Place, count: int, warm: str, more: Sequence[str]) -> Case:
    words = (place.NBBG, "run", "it.ipynb", "--runs", f"+{count}", "--warm", warm, "--wait")
    return where.case(*words, *more, runs=count)


def _most_peers(bench: Bench, where: place.Place) -> dict[str, Case]:
    """The peers that execute notebooks, each in all its ways."""
    found = _some_peers(bench, where)
    for name, peer, count in (
        ("nbclient, one process", "nbclient", 2),
        ("ploomber-engine, one process\\*", "ploomber-engine", bench.sized(MANY, 20)),
    ):
        if bench.peers.has(peer):
            found[name] = _script(bench, where, peer, count)
    for name, argv in (
        ("ploomber-engine, a process a run", ("ploomber-engine", "it.ipynb", "out.ipynb")),
        ("execnb, a process a run", ("exec_nb", "it.ipynb", "--dest", "out.ipynb")),
    ):
        if bench.peers.has(peer := name.partition(",")[0]):
            program = bench.peers.program(peer, argv[0])
            found[name] = where.loop(2, program, *argv[1:])
    return found


def _some_peers(bench: Bench, where: place.Place) -> dict[str, Case]:
    """Those that are the measure, and the fastest."""
    return {
        name: _script(bench, where, peer, count)
        for name, peer, count in (
            (PAPERMILL, "papermill", 2),
            (MILLRUN, "millrun", 4),
            # Its first run pays for the imports of the notebook.
            ("execnb, one process\\*", "execnb", bench.sized(MANY, 20)),
        )
        if bench.peers.has(peer)
    }


def _script(bench: Bench, where: place.Place, peer: str, count: int, *more: str) -> Case:
    """A peer's loop of a few runs, of which what it needs once is charged as if they were many."""
    path = where.root / f"{peer}-loop.py"
    path.write_text(peers.LOOPS[peer].lstrip())
    argv = (bench.peers.program(peer), path.name, str(count), *more)

    def go() -> Figures:
        began = time.perf_counter()
        said = where.call(*argv)
        whole, inside = time.perf_counter() - began, float(said.splitlines()[-1])
        return {SECONDS: inside / count + (whole - inside) / MANY}

    return Case(go, f"python {path.name} {count}\n" + peers.LOOPS[peer].strip(), count)


def _managers(bench: Bench, where: place.Place) -> dict[str, Case]:
    """What only starts programs: their records are a log and an exit code."""
    found = {}
    if bench.peers.has("submitit"):
        found["submitit, local"] = _script(bench, where, "submitit", 6, sys.executable)
    if bench.peers.has("task-spooler"):
        count = 100
        text = (
            f"export TS_SOCKET={where.root}/tsp; tsp -S 2; for i in $(seq {count}); do "
            f'id=$(tsp python -u it.py); done; tsp -w $((id - 1)); tsp -w "$id"; tsp -C'
        )
        real = text.replace("python", sys.executable)
        typed = text.replace(f"{where.root}/tsp", "tsp")
        found["task-spooler"] = where.case("sh", "-c", real, runs=count, typed=typed)
    return found


def tell(kept: Kept) -> str:
    """Four tables and a picture."""
    parts = [_TEXT.format(many=MANY)]
    for key, title in (
        (SMALL, "A small notebook: print, import NumPy, compute"),
        (PANDAS, "pandas and scikit-learn: import, fit a line, print"),
        (TORCHED, "torch: import, multiply"),
        (NOTHING, "`pass`, two at a time"),
    ):
        parts += [f"### {title}", "", tables.beside(kept, key, LOOP), ""]
    return "\n".join(parts)


def draw(kept: Kept) -> list[Drawing]:
    """Each tool's ms a run, for the two notebooks that the peers execute."""
    panels = {
        "print, import NumPy, compute": kept.table(SMALL),
        "import pandas and scikit-learn, fit a line": kept.table(PANDAS),
        "import torch, multiply": kept.table(TORCHED),
    }
    return [bars("loops", "What does one of many short runs cost?", panels, LOOP)]
