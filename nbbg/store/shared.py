"""Folders of a user on a disk of this machine: for locks of slots, and what can be made again."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from nbbg import files
from nbbg.errors import EnvironmentFault
from nbbg.store import filesystem

if TYPE_CHECKING:
    from collections.abc import Mapping

_OTHERS = 0o077
_ELSE = "nothing can be kept there\nset XDG_STATE_HOME to a folder on a disk of this machine"


def folder(environment: Mapping[str, str]) -> Path:
    """The folder, made if need be: under XDG's state folder, which outlives a logout.

    On a network file system locks can't be trusted: it is in /tmp then, and must be the user's.

    Raises:
        EnvironmentFault: there is no such place.
    """
    home = environment.get("HOME") or Path.home()
    state = environment.get("XDG_STATE_HOME") or Path(home, ".local", "state")
    path = Path(state, "nbbg", "slots", os.uname().nodename)
    with contextlib.suppress(OSError):
        files.make_folder(path)
        usable = files.is_own(path) and os.access(path, os.W_OK)
        if usable and not filesystem.is_network(path):
            return path
    return _temporary("slots")


def cache(environment: Mapping[str, str], kind: str) -> Path:
    """The folder for what can be made again, made if need be: under XDG's cache folder.

    In /tmp where that is on a network file system, as a home often is.

    Raises:
        EnvironmentFault: there is no such place.
    """
    home = environment.get("HOME") or Path.home()
    path = Path(environment.get("XDG_CACHE_HOME") or Path(home, ".cache"), "nbbg", kind)
    with contextlib.suppress(OSError, EnvironmentFault):
        files.make_folder(path)
        if not filesystem.is_network(path) and os.access(path, os.W_OK):
            return private(path)
    return _temporary(kind)


def short_name(text: str) -> str:
    """A file name for a long text; the same for the same."""
    import hashlib

    return hashlib.sha256(os.fsencode(text)).hexdigest()[:16]


def _temporary(kind: str) -> Path:
    own = Path("/tmp", f"nbbg-{os.geteuid()}")  # noqa: S108 - its owner is looked at
    return private(private(own) / kind)


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
            f"{path} is open to others, so nothing is kept in it\nclose it: chmod 700 {path}"
        )
    return path
