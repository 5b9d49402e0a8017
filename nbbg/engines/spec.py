"""What the runner tells an engine, `engine.json`, and the notebook that it names.

Runs in the user's own interpreter: standard library, Python 3.8.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Mapping, NamedTuple, Sequence

from nbbg import paths
from nbbg.notebook import injection

if TYPE_CHECKING:
    from nbbg import files

SKIP = "skip-execution"
MAY_RAISE = "raises-exception"


class Spec(NamedTuple):
    """The fields of `engine.json`."""

    notebook: str  # the frozen one, absolute
    path: str  # the notebook's own, for messages
    params: Mapping[str, Any]
    lock_fd: int
    results: Sequence[str]  # names of variables to keep
    guest: str  # the folder with what of nbbg the user's interpreter can import
    python: str  # interpreter; empty for another language
    kernel: str  # name of a kernelspec, where there is no `python`
    allow_errors: bool = False  # whether the notebook goes on after a cell that raised
    slot_fds: Sequence[int] = ()  # held like the lock
    injected: str = ""  # source of the cell with the parameters; empty for Python
    note_modules: bool = False  # whether to say at the end which modules are loaded


class Cell(NamedTuple):
    """A code cell; `ordinal` counts the code cells from 1."""

    position: int  # among all cells
    ordinal: int
    source: str
    tags: Sequence[str]

    @property
    def idle(self) -> bool:
        """Whether there is nothing to execute."""
        return SKIP in self.tags or not self.source.strip()

    @property
    def may_raise(self) -> bool:
        """Whether the notebook goes on after an exception in it."""
        return MAY_RAISE in self.tags


def read(folder: files.Folder) -> Spec:
    """The attempt's `engine.json`.

    Raises:
        FileNotFoundError: there is none.
        ValueError, KeyError: it is no such file.
    """
    found = folder.read_json(paths.ENGINE)
    if found is None:
        raise FileNotFoundError(f"{folder.path} is no attempt's folder: no {paths.ENGINE} in it")
    needed = (name for name in Spec._fields if name in found or name not in Spec._field_defaults)
    return Spec(**{name: found[name] for name in needed})


def read_cells(spec: Spec) -> list[Cell]:
    """The code cells of the notebook, injected parameters included.

    Raises:
        OSError, ValueError: the notebook or its parameters can't be read.
    """
    with open(spec.notebook, "rb") as file:
        notebook = injection.inject(json.load(file), spec.params, spec.injected)
    cells = notebook["cells"]
    return [
        Cell(index, ordinal, injection.source_of(cells[index]), injection.tags_of(cells[index]))
        for ordinal, index in enumerate(injection.code_cells(notebook), start=1)
    ]
