"""Any input as one nbformat-4 notebook without outputs: what is frozen at launch and then run.

An `.ipynb` is read with json alone. A `.py` is read through jupytext, and its comments stay
comments: they become commands again (`# !ls`, which jupytext had to comment out) only where the
notebook that the script is paired with has the same code.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from nbbg.classes import dataclass, field
from nbbg.errors import NotebookError
from nbbg.notebook import formats, ipynb, userfiles
from nbbg.notebook.userfiles import NOTEBOOK, SCRIPT

MINOR_WITH_IDS = 5
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_OF_A_RUN = frozenset({"widgets", "jupytext", "papermill"})  # in the notebook's metadata
_OF_A_CELLS_RUN = frozenset({"execution", "ExecuteTime", "papermill", *ipynb.LAYOUT})
_PYTHON = frozenset({"python", "python3", "ipython", "ipython3"})


@dataclass(frozen=True)
class Document:
    """A notebook as it is run.

    Its notebook is nbformat 4.5 or later: each source one string, each cell with an id, no outputs,
    and without the metadata of earlier runs and of jupytext, since what a run writes is no pair.
    """

    path: Path
    notebook: dict[str, Any] = field(repr=False)
    language: str  # such as python, R, julia; empty where nothing says so
    kernel: str  # name of its kernelspec, or empty
    source_hash: str  # of the code alone: not of markdown, metadata or outputs
    note: str = ""  # a sentence that the person should see, or empty


def load(path: Path) -> Document:
    """Read a notebook or script.

    Raises:
        NotebookError: it is not there, can't be read, or is no notebook; with the place.
    """
    note = ""
    if path.suffix == NOTEBOOK or not path.is_file():
        notebook = ipynb.parse(userfiles.wanted(userfiles.read(path)), path)
    elif path.suffix == SCRIPT:
        notebook, note = _from_script(path)
    else:
        raise NotebookError(f"{path}: is neither an .ipynb nor a .py")
    notebook = _whole(_stripped(notebook))
    kernel, language = _text(notebook, "kernelspec", "name"), language_of(notebook)
    return Document(path, notebook, language, kernel, source_hash(notebook), note)


def resolve(name: str) -> Path:
    """The notebook that a name means; `train` means train.ipynb or train.py.

    Raises:
        NotebookError: there is none, or there are two that are no pair.
    """
    path = Path(name)
    if path.suffix in (NOTEBOOK, SCRIPT) or path.is_file():
        return path
    found = [place for suffix in (NOTEBOOK, SCRIPT) if (place := Path(name + suffix)).is_file()]
    if not found and path.is_dir():
        return path
    if not found:
        raise NotebookError(userfiles.missing(path))
    if len(found) > 1 and not _are_paired(*found):
        raise NotebookError(
            f"{name}: both {found[0]} and {found[1]} are there, and they are not paired; name one"
        )
    return found[0]


def source_hash(notebook: dict[str, Any]) -> str:
    """A hash of the code, the same for both sides of a pair; cells without code don't count."""
    code = "\0".join(ipynb.code(notebook))
    return hashlib.sha256(code.encode("utf-8", "surrogatepass")).hexdigest()


def language_of(notebook: dict[str, Any]) -> str:
    """The language as the notebook or its kernel says it; python where nothing says anything."""
    kernel = _text(notebook, "kernelspec", "name")
    found = _text(notebook, "language_info", "name") or _text(notebook, "kernelspec", "language")
    if not found and kernel and kernel not in _PYTHON:
        from nbbg.notebook import kernelspecs

        spec = kernelspecs.find(kernel)
        return _plain(spec.language) if spec else ""
    return _plain(found or "python")


def _from_script(path: Path) -> tuple[dict[str, Any], str]:
    from nbbg.notebook import commands, scripts

    notebook, note = commands.decided(scripts.read(path))
    for cell in notebook["cells"]:
        del cell["id"]  # jupytext throws dice
    return notebook, note


def _are_paired(book: Path, script: Path) -> bool:

    text = userfiles.wanted(userfiles.read(book))
    pair = formats.pair_of(book, ipynb.parse(text, book))
    return pair is not None and any(script.samefile(place) for place, _ in pair.texts)


def _stripped(notebook: dict[str, Any]) -> dict[str, Any]:
    metadata = {key: value for key, value in notebook["metadata"].items() if key not in _OF_A_RUN}
    return {
        **notebook,
        "nbformat_minor": max(notebook["nbformat_minor"], MINOR_WITH_IDS),
        "metadata": metadata,
        "cells": _with_ids([_bare(cell) for cell in notebook["cells"]]),
    }


def _whole(notebook: dict[str, Any]) -> dict[str, Any]:
    """Without halves of surrogate pairs, which JSON can hold and no file or process can."""
    text = json.dumps(notebook, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode(errors="replace").decode()
    whole: dict[str, Any] = json.loads(text)
    return whole


def _bare(cell: dict[str, Any]) -> dict[str, Any]:
    metadata = {key: value for key, value in cell["metadata"].items() if key not in _OF_A_CELLS_RUN}
    if cell["cell_type"] != "code":
        return {**cell, "metadata": metadata}
    return {**cell, "metadata": metadata, "outputs": [], "execution_count": None}


def _with_ids(cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each cell with a unique id: its own, or one made from its place and source."""
    used: set[str] = set()
    result = []
    for index, cell in enumerate(cells):
        own = cell.get("id")
        if not isinstance(own, str) or not _ID.fullmatch(own) or own in used:
            own = ipynb.made_up_id(index, cell["source"], used)
        used.add(own)
        result.append({"id": own, **cell} | {"id": own})
    return result


def _plain(language: str) -> str:
    return "python" if language.lower() in _PYTHON else language


def _text(notebook: dict[str, Any], section: str, key: str) -> str:
    """A string in the notebook's metadata, or nothing where somebody put something else."""
    values = notebook["metadata"].get(section)
    value = values.get(key) if isinstance(values, dict) else None
    return value if isinstance(value, str) else ""
