"""Cells that a script would break, such as one with a `# %%` line: jupytext's own means keep them.

A code cell with the metadata `active="ipynb"` is a comment in the script, line by line, and itself
again when it is read: by nbbg, jupytext and JupyterLab alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbbg.notebook import agreement, scripts

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from nbbg.notebook.formats import Format, Notebook

ACTIVE = {"active": "ipynb"}
_NEIGHBOUR: dict[str, Any] = {
    "cell_type": "code",
    "metadata": {},
    "source": "x = 1",
    "execution_count": None,
}


def fitted(notebook: Notebook, texts: Iterable[tuple[Path, Format]]) -> Notebook:
    """The notebook, with each code cell marked that would not come back from one of the scripts."""
    for place, form in texts:
        if _is_closed(notebook, place, form) and _is_lossless(notebook, place, form):
            continue
        cells = [
            {**cell, "metadata": {**cell["metadata"], **ACTIVE}}
            if cell["cell_type"] == "code"
            and "active" not in cell["metadata"]
            and not _is_lossless({**notebook, "cells": [_NEIGHBOUR, cell, _NEIGHBOUR]}, place, form)
            else cell
            for cell in notebook["cells"]
        ]
        notebook = {**notebook, "cells": cells}
    return notebook


def _is_closed(notebook: Notebook, place: Path, form: Format) -> bool:
    """Whether a cell may come after the last one, whose open quote would swallow it."""
    last = notebook["cells"][-1:]
    if not any({*cell["source"]} & {*"\"'\\"} for cell in last):
        return True
    return _is_lossless({**notebook, "cells": [_NEIGHBOUR, *last, _NEIGHBOUR]}, place, form)


def _is_lossless(notebook: Notebook, place: Path, form: Format) -> bool:
    return agreement.first_loss(notebook, scripts.through(notebook, place, form)) is None
