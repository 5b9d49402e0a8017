"""How each engine is started, and what of nbbg goes along into the user's interpreter."""

from __future__ import annotations

from pathlib import Path

from nbbg import paths, process
from nbbg.errors import UsageError

NAMES = ("ipython", "kernel", "plain")
TEMPLATE = "nbbg.template"
PACKAGE = Path(__file__).parents[1]
_GUEST = (
    "__init__.py",
    "faults.py",
    "files.py",
    "holding.py",
    "holes.py",
    "journal.py",
    "paths.py",
    "patterns.py",
    "secrets.py",
    "stacks.py",
    "unattended.py",
    "notebook/__init__.py",
    "notebook/injection.py",
    "engines/__init__.py",
    "engines/packets.py",
    "engines/spec.py",
)
_GUEST_FOLDERS = ("inside", "engines/ipython")
_START = b"""import os
import sys

room = os.statvfs(os.path.dirname(os.path.abspath(__file__)))
if room.f_bavail * room.f_frsize < 16 << 20:
    sys.dont_write_bytecode = True  # Python keeps, and later trusts, what a full disk has cut

from nbbg.engines.ipython import main

sys.exit(main(sys.argv))
"""


def argv(engine: str, python: str, batch: Path, attempt: Path, script: str = "") -> list[str]:
    """The program of an engine, for one attempt.

    Args:
        engine: its name.
        python: the run's interpreter.
        batch: the batch's folder.
        attempt: the attempt's folder.
        script: of the `plain` engine, relative to the batch.

    Raises:
        UsageError: no such engine.
    """
    match engine:
        case "ipython":
            return [python, "-u", str(batch / paths.GUEST), str(attempt)]
        case "kernel":
            return process.own_program("nbbg.engines.kernel", str(attempt))
        case "plain":
            return [python, "-u", str(batch / script)]
        case _:
            message = f"there is no engine {engine!r}; there are: {', '.join(NAMES)}"
            raise UsageError(message)


def template_argv(python: str, batch: Path) -> list[str]:
    """The program that the runs of a batch in an interpreter are forked from.

    Its forks take the place of its words in the process table, which need room.
    """
    room = "." * (len(str(batch)) + 200)
    return [python, "-u", str(batch / paths.GUEST), TEMPLATE, room]


def guest_files() -> list[str]:
    """The modules, relative to the package, that run in the user's own interpreter."""
    inside = (
        path.relative_to(PACKAGE).as_posix()
        for folder in _GUEST_FOLDERS
        for path in sorted((PACKAGE / folder).glob("*.py"))
    )
    return [*_GUEST, *inside]


def twins() -> dict[str, bytes]:
    """What has runs import from the frozen tree: name in the batch's folder -> content."""
    return {f"{paths.TWINS}/sitecustomize.py": (PACKAGE / "inside" / "twins.py").read_bytes()}


def guest() -> dict[str, bytes]:
    """What a batch carries of nbbg: name in the batch's folder -> content."""
    package = f"{paths.GUEST}/nbbg"
    content = {f"{package}/{name}": (PACKAGE / name).read_bytes() for name in guest_files()}
    return {f"{paths.GUEST}/__main__.py": _START, **content}
