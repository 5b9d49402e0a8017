"""What the runner tells this engine: `engine.json`, and the code cells of the notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbbg import files
from nbbg.classes import dataclass
from nbbg.engines import spec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbbg.engines.spec import Cell


@dataclass(frozen=True)
class Task:
    """One attempt's work."""

    attempt: str  # its folder, absolute
    cells: Sequence[Cell]
    python: str  # interpreter; empty for another language
    kernel: str  # name of a kernelspec, where there is no `python`
    guest: str  # the folder with what of nbbg the kernel can import
    held: Sequence[int]  # descriptors: the attempt's lock, its slots
    results: Sequence[str]  # names of variables to keep
    allow_errors: bool = False  # whether the notebook goes on after a cell that raised

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
    return Task(
        attempt,
        spec.read_cells(given),
        python=given.python,
        kernel=given.kernel,
        guest=given.guest,
        held=(given.lock_fd, *given.slot_fds),
        results=given.results,
        allow_errors=given.allow_errors,
    )
