"""The looks of a batch that runs until it is decided: when the next is due, and how it is taken.

A look is taken by a child process, `python -m nbbg.results.looking`, since it needs NumPy and
SciPy: a supervisor lives for days and stays small. What the child could not do is tried again a
few times; then, or at once where it refuses, the batch is stopped with its sentence.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from nbbg import process
from nbbg.store import batches, looks

if TYPE_CHECKING:
    from pathlib import Path

    from nbbg import model

PROGRAM = "nbbg.results.looking"
DONE, REFUSED, NOT_YET = 0, 2, 3  # exit codes of the child
SEVERAL_FAULTS = 3  # in a row, until it gives up
LONGEST = 600.0  # seconds that a look may take
NAP = 0.5  # seconds before it is tried again


class Looks:
    """The looks of one batch, as its supervisor sees them; of most batches there are none."""

    def __init__(self, folder: Path, batch: model.Batch) -> None:
        self.folder, self.batch = folder, batch
        self.faults = 0

    def standing(self) -> tuple[int, float]:
        """The last run before the next look, and when the batch was decided; 0 for neither."""
        if self.batch.until is None:
            return 0, 0.0
        taken = looks.taken(self.folder, self.batch.until)
        if taken and taken[-1].over:
            return 0, taken[-1].at
        return self.batch.last_before(len(taken) + 1), 0.0

    def take(self) -> None:
        """Have the next look taken."""
        assert self.batch.until is not None  # noqa: S101 - else there is nothing to look at
        number = len(looks.taken(self.folder, self.batch.until)) + 1
        code, said = process.ask(PROGRAM, "look", str(self.folder), str(number), seconds=LONGEST)
        if code == DONE:
            self.faults = 0
            return
        if code != NOT_YET:
            self._note_fault(number, said, gives_up=code == REFUSED)
        time.sleep(NAP)

    def _note_fault(self, number: int, said: str, *, gives_up: bool) -> None:
        print(f"look {number}: {said}", file=sys.stderr)  # noqa: T201 - stderr is supervisor.log
        self.faults += 1
        if gives_up or self.faults >= SEVERAL_FAULTS:
            lines = said.strip().splitlines() or ["its process ended without a word"]
            why = lines[0] if gives_up else lines[-1]
            batches.ask_to_stop(self.folder, f"look {number}: {why}", after_run=True)
            self.faults = 0
