"""An `.ipynb` read with json alone, checked as far as a run depends on it, and written back.

`import nbformat` takes up to a second, so it is asked only for nbformat 3 and older. What is wrong
is said with the place in the file: line and column where it is no JSON, the path inside
(`cells[3].source`) where it is no notebook.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

from nbbg.errors import NotebookError
from nbbg.notebook import userfiles
from nbbg.notebook.userfiles import shown

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from nbbg.notebook.userfiles import UserFile

MAJOR = 4
CELL_TYPES = ("code", "markdown", "raw")
LAYOUT = ("lines_to_next_cell", "lines_to_end_of_cell_marker")  # what jupytext notes in a cell
_KINDS = {dict: "an object", list: "a list", str: "a string", bool: "true or false"}
_INDENT = re.compile(r"[\[{]\r?\n([ \t]+)")
_last: list[tuple[UserFile, bool, dict[str, Any]]] = []  # one at most: the notebook in work


def read(path: Path, *, upgrade: bool = True) -> tuple[UserFile, dict[str, Any]]:
    """A notebook that must be there; one that was read just now, and is the same, is not parsed.

    Raises:
        NotebookError: as `parse` raises it, or the file can't be read.
    """
    file = userfiles.read(path)
    for before, how, notebook in _last:
        if (file, upgrade) == (before, how):
            return file, notebook
    _last.clear()
    notebook = parse(userfiles.wanted(file), path, upgrade=upgrade)
    _last.append((file, upgrade, notebook))
    return file, notebook


def forget() -> None:
    """Let go of the notebook that was read last."""
    _last.clear()


def parse(text: str, path: Path, *, upgrade: bool = True) -> dict[str, Any]:
    """A notebook in nbformat 4, whatever the version of the file.

    Args:
        text: content of the file.
        path: where it came from, for messages.
        upgrade: whether nbformat 3 and older are converted; what is written back must not be.

    Returns:
        The notebook with all that was in it; each source is one string.

    Raises:
        NotebookError: it is no JSON, or no notebook, or of a newer format.
    """
    notebook = _json(text, path)
    version = _version(notebook, path)
    if version < MAJOR and not upgrade:
        raise NotebookError(
            f"{shown(path)}: is in nbformat {version}, and a pair needs {MAJOR};"
            " save it in Jupyter first"
        )
    if version < MAJOR:
        notebook = _upgraded(notebook, version, path)
    _check(notebook, path)
    return notebook


def dump(notebook: dict[str, Any], like: str | None = None) -> str:
    """The text of a notebook, laid out as Jupyter does, or as in the file that it replaces."""
    cells = [
        {**cell, "source": cell["source"].splitlines(keepends=True)} for cell in notebook["cells"]
    ]
    found = _INDENT.match(like) if like else None
    text = json.dumps(
        {**notebook, "cells": cells},
        indent=found[1] if found else 1,
        ensure_ascii=bool(like and like.isascii() and "\\u" in like),
    )
    return text + ("" if like and not like.endswith("\n") else "\n")


def code(notebook: dict[str, Any]) -> list[str]:
    """The sources of the code cells that do something, so that two notebooks can be compared.

    Line ends and blank lines at the end are left out, since a script can't tell them apart.
    """
    return [source for source in code_cells(notebook) if source]


def code_cells(notebook: dict[str, Any]) -> list[str]:
    """The source of each code cell, comparable with that of another notebook."""
    return [comparable(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]


def comparable(source: str) -> str:
    """A source without what jupytext can't keep: the kind of line end, space at the end."""
    return source.replace("\r\n", "\n").rstrip()


def add_ids(cells: list[dict[str, Any]]) -> None:
    """Give each cell without an id one that is made from its place and source, not by chance."""
    used = {str(cell["id"]) for cell in cells if "id" in cell}
    for index, cell in enumerate(cells):
        if "id" not in cell:
            cell["id"] = made_up_id(index, cell["source"], used)
            used.add(cell["id"])


def made_up_id(index: int, source: str, used: AbstractSet[str]) -> str:
    """An id that is none of those used."""
    digest = hashlib.sha256(f"{index}:{source}".encode("utf-8", "surrogatepass")).hexdigest()
    return next(made for start in range(48) if (made := digest[start : start + 8]) not in used)


