"""What the runner tells this engine: `engine.json`, and the code cells of the notebook."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbbg import files, paths
from nbbg.notebook import injection

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SKIP = "skip-execution"
MAY_RAISE = "raises-exception"


@dataclass(frozen=True)
class Cell:
    """A code cell of the executed notebook."""

    index: int
    ordinal: int  # among the code cells, from 1
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


@dataclass(frozen=True)
class Task:
    """One attempt's work."""

    attempt: str  # its folder, absolute
    cells: Sequence[Cell]
    python: str  # interpreter; empty for another language
    kernel: str  # name of a kernelspec, where there is no `python`
    guest: str  # the folder with what of nbbg the kernel can import
    lock: int  # descriptor
    results: Sequence[str]  # names of variables to keep

    @property
    def origin(self) -> str:
        """The kernel, for messages."""
        return f"the kernel of {self.python}" if self.python else f"the kernel {self.kernel!r}"


def read(attempt: str) -> Task:
    """The attempt's work.

    Args:
        attempt: its folder, absolute.

    Raises:
        OSError, ValueError, KeyError: it can't be read.
    """
    with files.Folder(attempt) as folder:
        given = json.loads(folder.read(paths.ENGINE) or b"{}")
    return Task(
        attempt,
        _cells(given),
        *(given[name] for name in ("python", "kernel", "guest", "lock_fd", "results")),
    )


def _cells(given: Mapping[str, Any]) -> list[Cell]:
    frozen = json.loads(Path(given["notebook"]).read_bytes())
    notebook = injection.inject(frozen, given["params"])
    cells = notebook["cells"]
    return [
        Cell(index, ordinal, injection.source_of(cells[index]), injection.tags_of(cells[index]))
        for ordinal, index in enumerate(injection.code_cells(notebook), start=1)
    ]
