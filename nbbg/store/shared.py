"""The folder that all batches of a user share on this machine, for the locks of their slots."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from nbbg import files, process
from nbbg.errors import EnvironmentFault
from nbbg.store import filesystem

if TYPE_CHECKING:
    from collections.abc import Mapping

_OTHERS = 0o077
_ELSE = "no slots can be kept there\nset XDG_STATE_HOME to a folder on a disk of this machine"


def folder(environment: Mapping[str, str]) -> Path:
    """The folder, made if need be: under XDG's state folder, which outlives a logout.

    On a network file system locks can't be trusted: it is in /tmp then, and must be the user's.

    Raises:
        EnvironmentFault: there is no such place.
    """
    home = environment.get("HOME") or Path.home()
    state = environment.get("XDG_STATE_HOME") or Path(home, ".local", "state")
    path = Path(state, "nbbg", "slots", process.host())
    with contextlib.suppress(OSError):
        files.make_folder(path)
        usable = files.is_own(path) and os.access(path, os.W_OK)
        if usable and not filesystem.is_network(path):
            return path
    return _temporary()


def _temporary() -> Path:
    own = Path("/tmp", f"nbbg-{os.geteuid()}")  # noqa: S108 - its owner is looked at
    return private(private(own) / "slots")


def file_name(kind: str, thing: str, number: int | str | None = None) -> str:
    """The name of a file that is about a GPU, or about the machine, in that folder."""
    parts = (kind, thing.replace("/", "_"), number)  # older names of slices of a GPU have slashes
    return "-".join(str(part) for part in parts if part is not None)


def private(path: Path) -> Path:
    """That folder, made if need be, in a place where others may have put one of that name.

    Raises:
        EnvironmentFault: it is not the user's alone.
    """
    try:
        files.make_folder(path)
        status = os.lstat(path)
    except OSError as error:
        raise EnvironmentFault(f"{path}: {error.strerror}; {_ELSE}") from error
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise EnvironmentFault(f"{path} is no folder of yours; {_ELSE}")
    if status.st_mode & _OTHERS:
        raise EnvironmentFault(
            f"{path} is open to others, so no slots are kept in it\nclose it: chmod 700 {path}"
        )
    return path
