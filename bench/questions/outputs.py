"""What outputs cost: one run that prints 1 KB to 500 MB, and 200 cells that print 50 MB in all."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

from bench import place, tables
from bench.measure import MEGABYTES, SECONDS, Case
from bench.pictures import Line, bars, lines
from bench.questions.cold import Runner
from nbbg import paths

if TYPE_CHECKING:
    from bench.bench import Bench
    from bench.kept import Kept
    from bench.measure import Figures
    from bench.pictures import Drawing

TITLE = "Outputs"
SIZES = (1_000, 100_000, 10_000_000, 100_000_000, 500_000_000)
MOST_OF_PEERS = 10_000_000
CELLS, EACH = 200, 250_000  # cells, and bytes of output of each
MANY, SLOW = "outputs/many", "outputs/slow"
PLAIN, NBBG, PEER = "`python -u script.py > log`", "nbbg's run", "nbclient"
READ = "`nbbg notebook 1`, while it runs"
DEFAULTS = "papermill, at its defaults"
REFERENCE = "IPython in one process, one write at the end"
_LINE = 101  # bytes
_REFERENCE = """\
import contextlib, io, json
from IPython.core.interactiveshell import InteractiveShell
with open("it.ipynb") as file:
    notebook = json.load(file)
shell = InteractiveShell.instance()
for cell in notebook["cells"]:
    with contextlib.redirect_stdout(io.StringIO()) as said:
        shell.run_cell(cell["source"], store_history=True)
    cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": said.getvalue()}]
with open("done.ipynb", "w") as file:
    json.dump(notebook, file)
"""
_WAIT = """import os, time
while not os.path.exists("go-on"):
    time.sleep(0.01)"""
_TEXT = """\
### One cell that prints 1 KB to 500 MB

MB is the size of the largest process. The notebook of a live run is asked for while its next cell
waits. nbclient has nothing on disk before its end, and is not tried beyond {most:.0f} MB. How much
of a long output the executed notebook holds is bounded; the log has all of it
([outputs](outputs.md)).

![What does one cell with long outputs cost?](benchmarks/outputs.svg)

{rows}

{how}

### {cells} cells that print {total:.0f} MB, executed notebook kept

nbbg's can be read all along; papermill's too at its defaults, at which it writes the notebook anew
after each cell: {slow}. The others write theirs at the end.

![What do many cells with long outputs cost?](benchmarks/cells.svg)

{many}
"""


def key(size: int) -> str:
    """The table of a size."""
    return f"outputs/{size}"


def printing(size: int, name: str = "") -> str:
    """A cell that prints so many bytes, a thousand lines at a time at most."""
    count = max(1, size // _LINE)
    many, rest = divmod(count, 1000)
    text = "'\\n'.join(['0123456789' * 10] * {})"
    whole = f"for _ in range({many}):\n    print({text.format(1000)})\n" if many else ""
    return whole + (f"print({text.format(rest)})\n" if rest else "") + name


def measure(bench: Bench) -> None:
    """Sizes of one cell's output, then many cells."""
    for size in SIZES[: bench.sized(len(SIZES), 3)]:
        if not bench.is_done(key(size)):
            top = bench.top / f"outputs-{size}"
            bench.take(key(size), _of_size(bench, size), trial=size <= MOST_OF_PEERS)
            place.remove(top)
    if not bench.is_done(MANY):
        bench.take(MANY, _of_many(bench))
    if bench.peers.has("papermill") and not (bench.quick or bench.is_done(SLOW, 1)):
        where = _many(bench, "slow")
        program = bench.peers.program("papermill", "papermill")
        words = ("it.ipynb", "out.ipynb", "--no-progress-bar")
        cases = {DEFAULTS: where.case(program, *words)}
        bench.take(SLOW, cases, 1, trial=False)


def _of_size(bench: Bench, size: int) -> dict[str, Case]:
    top = bench.top / f"outputs-{size}"
    where = place.make(top / "plain")
    where.write("it", printing(size))
    runner = Runner(bench, "ipython", [printing(size)], f"outputs-{size}/nbbg")
    found = {
        PLAIN: where.weighed(
            "sh", "-c", f"exec {sys.executable} -u it.py > it.log", typed=PLAIN[1:-1]
        ),
        NBBG: Case(lambda: runner.where.weigh(*runner.attempt()), runner.case().typed),
        READ: _reading(bench, size),
    }
    if bench.peers.has("nbclient") and size <= MOST_OF_PEERS:
        program = bench.peers.program("nbclient", "jupyter-execute")
        found[PEER] = where.weighed(program, "it.ipynb", "--output=out")
    return found


