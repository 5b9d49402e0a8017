"""How the cost of a plan grows with its length: runs that wait, of one launch."""

from __future__ import annotations

import shutil
from functools import partial
from typing import TYPE_CHECKING

from bench import place, tables
from bench.measure import MEGABYTES, SECONDS, Case
from bench.pictures import Line, lines
from nbbg import paths
from nbbg.store import batches

if TYPE_CHECKING:
    from bench.bench import Bench
    from bench.kept import Kept
    from bench.measure import Figures, Middle
    from bench.pictures import Drawing

TITLE = "Long plans"
SIZES = (1, 1_000, 10_000, 100_000)
LAUNCH, STATUS, SHOW, STOP, RESUME = "run", "status", "show", "stop", "resume"
SUPERVISOR, KEY = "supervisor", "plan"
_TEXT = """\
One `nbbg run train.ipynb --runs N`, then the other commands beside its supervisor, which is at
work; *resume* begins where *stop* ended. Memory is the largest resident size.

![What does one launch of many runs cost?](benchmarks/plans.svg)

{rows}

{how}
"""


def key(size: int) -> str:
    """The table of a size."""
    return f"plans/{size}"


def measure(bench: Bench) -> None:
    """A new project in each round."""
    for size in SIZES[: bench.sized(len(SIZES), 3)]:
        if not bench.is_done(key(size)):
            typed = f"nbbg run train.ipynb --runs {size}; nbbg status; nbbg stop b1; ..."
            case = Case(partial(_plan, bench, size), typed)
            bench.take(key(size), {KEY: case}, trial=False)


def _plan(bench: Bench, size: int) -> Figures:
    where = place.make(bench.top / "plan" / "project")
    where.write("train", "print('accuracy', 0.97)")
    launch = where.weigh(place.NBBG, "run", "train.ipynb", "--runs", str(size))
    batch = where.root / paths.STORE / paths.BATCHES / "1"
    held = place.memory(batches.supervisor_pid(batch) or 0)[0]
    figures = {
        LAUNCH: launch[SECONDS],
        MEGABYTES: launch[MEGABYTES],
        STATUS: where.weigh(place.NBBG, "status")[SECONDS],
        SHOW: where.weigh(place.NBBG, "show", str(max(1, size // 2)))[SECONDS],
        **({SUPERVISOR: held} if held else {}),  # a single run may be over already
    }
    if size > 1:
        figures[STOP] = where.weigh(place.NBBG, "stop", "b1")[SECONDS]
        figures[RESUME] = where.weigh(place.NBBG, "resume", "b1")[SECONDS]
    place.remove(where.root)
    shutil.rmtree(bench.top / "plan", ignore_errors=True)
    return figures


def tell(kept: Kept) -> str:
    """A table by size."""
    times = (LAUNCH, STATUS, SHOW, STOP, RESUME)
    heads = (*(f"`nbbg {name}`, ms" for name in times), "`nbbg run`, MB", "supervisor, MB")
    rows = [
        (
            f"{size:,}",
            *(tables.spread(_row(kept, size, name)) for name in times),
            *(tables.spread(_row(kept, size, n), times=True) for n in (MEGABYTES, SUPERVISOR)),
        )
        for size in SIZES
    ]
    told = tables.markdown(("runs", *heads), rows)
    return _TEXT.format(rows=told, how=tables.how(kept.table(key(1_000))))


def _row(kept: Kept, size: int, what: str) -> Middle | None:
    row = kept.table(key(size)).rows.get(KEY)
    return row.middle(what) if row else None


def draw(kept: Kept) -> list[Drawing]:
    """One line a command."""
    found = []
    for name in (LAUNCH, STATUS, SHOW, STOP, RESUME):
        points = [(float(n), middle) for n in SIZES if (middle := _row(kept, n, name))]
        said = "launch" if name == LAUNCH else f"nbbg {name}"
        found.append(Line(said, [(at, each.scaled(1000)) for at, each in points]))
    title = "What does one launch of many runs cost?"
    return [lines("plans", title, {"ms of a whole command": found}, "runs of the launch", log=True)]
