"""How the cost of looking, and of one more launch, grows with the runs that have finished.

One run was carried out; the others are copies of its records. The largest store has a plan and
events alone, and no folders, which `status` doesn't open.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from bench import place, tables
from bench.measure import SECONDS, Case
from bench.pictures import Line, lines
from nbbg import paths
from nbbg.store import batches

if TYPE_CHECKING:
    from pathlib import Path

    from bench.bench import Bench
    from bench.kept import Kept
    from bench.measure import Figures
    from bench.pictures import Drawing

TITLE = "Looking, with many runs that have finished"
SIZES, MILLION = (0, 1_000, 10_000, 100_000), 1_000_000
NOTHING, STATUS, SCREEN = "`python -c pass`", "`nbbg status`", "`nbbg status`, on a terminal"
LAUNCH = "`nbbg run x.ipynb`, to the prompt"
OF_A_RUN = ("logs", "wait", "show")
COLD = "cold"
_TEXT = """\
Times in ms of whole commands, with the start of Python. The index is a cache; the last column is
the first `nbbg status` without it. The million runs have a plan and events, and no folders, which
`status` doesn't open.

![Does looking slow down as runs become many?](benchmarks/reading.svg)

{rows}

{how}

`nbbg status`, in times of `python -c pass`:

{times}
"""


def key(size: int) -> str:
    """The table of a size."""
    return f"reading/{size}"


def measure(bench: Bench) -> None:
    """A store after another, and the commands in turns."""
    for size in (*SIZES[: bench.sized(len(SIZES), 3)], *([] if bench.quick else [MILLION])):
        if bench.is_done(key(size)):
            continue
        where = place.make(bench.top / f"reading-{size}" / "project")
        where.write("other", "pass")
        if size:
            where.write("train", "print('accuracy', 0.97)")
            folder = where.batch("train", size)
            place.finish(folder, size, folders=size < MILLION)
            cold = where.case(place.NBBG, "status").go()
            bench.kept.notes[f"{key(size)}/{COLD}"] = cold[SECONDS]
        bench.take(key(size), _cases(where, size))
        place.remove(where.root.parent)


def _cases(where: place.Place, size: int) -> dict[str, Case]:
    found = {
        NOTHING: where.case(sys.executable, "-c", "pass", typed="python -c pass"),
        STATUS: where.case(place.NBBG, "status", typed="nbbg status | cat"),
        SCREEN: where.on_terminal(place.NBBG, "status"),
    }
    if size < MILLION:
        if size:
            middle = str(size // 2)
            found |= {f"`nbbg {w}`": where.case(place.NBBG, w, middle) for w in OF_A_RUN}
        found[LAUNCH] = _launch(where)
    return found


def _launch(where: place.Place) -> Case:
    records = where.root / paths.STORE / paths.BATCHES

    def is_idle() -> bool:
        return not any(map(batches.supervisor_pid, _newest(records)))

    def go() -> Figures:
        figures = where.case(place.NBBG, "run", "other.ipynb").go()
        place.until(is_idle)
        return figures

    return Case(go, "nbbg run x.ipynb")


def _newest(records: Path) -> list[Path]:
    return sorted(records.glob("[0-9]*"), key=lambda folder: int(folder.name))[-2:]


def tell(kept: Kept) -> str:
    """Medians by size, and a picture."""
    commands = (NOTHING, STATUS, SCREEN, *(f"`nbbg {w}`" for w in OF_A_RUN), LAUNCH)
    head = ("finished runs", *commands, "without an index, once")
    rows = [_row(kept, size, commands) for size in (*SIZES, MILLION)]
    return _TEXT.format(
        rows=tables.markdown(head, rows),
        how=tables.how(kept.table(key(1_000))),
        times=tables.markdown(("finished runs", "into a pipe", "on a terminal"), _times(kept)),
    )


def _times(kept: Kept) -> list[tuple[str, ...]]:
    found = []
    for size in (*SIZES, MILLION):
        table = kept.table(key(size))
        ratios = [table.ratio(name, NOTHING) for name in (STATUS, SCREEN)]
        found.append((f"{size:,}", *(tables.spread(ratio, times=True) for ratio in ratios)))
    return found


def _row(kept: Kept, size: int, commands: tuple[str, ...]) -> tuple[str, ...]:
    cold = kept.notes.get(f"{key(size)}/{COLD}")
    figures = [tables.figure(kept, key(size), name) for name in commands]
    return f"{size:,}", *figures, tables.ms(cold) if cold else tables.NONE


def draw(kept: Kept) -> list[Drawing]:
    """One line a command."""
    names = (NOTHING, STATUS, *(f"`nbbg {w}`" for w in OF_A_RUN), LAUNCH)
    found = [_line(kept, name) for name in names]
    panels = {"ms of a whole command": found}
    title = "Does looking slow down as runs become many?"
    return [lines("reading", title, panels, "runs in the project that have finished")]


def _line(kept: Kept, name: str) -> Line:
    points = []
    for size in (*SIZES, MILLION):
        row = kept.table(key(size)).rows.get(name)
        if found := row and row.middle():
            points.append((float(size), found.scaled(1000)))
    return Line(name.replace("`", ""), points, base=name == NOTHING)
