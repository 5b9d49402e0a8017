"""Whether two halves of a pair say the same, and what would be lost if one replaced the other."""

from __future__ import annotations

from collections import Counter
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from nbbg.errors import NotebookError
from nbbg.notebook import ipynb, userfiles

if TYPE_CHECKING:
    from pathlib import Path

    from nbbg.notebook.formats import Notebook
    from nbbg.notebook.scripts import Script


def contents(notebook: Notebook) -> Any:
    """What readings of two texts are compared by: cells and metadata, not versions or layout."""
    cells = [
        (
            cell["cell_type"],
            ipynb.comparable(cell["source"]),
            {key: value for key, value in cell["metadata"].items() if key not in ipynb.LAYOUT},
        )
        for cell in notebook["cells"]
    ]
    metadata = {key: value for key, value in notebook["metadata"].items() if key != "jupytext"}
    return cells, metadata


def same_code(notebook: Notebook, script: Script) -> bool:
    """Whether a script has the notebook's code, whatever its comments mean."""
    return ipynb.code(notebook) in (ipynb.code(script.magic), ipynb.code(script.literal))


def loses(old: Notebook, new: Notebook) -> bool:
    """Whether a cell's source of `old` is nowhere in `new`."""
    return bool(_sources(old) - _sources(new))


def check_lossless(notebook: Notebook, back: Notebook, book: Path, script: Path) -> None:
    """Refuse a script that would not read back as the same cells.

    Raises:
        NotebookError: naming the cell and the line.
    """
    found = first_loss(notebook, back)
    if found is not None:
        raise NotebookError(
            f"{userfiles.shown(book)}: {found}"
            f" in {script.name};\nnothing was written; change that cell, then try again"
        )


def first_loss(notebook: Notebook, back: Notebook) -> str | None:
    """Which cell would not read back as it is, such as `code cell 3, line 1: ...`."""
    counts: Counter[str] = Counter()
    for mine, other in zip_longest(notebook["cells"], back["cells"]):
        kind = (mine or other)["cell_type"]
        counts[kind] += 1
        what = _lost(mine, other)
        if what:
            return f"{kind} cell {counts[kind]}, {what}"
    return None


def _lost(mine: Any, other: Any) -> str:
    """What a cell would lose, or nothing."""
    if mine is None or other is None or mine["cell_type"] != other["cell_type"]:
        lines = ("", "") if mine is None else (mine["source"], "")
        found = _first_difference(*lines) if any(lines) else "would not be there"
        return found if mine and other is None else "would not end where it ends"
    first, second = ipynb.comparable(mine["source"]), ipynb.comparable(other["source"])
    if first != second:
        return _first_difference(first, second)
    if mine["metadata"].get("tags", []) != other["metadata"].get("tags", []):
        return "its tags would not read back as they are"
    return ""


def _first_difference(mine: str, other: str) -> str:
    lines = zip_longest(mine.split("\n"), other.split("\n"))
    for number, (line, read) in enumerate(lines, 1):
        if line is None:
            return "would not end where it ends (is a quote left open?)"
        if line != read:
            return f"line {number}: `{visible(line)}` would not read back as it is"
    return "would not read back as it is"


def visible(text: str) -> str:
    """A line without indentation, each character that can't be seen as an escape."""
    return "".join(one if one.isprintable() else f"\\u{ord(one):04x}" for one in text.strip())


def _sources(notebook: Notebook) -> Counter[str]:
    sources = (ipynb.comparable(cell["source"]) for cell in notebook["cells"])
    return Counter(source for source in sources if source)