def _reading(bench: Bench, size: int) -> Case:
    """The notebook so far of a run whose last cell waits."""
    where = place.make(bench.top / f"outputs-{size}" / "live")
    where.write("it", printing(size), _WAIT)
    where.call(place.NBBG, "run", "it.ipynb")
    log = where.root / paths.STORE / paths.BATCHES / "1" / paths.RUNS / "1" / "1" / paths.LOG
    whole = size // _LINE * _LINE

    def go() -> Figures:
        place.until(lambda: log.exists() and log.stat().st_size >= whole, nap=0.1)
        began = time.perf_counter()
        where.call(place.NBBG, "notebook", "1", "-o", "so-far.ipynb")
        seconds = time.perf_counter() - began
        so_far = where.root / "so-far.ipynb"
        if not json.loads(so_far.read_bytes())["cells"][0]["outputs"]:
            raise RuntimeError("the notebook of the live run has no outputs")
        so_far.unlink()
        return {SECONDS: seconds}

    return Case(go, "nbbg notebook 1 -o so-far.ipynb")


def _of_many(bench: Bench) -> dict[str, Case]:
    where = _many(bench, "many")
    (where.root / "reference.py").write_text(_REFERENCE)
    runner = Runner(bench, "ipython", [printing(EACH)] * CELLS, "many-nbbg")
    found = {
        REFERENCE: where.case(
            sys.executable, "reference.py", typed=f"python reference.py\n{_REFERENCE.strip()}"
        ),
        PLAIN: where.case(
            "sh", "-c", f"exec {sys.executable} -u it.py > it.log", typed=PLAIN[1:-1]
        ),
        NBBG: runner.case(),
    }
    for peer, program, *words in (
        ("execnb", "exec_nb", "it.ipynb", "--dest", "out.ipynb"),
        ("ploomber-engine", "ploomber-engine", "it.ipynb", "out.ipynb"),
        ("nbclient", "jupyter-execute", "it.ipynb", "--output=out"),
        ("papermill", "papermill", "it.ipynb", "out.ipynb", "--no-progress-bar", *_LATE),
    ):
        if bench.peers.has(peer):
            name = f"{peer}, saved at the end" if peer == "papermill" else peer
            found[name] = where.case(bench.peers.program(peer, program), *words)
    return found


_LATE = ("--no-request-save-on-cell-execute", "--autosave-cell-every", "0")


def _many(bench: Bench, name: str) -> place.Place:
    where = place.make(bench.top / name)
    where.write("it", *[printing(EACH)] * CELLS)
    return where


def tell(kept: Kept) -> str:
    """How it grows, and many cells."""
    names = (PLAIN, NBBG, READ, PEER)
    head = ("bytes", *(f"{name}, ms" for name in names), *(f"{n}, MB" for n in (NBBG, PEER)))
    rows = [
        (
            f"{size:,}",
            *(tables.figure(kept, key(size), name) for name in names),
            *(tables.figure(kept, key(size), name, MEGABYTES) for name in (NBBG, PEER)),
        )
        for size in SIZES
    ]
    once = kept.table(SLOW).rows.get(DEFAULTS)
    slow = once and once.middle()
    return _TEXT.format(
        most=MOST_OF_PEERS / 1e6,
        rows=tables.markdown(head, rows),
        how=tables.how(kept.table(key(SIZES[0]))),
        cells=CELLS,
        total=CELLS * EACH / 1e6,
        slow=f"{slow.value:.0f} s, once" if slow else "not measured",
        many=tables.beside(kept, MANY, REFERENCE),
    )


def draw(kept: Kept) -> list[Drawing]:
    """Time and memory by size; each tool with many cells."""
    panels = {
        "seconds": [_line(kept, name, SECONDS) for name in (PLAIN, NBBG, READ, PEER)],
        "MB of the largest process": [_line(kept, name, MEGABYTES) for name in (PLAIN, NBBG, PEER)],
    }
    title = "What does one cell with long outputs cost?"
    many = {"": kept.table(MANY)}
    asked = f"What do {CELLS} cells that print {CELLS * EACH / 1e6:.0f} MB cost?"
    return [
        lines("outputs", title, panels, "MB that the cell prints", log=True),
        bars("cells", asked, many, REFERENCE, unit="ms"),
    ]


def _line(kept: Kept, name: str, what: str) -> Line:
    points = []
    for size in SIZES:
        row = kept.table(key(size)).rows.get(name)
        if found := row and row.middle(what):
            points.append((size / 1e6, found))
    return Line(name.replace("`", ""), points, base=name == PLAIN)
