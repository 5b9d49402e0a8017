"""The files that may configure jupytext for a folder, found without loading it, which is slow."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PYPROJECT = "pyproject.toml"
_WORD = "jupytext"


def files(folder: Path) -> Iterator[Path]:
    """In the folder, above it, and where configuration for all folders lies."""
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    shared = [Path(one) for one in os.environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":")]
    places = [home, *shared, Path("/usr/local/share"), Path("/usr/share"), Path.home()]
    for where in (folder, *folder.parents, *(one / _WORD for one in places), *places):
        with contextlib.suppress(OSError):
            with os.scandir(where) as entries:
                names = sorted(each.name for each in entries if _configures(each))
            yield from (where / name for name in names)


def is_configured(folder: Path) -> bool:
    """Whether any of them says something of jupytext."""
    return any(path.name != PYPROJECT or _mentions(path) for path in files(folder))


def _configures(entry: os.DirEntry[str]) -> bool:
    return (_WORD in entry.name or entry.name == PYPROJECT) and entry.is_file()


def _mentions(path: Path) -> bool:
    try:
        return _WORD in path.read_text(errors="replace")
    except OSError:  # jupytext will say what is wrong with it
        return True
