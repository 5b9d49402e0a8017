"""A notebook that proves what it does, in files of its own: start, each output, end.

A line of proof is written, and fsynced, after the output that it speaks of has come back, so what
it says must be in the records, whatever was killed since. That no other process executes the same
run number is proved by a lock of the kernel, which ends with its holder.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.project import notebook

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

PROOFS = "proofs"
NAME = "train.ipynb"
TOKEN = re.compile(r"<(\d+\.\d+)>")
_BEGINS = """\
import fcntl, os, time

number = int(os.environ["RUN_NUMBER"])
mine = os.environ["NBBG_RUN_ID"] + "-" + os.environ["NBBG_ATTEMPT"]
proof = os.open("proofs/" + mine, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

def prove(what):
    os.write(proof, what.encode() + b"\\n")
    os.fsync(proof)

prove(f"start {os.getpid()}")
arm = os.environ["NBBG_ARM"].replace("/", "-")
alone = os.open(f"proofs/{arm}-{number}.lock", os.O_RDWR | os.O_CREAT, 0o600)
for _ in range(50):
    try:
        fcntl.flock(alone, fcntl.LOCK_EX | fcntl.LOCK_NB)
        break
    except BlockingIOError:  # of an attempt that has been killed this very moment
        time.sleep(0.01)
else:
    prove("twice")
"""
_PRINTS = """\
for step in range(STEPS):
    print(f"<CELL.{step}>")
    prove(f"out CELL.{step}")
    time.sleep(PAUSE * (1 + number % 3))
"""
CELLS, STEPS = 3, 6


def content(pause: float = 0.04) -> dict[str, Any]:
    """The notebook; of its cells, `CELLS` print `STEPS` lines each.

    Args:
        pause: seconds after a line; a run takes one to three times that for each.
    """
    prints = _PRINTS.replace("STEPS", str(STEPS)).replace("PAUSE", str(pause))
    cells = [prints.replace("CELL", str(cell)) for cell in range(1, CELLS + 1)]
    return notebook("x = 0", _BEGINS, *cells, 'prove("end")', parameters="arm = 0")


class Proof:
    """What an attempt has proved so far.

    Args:
        root: the project.
        run: its id.
        attempt: its number.
    """

    def __init__(self, root: Path, run: int, attempt: int) -> None:
        path = root / PROOFS / f"{run}-{attempt}"
        self.lines = path.read_text().splitlines() if path.exists() else []

    @property
    def starts(self) -> int:
        """How often it was begun."""
        return sum(line.startswith("start ") for line in self.lines)

    @property
    def shown(self) -> list[str]:
        """What had been printed, in order."""
        return [line.removeprefix("out ") for line in self.lines if line.startswith("out ")]

    @property
    def ended(self) -> bool:
        """Whether its last cell was executed."""
        return "end" in self.lines

    @property
    def twice(self) -> bool:
        """Whether its run number was at work elsewhere meanwhile."""
        return "twice" in self.lines
