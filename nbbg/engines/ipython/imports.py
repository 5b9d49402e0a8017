"""What a notebook imports, by the statements at the top level of its cells: for warm starts."""

from __future__ import annotations

import ast
import contextlib
import json
from typing import TYPE_CHECKING, Any

from nbbg.notebook import injection

if TYPE_CHECKING:
    from collections.abc import Iterator


def of(notebook: str) -> list[str]:
    """The modules, in their order; `from a import b` may mean `a.b` too.

    Args:
        notebook: path of nbformat-4 JSON; one that can't be read imports nothing.
    """
    cells: list[dict[str, Any]] = []
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError), open(
        notebook, "rb"
    ) as file:
        found = json.load(file)
        cells = [found["cells"][index] for index in injection.code_cells(found)]
    names = (name for cell in cells for name in _of_cell(injection.source_of(cell)))
    return list(dict.fromkeys(names))


def _of_cell(source: str) -> Iterator[str]:
    """Where a cell is not Python alone, the lines that are an import each are."""
    try:
        statements = ast.parse(source).body
    except (SyntaxError, ValueError):
        statements = []
        for line in source.splitlines():
            if line.startswith(("import ", "from ")):
                with contextlib.suppress(SyntaxError, ValueError):
                    statements += ast.parse(line).body
    for each in statements:
        if isinstance(each, ast.Import):
            yield from (alias.name for alias in each.names)
        elif isinstance(each, ast.ImportFrom) and each.module and not each.level:
            yield each.module
            yield from (f"{each.module}.{alias.name}" for alias in each.names if alias.name != "*")
