"""The steps at which a test may have a process killed: before and after each write that matters.

Outside a test `step` is a function that does nothing. `NBBG_FAULTS` names a folder; where that has
a file named after a step, such as `before result.json`, the first process that comes to the step
takes the file away and sends itself the signal whose number is in it. So one fault hits one
process, and a test can lay out the next at any time. Where the folder has a file `passed`, all
steps are noted in it. This module also runs in the user's own interpreter: standard library,
Python 3.8.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "NBBG_FAULTS"
PASSED = "passed"
FIRED = (
    "fired"  # the folder into which a fault goes when it strikes, as `PID STEP`, with who it was
)


def armed(folder: str) -> Callable[[str, str], None]:
    """What a process does at each step, where that folder holds its faults."""

    def come_to(when: str, what: str) -> None:
        name = f"{when} {what}"
        with contextlib.suppress(OSError):
            _note(f"{folder}/{PASSED}", name)
        struck = f"{folder}/{FIRED}/{os.getpid()} {name}"
        with contextlib.suppress(OSError, ValueError):
            os.rename(f"{folder}/{name}", struck)
            with open(struck, "r+b") as file:
                number = int(file.read())
                file.write(os.fsencode(f"\n{_who()}"))
            os.kill(os.getpid(), number)

    return come_to


def _nothing(when: str, what: str) -> None:
    """No test is under way."""


def _who() -> str:
    """Which program this is, and of which attempt."""
    run, attempt = os.environ.get("NBBG_RUN_DIR", ""), os.environ.get("NBBG_ATTEMPT", "")
    return f"{os.path.join(run, attempt)} {' '.join(sys.argv)}"


def _note(passed: str, name: str) -> None:
    fd = os.open(passed, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    try:
        os.write(fd, name.encode("utf-8", "surrogateescape") + b"\n")
    finally:
        os.close(fd)


step = armed(os.environ[NAME]) if os.environ.get(NAME) else _nothing
