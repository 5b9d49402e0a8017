"""A folder of notebooks made scripts, by nbbg and by jupytext.

Every go begins without scripts and records, but for the one that finds nothing changed. The two
tools work in copies of one folder, in turns.
"""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import place, tables
from bench.measure import Case

if TYPE_CHECKING:
    from bench.bench import Bench
    from bench.kept import Kept
    from bench.measure import Figures
    from bench.pictures import Drawing

TITLE = "Converting a folder"
KEY, SAME = "convert", "convert/same"
THEIRS = "`jupytext --to py:percent *.ipynb`"
NOTEBOOKS, FEW = 200, 3  # FEW: rounds
CELLS, LARGEST = (5, 200), 5_000_000  # a notebook; bytes of outputs
MARKDOWN, IMAGES = 0.3, 0.5  # shares of the cells, and of the outputs
_LINES = (
    "import numpy as np",
    "x = [n ** 2 for n in range(10)]",
    "%matplotlib inline",
    "!ls -l data",
    "# rm is not meant here",
    "def area(radius):\n    return 3.14159 * radius ** 2\n",
    "for name in names:\n    print(f'{name}: {scores[name]:.3f}')",
    "model.fit(train, epochs=3)  # slow",
    "'''a text\n\nof three lines'''",
)
_TEXT = """\
{count} notebooks of {cells[0]} to {cells[1]} cells, with outputs of up to {largest:.0f} MB. MB is
the size of the largest process. Scripts that are the same, byte for byte: {same}.

{table}
"""


def measure(bench: Bench) -> None:
    """One folder, twice."""
    if bench.is_done(KEY, FEW):
        return
    if not bench.peers.has("jupytext"):
        raise RuntimeError(f"no jupytext: {bench.peers.missing.get('jupytext', '')}")
    theirs, ours = place.make(bench.top / "theirs"), place.make(bench.top / "ours")
    for number in range(bench.sized(NOTEBOOKS, 20)):
        _make(theirs.root, number)
    names = [path.name for path in sorted(theirs.root.glob("*.ipynb"))]
    for name in names:
        shutil.copyfile(theirs.root / name, ours.root / name)
    jupytext = (bench.peers.program("jupytext", "jupytext"), "--to", "py:percent", "--quiet")
    typed = "jupytext --to py:percent --quiet *.ipynb"
    cases = {
        THEIRS: _fresh(theirs, theirs.weighed(*jupytext, *names, typed=typed)),
        "`nbbg convert . --to py`": _fresh(ours, ours.weighed(*_MINE)),
        "the same, nothing changed": ours.weighed(*_MINE),
    }
    bench.take(KEY, cases, FEW)
    scripts = [Path(name).with_suffix(".py") for name in names]
    same = [(theirs.root / one).read_bytes() == (ours.root / one).read_bytes() for one in scripts]
    bench.kept.notes[SAME] = sum(same) / len(same)


_MINE = (place.NBBG, "convert", ".", "--to", "py")


def _fresh(where: place.Place, case: Case) -> Case:
    """The case in a folder without scripts and records."""

    def go() -> Figures:
        shutil.rmtree(where.root / ".nbbg", ignore_errors=True)
        for script in where.root.glob("*.py"):
            script.unlink()
        return case.go()

    return Case(go, case.typed)


def tell(kept: Kept) -> str:
    """A table, and whether the scripts are the same."""
    same = kept.notes.get(SAME)
    return _TEXT.format(
        count=NOTEBOOKS,
        cells=CELLS,
        largest=LARGEST / 1e6,
        same=tables.NONE if same is None else f"{same:.0%}",
        table=tables.beside(kept, KEY, THEIRS, memory=KEY),
    )


def draw(_kept: Kept) -> list[Drawing]:
    """None: three figures are a table."""
    return []


def _make(folder: Path, number: int) -> None:
    """Write one notebook, the same on every machine."""
    dice = random.Random(number)  # noqa: S311 - no secret
    bytes_left = int(LARGEST ** dice.uniform(0.3, 1))
    cells: list[dict[str, Any]] = []
    for index in range(dice.randint(*CELLS)):
        cell: dict[str, Any] = {"id": f"cell-{index}", "metadata": {}}
        if dice.random() < MARKDOWN:
            cell |= {
                "cell_type": "markdown",
                "source": [f"## Step {index}\n", "\n", "Some *text*."],
            }
        else:
            lines = "\n".join(dice.choices(_LINES, k=dice.randint(1, 12)))
            size = min(bytes_left, int(bytes_left * dice.random()))
            bytes_left -= size
            cell |= {"cell_type": "code", "source": lines.splitlines(keepends=True)}
            cell |= {"execution_count": index, "outputs": [_output(size, dice)] if size else []}
        cells.append(cell)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel}}
    path = folder / f"{number:03}.ipynb"
    path.write_text(json.dumps({**notebook, "cells": cells}, indent=1, ensure_ascii=False) + "\n")


def _output(size: int, dice: random.Random) -> dict[str, Any]:
    if dice.random() < IMAGES:
        image = {"image/png": f"{dice.getrandbits(4 * size):x}", "text/plain": ["<Figure>"]}
        return {"output_type": "display_data", "metadata": {}, "data": image}
    lines = [f"epoch {n}: loss {dice.random():.6f}\n" for n in range(size // 24 + 1)]
    return {"output_type": "stream", "name": "stdout", "text": lines}
