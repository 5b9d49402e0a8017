"""`--scratch`: a folder on a disk of the machine that a run works on, for what it writes much.

Each attempt has one of its own. When the engine has ended, however that was, what is in it is
brought into the attempt's folder, whole or not at all, and before the result; what can't be brought
stays where it is, and the run says so. Records, log and checkpoints are never there: they must
outlive the machine.
"""

from __future__ import annotations

import os
from collections import ChainMap
from typing import TYPE_CHECKING, Any

from nbbg import files, paths, process
from nbbg.errors import EnvironmentFault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


def make(template: str, attempt: Path, environment: Mapping[str, str]) -> str:
    """Make the attempt's folder in what the setting names; variables are those of the machine.

    Raises:
        EnvironmentFault: a variable is not set there, or the folder can't be made.
    """
    known = ChainMap(dict(environment), dict(os.environ))
    parent = _expanded(template, known)
    name = f"nbbg-{attempt.parent.name}-{attempt.name}-{os.urandom(4).hex()}"
    if not os.path.isabs(parent):
        raise EnvironmentFault(f"--scratch {template}: there is no such place on {process.host()}")
    made = os.path.join(parent, name)
    try:
        os.makedirs(parent, exist_ok=True)
        os.mkdir(made, files.FOLDER_MODE)
    except OSError as error:
        message = f"--scratch {template}: {made} on {process.host()}: {error.strerror}"
        raise EnvironmentFault(message) from error
    return made


def bring(scratch: str, attempt: Path, record: dict[str, Any]) -> dict[str, Any]:
    """Bring what is there, and remove it; the record says what can't be.

    Args:
        scratch: what `make` has made; empty where there is none.
        attempt: the folder that gets it.
        record: how the attempt ended.
    """
    if not scratch:
        return record
    import shutil  # which few runs need, and which brings three kinds of compression along

    try:
        if os.listdir(scratch):
            _bring(scratch, attempt)
        shutil.rmtree(scratch, ignore_errors=True)
    except OSError as error:
        left = f"{scratch} is left on {process.host()}: {_why(error)}"
        notes = "; ".join(filter(None, (record.get("note"), left)))
        return {**record, "scratch": left, **({"note": notes} if "note" in record else {})}
    return record


def _bring(scratch: str, attempt: Path) -> None:
    import shutil

    incoming = attempt / f".{paths.SCRATCH}"
    shutil.rmtree(incoming, ignore_errors=True)
    try:
        shutil.copytree(scratch, incoming, symlinks=True)
        files.fsync_all(_tree(incoming))  # for the original is removed
    except (OSError, shutil.Error):
        shutil.rmtree(incoming, ignore_errors=True)  # the result may need the room
        raise
    incoming.rename(attempt / paths.SCRATCH)
    files.fsync_folder(attempt)


def _tree(folder: Path) -> Iterator[str]:
    """The folders and the files in it; links lie in their folders."""
    for root, _, names in os.walk(folder):
        found = (os.path.join(root, name) for name in names)
        yield from (root, *(path for path in found if not os.path.islink(path)))


def _expanded(template: str, known: Mapping[str, str]) -> str:
    """With its variables filled in; empty where one of them is not set."""
    from string import Template

    try:
        return os.path.expanduser(Template(template).substitute(known))
    except (KeyError, ValueError):
        return ""


def _why(error: Exception) -> str:
    """The first cause, of the many that a tree may have."""
    several = error.args[0] if error.args else None
    return str(several[0][-1]) if isinstance(several, list) and several else str(error)
