"""Whether two halves of a pair say the same, and what would be lost if one replaced the other."""

from __future__ import annotations

from collections import Counter
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from nbbg.errors import NotebookError
from nbbg.notebook import ipynb, scripts

if TYPE_CHECKING:
    from pathlib import Path

    from nbbg.notebook.scripts import Format, Notebook, Script


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


def same(notebook: Notebook, script: Script, form: Format) -> bool:
    """Whether a script says what the notebook would say as a script."""
    back = scripts.reads(scripts.writes(notebook, script.path, form), script.path, form)
    return bool(contents(back) == contents(script.magic))


def has_code_of(place: Path, notebook: Notebook) -> bool:
    """Whether the script at `place` has the notebook's code, whatever its comments mean."""
    try:
        script = scripts.read(place)
    except NotebookError:
        return False  # a plain script of the same name
    return ipynb.code(notebook) in (ipynb.code(script.magic), ipynb.code(script.literal))


def loses(old: Notebook, new: Notebook) -> bool:
    """Whether a cell's source of `old` is nowhere in `new`."""
    return bool(_sources(old) - _sources(new))


def check_lossless(notebook: Notebook, back: Notebook, place: Path) -> None:
    """Refuse a script that would not read back as the same code.

    Raises:
        NotebookError: naming the cell and the line.
    """
    both = zip_longest(ipynb.code_cells(notebook), ipynb.code_cells(back))
    for number, (mine, other) in enumerate(both, 1):
        if mine == other:
            continue
        lines = zip_longest((mine or "").split("\n"), (other or "").split("\n"))
        line, text = next((at, mine) for at, (mine, other) in enumerate(lines, 1) if mine != other)
        raise NotebookError(
            f"code cell {number}, line {line}: `{(text or '').strip()}` would not read back from "
            f"{place.name} as it is;\nnothing was written; change that line, then try again"
        )


def _sources(notebook: Notebook) -> Counter[str]:
    sources = (ipynb.comparable(cell["source"]) for cell in notebook["cells"])
    return Counter(source for source in sources if source)