def _json(text: str, path: Path) -> dict[str, Any]:
    try:
        notebook = json.loads(text)
    except json.JSONDecodeError as error:
        raise NotebookError(_no_json(text, path, error)) from None
    except (ValueError, RecursionError) as error:
        raise NotebookError(f"{shown(path)}: is no notebook: {error}") from None
    if not isinstance(notebook, dict):
        raise NotebookError(
            f"{shown(path)}: is no notebook: it holds {_kind(notebook)}, not an object"
        )
    return notebook


def _no_json(text: str, path: Path, error: json.JSONDecodeError) -> str:
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith(("<<<<<<< ", ">>>>>>> ")):
            return f"{shown(path)}:{number}: holds an unfinished git merge; resolve it first"
    where = f"{shown(path)}:{error.lineno}:{error.colno}"
    if not text[error.pos :].strip():
        return f"{where}: is cut off: {error.msg}"
    return f"{where}: is not the JSON of a notebook: {error.msg}"


def _version(notebook: dict[str, Any], path: Path) -> int:
    version = notebook.get("nbformat")
    if version is None and not {"cells", "worksheets"} & notebook.keys():
        raise NotebookError(f"{shown(path)}: is JSON, but no notebook: it has no `cells`")
    if type(version) is not int or version < 1:
        raise NotebookError(_must(path, "nbformat", "a whole number", version))
    if version > MAJOR:
        raise NotebookError(
            f"{shown(path)}: is in nbformat {version}, and nbbg reads {MAJOR} and older; "
            f"save it as nbformat {MAJOR}, or update nbbg"
        )
    return version


def _upgraded(notebook: dict[str, Any], version: int, path: Path) -> dict[str, Any]:
    import nbformat
    from nbformat import reader

    try:
        old = reader.reads(json.dumps(notebook))
        new: dict[str, Any] = json.loads(json.dumps(nbformat.convert(old, MAJOR)))
    except Exception as error:  # noqa: BLE001 - it raises whatever a malformed notebook leads to
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise NotebookError(
            f"{shown(path)}: nbformat {version} can't be converted: {reason}"
        ) from None
    return new


def _check(notebook: dict[str, Any], path: Path) -> None:
    """Check the types that a run depends on, and make each source one string."""
    cells = notebook.get("cells")
    if cells is None:
        raise NotebookError(f"{shown(path)}: is no notebook: it has no `cells`")
    if not isinstance(cells, list):
        raise NotebookError(_must(path, "cells", "a list", cells))
    _object(notebook, "metadata", path, "")
    minor = notebook.setdefault("nbformat_minor", 0)
    if not isinstance(minor, int):
        raise NotebookError(_must(path, "nbformat_minor", "a whole number", minor))
    for key in ("kernelspec", "language_info"):
        if notebook["metadata"].get(key) is not None:
            _object(notebook["metadata"], key, path, "metadata.")
    for index, cell in enumerate(cells):
        _check_cell(cell, f"cells[{index}]", path)


def _check_cell(cell: Any, place: str, path: Path) -> None:
    if not isinstance(cell, dict):
        raise NotebookError(_must(path, place, "an object", cell))
    kind = cell.get("cell_type")
    if kind not in CELL_TYPES:
        raise NotebookError(_must(path, f"{place}.cell_type", " or ".join(CELL_TYPES), kind))
    source = cell.get("source")
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str):
        raise NotebookError(_must(path, f"{place}.source", "a string or a list of strings", source))
    cell["source"] = source
    _object(cell, "metadata", path, f"{place}.")


def _object(holder: dict[str, Any], key: str, path: Path, prefix: str) -> None:
    if not isinstance(holder.setdefault(key, {}), dict):
        raise NotebookError(_must(path, f"{prefix}{key}", "an object", holder[key]))


def _must(path: Path, place: str, wanted: str, value: Any) -> str:
    found = "missing" if value is None else _kind(value)
    if isinstance(value, str) and len(value) < 40:  # noqa: PLR2004 - what fits into the sentence
        found = repr(value)
    return f"{shown(path)}: is no notebook: `{place}` must be {wanted}, and is {found}"


def _kind(value: Any) -> str:
    return _KINDS.get(type(value), "null" if value is None else "a number")
