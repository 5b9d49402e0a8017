"""Where the interpreter of an environment lies. Links are not followed: that would leave it."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from nbbg import files
from nbbg.errors import EnvironmentFault

if TYPE_CHECKING:
    from collections.abc import Mapping

VENV = "pyvenv.cfg"  # the file that makes a folder a virtual environment
_NAMES = ("python", "python3")


def python_in(prefix: str | Path) -> str:
    """The interpreter of an environment's folder, or nothing."""
    for name in _NAMES if prefix else ():
        path = os.path.abspath(os.path.join(prefix, "bin", name))
        if os.access(path, os.X_OK) and os.path.isfile(path):
            return path
    return ""


def gone_from(prefix: str | Path) -> str:
    """The interpreter that an environment was made from, where that is gone; else nothing."""
    for name in _NAMES if prefix else ():
        path = os.path.join(prefix, "bin", name)
        if os.path.islink(path) and not os.path.exists(path):
            return os.path.realpath(path)
    return ""


def on_path(name: str, path: str | None) -> str:
    """The program of that name in the first folder of a PATH that has it; else nothing.

    As `shutil.which`; but that takes three compressions to import.
    """
    for folder in (os.environ.get("PATH", os.defpath) if path is None else path).split(os.pathsep):
        found = os.path.join(folder or os.curdir, name)
        if os.access(found, os.X_OK) and os.path.isfile(found):
            return found
    return ""


def is_venv(prefix: str | Path) -> bool:
    """Whether a folder is a virtual environment."""
    return os.path.isfile(os.path.join(prefix, VENV))


def home(environment: Mapping[str, str]) -> str:
    """The user's folder."""
    return environment.get("HOME") or str(Path.home())


def cache(environment: Mapping[str, str]) -> Path:
    """Where nbbg keeps what it can make again.

    Raises:
        EnvironmentFault: somebody else may have put something there, which would be executed.
    """
    path = Path(environment.get("XDG_CACHE_HOME") or Path(home(environment), ".cache"), "nbbg")
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        if not files.is_own(path):
            message = f"{path} is not yours alone, and what is in it is executed"
            raise EnvironmentFault(
                f"{message}\nmove it away, or name another place: XDG_CACHE_HOME"
            )
    return path
