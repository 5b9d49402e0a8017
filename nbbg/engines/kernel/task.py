"""What the runner tells this engine: `engine.json`, and the code cells of the notebook."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbbg import files, paths
from nbbg.engines.ipython import spec

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Task:
    """One attempt's work."""

    attempt: str
    given: spec.Spec
    python: str  # empty for another language
    kernel: str  # name of a kernelspec, where there is no `python`
    cells: Sequence[spec.Cell]

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
        given = spec.read(folder)
        found = folder.read_json(paths.ENGINE)
    return Task(attempt, given, found["python"], found["kernel"], spec.read_cells(given))
