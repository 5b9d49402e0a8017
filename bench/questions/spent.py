"""Where the time of a run and of a command goes: the profile behind the other figures."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING

from bench import place, tables
from bench.measure import SECONDS, Case
from bench.pictures import Drawing, shares
from bench.questions.loops import LEARN, NUMPY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.bench import Bench
    from bench.kept import Kept, Row
    from bench.measure import Figures

TITLE = "Where the time goes"
RUNS, IMPORTS = "spent/runs", "spent/imports"
PARTS = ("starting", "importing", "cells")
MODULES, LARGEST = "modules", 6
FEW = 3  # rounds
NOTEBOOKS = {"NumPy": NUMPY, "pandas and scikit-learn": LEARN}
COMMANDS = {
    "`python -c pass`": ("-c", "pass"),
    "`nbbg status`": ("-m", "nbbg", "status"),
    "`nbbg logs 1`": ("-m", "nbbg", "logs", "1"),
    "`nbbg show 1`": ("-m", "nbbg", "show", "1"),
    "`nbbg run x.ipynb`": ("-m", "nbbg", "run", "x.ipynb"),
}


def measure(bench: Bench) -> None:
    """The parts of a run as `nbbg show` has them, and what commands import."""
    if not bench.is_done(RUNS, FEW):
        cases = {}
        for number, (name, sources) in enumerate(NOTEBOOKS.items()):
            where = place.make(bench.top / f"spent-{number}")
            where.write("it", *sources)
            cases[f"cold, {name}"] = Case(partial(_parts, where, 1, "off"))
            cases[f"warm, {name}"] = Case(partial(_parts, where, 4, "on"))
        bench.take(RUNS, cases, FEW)
    if not bench.is_done(IMPORTS, FEW):
        where = place.make(bench.top / "imports")
        where.write("x", "pass")
        where.call(place.NBBG, "run", "x.ipynb", "--wait")
        bench.take(
            IMPORTS,
            {
                name: Case(partial(_imports, where, argv), f"python -X importtime {' '.join(argv)}")
                for name, argv in COMMANDS.items()
            },
            FEW,
        )


def _parts(where: place.Place, count: int, warm: str) -> Figures:
    """Of the last run of a batch."""
    words = ("--runs", f"+{count}", "--warm", warm, "--wait")
    where.call(place.NBBG, "run", "it.ipynb", *words)
    last = max(run["id"] for run in where.status()["runs"])
    spent = json.loads(where.call(place.NBBG, "show", str(last), "--json"))["spent"]
    return {part: spent[part] for part in PARTS}


def _imports(where: place.Place, argv: Sequence[str]) -> Figures:
    """How many modules a command loads and for how long; seconds by package, without their own."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *argv],
        cwd=where.root,
        env=where.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, float] = {MODULES: 0.0, SECONDS: 0.0}
    for line in done.stderr.splitlines():
        parts = [part.strip() for part in line.removeprefix("import time:").split("|")]
        if len(parts) == 3 and parts[0].isdigit():  # noqa: PLR2004 - self, cumulative, name
            package, seconds = parts[2].partition(".")[0], int(parts[0]) / 1e6
            found[MODULES] += 1
            found[SECONDS] += seconds
            found[f"of {package}"] = found.get(f"of {package}", 0.0) + seconds
    return found


_TEXT = """\
The parts of a run as `nbbg show` has them: *starting*, from the claim to the engine's process;
*importing*, until its first cell (the interpreter, IPython); *cells*, what they import included. Of
a cold run, and of the last of four warm ones.

![Where does the time of a run go?](benchmarks/spent.svg)

{runs}

{how}

What commands import, as `python -X importtime` has it, which itself takes time; the packages are
those that take longest.

{imports}
"""


def tell(kept: Kept) -> str:
    """The parts, and the imports."""
    parts, imports = kept.table(RUNS), kept.table(IMPORTS)
    runs = [
        (name, *(tables.spread(row.middle(part)) for part in PARTS))
        for name, row in parts.rows.items()
    ]
    loaded = [
        (
            name,
            tables.figure(kept, IMPORTS, name, MODULES),
            tables.figure(kept, IMPORTS, name),
            _largest(row),
        )
        for name, row in imports.rows.items()
    ]
    return _TEXT.format(
        runs=tables.markdown(("ms", *PARTS), runs),
        how=tables.how(parts),
        imports=tables.markdown(("", "modules", "ms", "of these"), loaded),
    )


def _largest(row: Row) -> str:
    """The packages that take longest to import, with their ms."""
    names = {name for each in row.rounds if each for name in each if name.startswith("of ")}
    found = {name[3:]: middle.value for name in names if (middle := row.middle(name))}
    most = sorted(found.items(), key=lambda item: -item[1])[:LARGEST]
    return ", ".join(f"{name} {tables.ms(seconds)}" for name, seconds in most)


def draw(kept: Kept) -> list[Drawing]:
    """The parts of each run, beside each other."""
    found = {
        name: {part: middle.value * 1000 for part in PARTS if (middle := row.middle(part))}
        for name, row in kept.table(RUNS).rows.items()
    }
    return [shares("spent", "Where does the time of a run go?", found, "ms")]
