"""Whether two halves of a pair say the same, and what would be lost if one replaced the other."""

from __future__ import annotations

from collections import Counter
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from nbbg.errors import NotebookError
from nbbg.notebook import ipynb, scripts, userfiles

if TYPE_CHECKING:
    from pathlib import Path

    from nbbg.notebook.scripts import Notebook, Pair, Script


def contents(notebook: Notebook) -> Any:
    """What readings of two texts are compared by: cells and kernel, not versions or blank lines."""
    cells = [
        (
            cell["cell_type"],
            ipynb.comparable(cell["source"]),
            {key: value for key, value in cell["metadata"].items() if key not in ipynb.LAYOUT},
        )
        for cell in notebook["cells"]
    ]
    return cells, notebook["metadata"].get("kernelspec")


def same(notebook: Notebook, script: Script, pair: Pair) -> bool:
    """Whether a script says what the notebook would say as a script."""
    form = pair.form_of(script.path)
    back = scripts.reads(scripts.writes(notebook, script.path, form), script.path, form)
    return bool(contents(back) == contents(script.magic))


def same_code(notebook: Notebook, script: Script) -> bool:
    """Whether a script has the notebook's code, whatever its comments mean."""
    return ipynb.code(notebook) in (ipynb.code(script.magic), ipynb.code(script.literal))


def loses(old: Notebook, new: Notebook) -> bool:
    """Whether a cell's source of `old` is nowhere in `new`."""
    return bool(_sources(old) - _sources(new))


def check_lossless(notebook: Notebook, back: Notebook, book: Path, script: Path) -> None:
    """Refuse a script that would not read back as the same code.

    Raises:
        NotebookError: naming the cell and the line.
    """
    both = zip_longest(ipynb.code_cells(notebook), ipynb.code_cells(back), fillvalue="")
    for number, (mine, other) in enumerate(both, 1):
        if mine != other:
            raise NotebookError(
                f"{userfiles.shown(book)}: code cell {number}, {_first_difference(mine, other)}"
                f" in {script.name};\nnothing was written; change that cell, then try again"
            )


def _first_difference(mine: str, other: str) -> str:
    lines = zip_longest(mine.split("\n"), other.split("\n"))
    for number, (line, read) in enumerate(lines, 1):
        if line is None:
            return "would not end where it ends (is a quote left open?)"
        if line != read:
            return f"line {number}: `{_visible(line)}` would not read back as it is"
    return "would not read back as it is"


def _visible(text: str) -> str:
    return "".join(one if one.isprintable() else f"\\u{ord(one):04x}" for one in text.strip())


def _sources(notebook: Notebook) -> Counter[str]:
    sources = (ipynb.comparable(cell["source"]) for cell in notebook["cells"])
    return Counter(source for source in sources if source)
