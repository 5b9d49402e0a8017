"""Parameters into a notebook, as papermill puts them, and out of it again.

After the first cell tagged `parameters`, else at the top, stands a code cell tagged
`injected-parameters` that assigns each of them. Pure functions over nbformat-4 JSON; the engine
and the composer of the executed notebook both inject, and so see the same cells. Runs in the
user's own interpreter: standard library, Python 3.8.
"""

from __future__ import annotations

import keyword
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

PARAMETERS = "parameters"
INJECTED = "injected-parameters"

_FIRST_WITH_IDS = 5  # nbformat_minor


def inject(notebook: dict[str, Any], params: Mapping[str, Any], source: str = "") -> dict[str, Any]:
    """A new notebook with the parameters in it; without parameters, with the same cells.

    Args:
        notebook: nbformat-4 JSON; it is not changed.
        params: JSON values, NaN and the infinities among them.
        source: of the injected cell, where that is ready-made: for a language other than Python.

    Raises:
        ValueError: the notebook is not in Python, or a name or a value can't be written in it.
    """
    cells = list(notebook.get("cells", []))
    if params:
        before, after = _around(cells)
        source = source or _in_python(params, notebook)
        cells = [*before, _injected_cell(source, notebook, [*before, *after]), *after]
    return {**notebook, "cells": cells}


def code_cells(notebook: Mapping[str, Any]) -> list[int]:
    """The indexes of the code cells."""
    cells = notebook.get("cells", [])
    return [index for index, cell in enumerate(cells) if cell.get("cell_type") == "code"]


def source_of(cell: Mapping[str, Any]) -> str:
    """A cell's source, which nbformat allows to be a text or a list of lines."""
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(source)


def tags_of(cell: Mapping[str, Any]) -> list[str]:
    """A cell's tags."""
    return list((cell.get("metadata") or {}).get("tags") or ())


def literal(value: Any) -> str:
    """The Python expression for a JSON value.

    Raises:
        ValueError: it is none.
    """
    if value is None or isinstance(value, (bool, int, str)):
        return repr(value)
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else f'float("{value!r}")'
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(literal, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{literal(k)}: {literal(v)}' for k, v in value.items())}}}"
    raise ValueError(f"a parameter can be what JSON can hold, not a {type(value).__name__}")


def name_of(name: str) -> str:
    """The name itself.

    Raises:
        ValueError: no variable can be called so.
    """
    if not name.isidentifier() or keyword.iskeyword(name):
        raise ValueError(f"{name!r} can't be the name of a parameter: Python has no such names")
    return name


def _in_python(params: Mapping[str, Any], notebook: Mapping[str, Any]) -> str:
    metadata = notebook.get("metadata") or {}
    kernelspec, info = metadata.get("kernelspec") or {}, metadata.get("language_info") or {}
    language = kernelspec.get("language") or info.get("name") or "python"
    if language.lower() not in ("python", "ipython"):
        raise ValueError(
            f"parameters are only injected into Python notebooks, and this one is in {language}; "
            "run it without -p, and read RUN_NUMBER and SEED from the environment"
        )
    lines = [f"{name_of(name)} = {literal(value)}" for name, value in params.items()]
    return "\n".join(["# Parameters", *lines])


def _around(cells: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The cells before and after the place of the injected one, without an earlier one."""
    injected = _first_tagged(cells, INJECTED)
    if injected is not None:
        return cells[:injected], cells[injected + 1 :]
    tagged = _first_tagged(cells, PARAMETERS)
    at = 0 if tagged is None else tagged + 1
    return cells[:at], cells[at:]


def _first_tagged(cells: list[dict[str, Any]], tag: str) -> int | None:
    return next((index for index, cell in enumerate(cells) if tag in tags_of(cell)), None)


def _injected_cell(
    source: str, notebook: Mapping[str, Any], others: list[dict[str, Any]]
) -> dict[str, Any]:
    cell: dict[str, Any] = {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {"tags": [INJECTED]},
        "outputs": [],
        "source": source,
    }
    if notebook.get("nbformat_minor", 0) >= _FIRST_WITH_IDS:
        cell["id"] = _free_id({other.get("id") for other in others})
    return cell


def _free_id(taken: set[str | None]) -> str:
    number, found = 1, INJECTED
    while found in taken:
        number += 1
        found = f"{INJECTED}-{number}"
    return found
