"""A folder of notebooks made scripts, by nbbg and by jupytext: times, memory, and whether the text
is the same. `python -m bench.convert` writes `docs/bench-convert.md`.

Every go begins without scripts and records, but for the one that finds nothing changed. The two
tools work in copies of one folder, in turns.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbbg
from bench.measure import interleaved, ratio, spread, table

if TYPE_CHECKING:
    from bench.measure import Case

PAGE = Path(__file__).parents[1] / "docs" / "bench-convert.md"
NOTEBOOKS, ROUNDS = 200, 5
CELLS, LARGEST = (5, 200), 5_000_000  # a notebook; bytes of outputs
MARKDOWN, IMAGES = 0.3, 0.5  # shares of the cells, and of the outputs
BIN = Path(sys.executable).parent
_TEXT = """# Converting a folder

Written by `python -m bench.convert` on {date}: {count} notebooks of {cells[0]} to {cells[1]} cells,
with outputs of up to {largest:.0f} MB, {size:.0f} MB in all, on {cpus} CPUs (load: {load:.1f}).
nbbg {nbbg}, jupytext {jupytext}, Python {python}. Times are in ms: the median of {rounds} rounds,
with the smallest and the largest; *times* is the median of the ratios to jupytext, round by round.
Memory is that of the largest process. The text of {same} of {count} scripts is the same.

{table}
"""
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


def main() -> None:
    """Measure, write the page, and leave nothing behind."""
    top, load = Path(tempfile.mkdtemp(prefix="nbbg-bench-")), os.getloadavg()[0]
    try:
        theirs, ours = top / "theirs", top / "ours"
        theirs.mkdir()
        size = sum(_make(theirs, number) for number in range(NOTEBOOKS))
        shutil.copytree(theirs, ours)
        names = [path.name for path in sorted(theirs.iterdir())]
        mine = (str(BIN / "nbbg"), "convert", ".", "--to", "py")
        cases = {
            "`jupytext --to py:percent *.ipynb`": _case(
                theirs, str(BIN / "jupytext"), "--to", "py:percent", "--quiet", *names
            ),
            "`nbbg convert . --to py`": _case(ours, *mine),
            "the same, nothing changed": _case(ours, *mine, fresh=False),
        }
        taken = interleaved(cases, ROUNDS)
        base = next(iter(taken.values()))
        rows = [
            (name, spread(goes), ratio(goes, base, digits=2), f"{max(go[1] for go in goes):.0f}")
            for name, goes in taken.items()
        ]
        scripts = [Path(name).with_suffix(".py") for name in names]
        same = sum((theirs / one).read_bytes() == (ours / one).read_bytes() for one in scripts)
    finally:
        shutil.rmtree(top)
    page = _TEXT.format(
        date=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        count=NOTEBOOKS,
        cells=CELLS,
        largest=LARGEST / 1e6,
        size=size / 1e6,
        cpus=len(os.sched_getaffinity(0)),
        load=load,
        nbbg=nbbg.__version__,
        jupytext=version("jupytext"),
        python=sys.version.split()[0],
        rounds=ROUNDS,
        same=same,
        table=table(("", "ms", "times", "MB"), rows),
    )
    PAGE.write_text(page)
    print(page)


def _case(folder: Path, *argv: str, fresh: bool = True) -> Case:
    """A command in a folder, as a case: seconds, and MB of its largest process."""

    def go() -> tuple[float, ...]:
        if fresh:
            shutil.rmtree(folder / ".nbbg", ignore_errors=True)
            for script in folder.glob("*.py"):
                script.unlink()
        began = time.perf_counter()
        pid = os.fork()
        if not pid:
            os.chdir(folder)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.execv(argv[0], argv)  # noqa: S606 - its memory is asked for
        _, status, used = os.wait4(pid, 0)
        if status:
            raise RuntimeError(f"{argv[:3]} ended with {status}")
        return time.perf_counter() - began, used.ru_maxrss / 1024

    return go


def _make(folder: Path, number: int) -> int:
    """Write one notebook, the same on every machine; its size."""
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
    return path.stat().st_size


def _output(size: int, dice: random.Random) -> dict[str, Any]:
    if dice.random() < IMAGES:
        image = {"image/png": f"{dice.getrandbits(4 * size):x}", "text/plain": ["<Figure>"]}
        return {"output_type": "display_data", "metadata": {}, "data": image}
    lines = [f"epoch {n}: loss {dice.random():.6f}\n" for n in range(size // 24 + 1)]
    return {"output_type": "stream", "name": "stdout", "text": lines}


if __name__ == "__main__":
    main()
