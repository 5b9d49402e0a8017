"""Whether what a template has is what a run that begins now would have."""

from __future__ import annotations

import contextlib
import importlib.machinery
import os
import sys
import time
from typing import TYPE_CHECKING, Any, Iterable, Mapping

from nbbg import paths
from nbbg.engines.ipython import trying

if TYPE_CHECKING:
    from types import ModuleType

_SUFFIXES = tuple(importlib.machinery.all_suffixes())
_RECHECK = 1.0  # seconds between two looks at all files that were imported


class Imported:
    """The files of what was imported, and the folders with installed packages, as they were."""

    def __init__(self) -> None:
        self._folders = frozenset(trying.installed())
        self._stamps = {path: _stamp(path) for path in self._folders}
        self._checked = 0.0

    def note(self, modules: Iterable[ModuleType]) -> None:
        """Look at the files of these too; the folders may have got a place for compiled files.

        Where a folder has got more than that, the files tell, and so they are looked at next.
        """
        self._checked = 0.0
        self._stamps.update((path, _stamp(path)) for path in self._folders)
        files = {getattr(module, "__file__", None) for module in list(modules)}
        self._stamps.update((path, _stamp(path)) for path in files - {None, *self._stamps} if path)

    def has_changed(self) -> bool:
        """Whether they are no longer what they were; the folders are looked at each time."""
        now = time.monotonic()
        whole = now - self._checked > _RECHECK
        self._checked = now if whole else self._checked
        looked_at = self._stamps if whole else self._folders
        return any(_stamp(path) != self._stamps[path] for path in looked_at)


def changed(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """The name of a variable that differs; empty where none does."""
    for name in sorted({*before, *now} - paths.OF_ONE_RUN):
        if before.get(name) != now.get(name):
            return name
    return ""


def shadowed(cwd: str) -> str:
    """What in the notebook's folder, or before it, would be imported instead of a library."""
    folders = tuple(trying.installed())
    for place in (cwd, *_before(folders)):
        with contextlib.suppress(OSError):
            for entry in os.listdir(place):
                module = sys.modules.get(_name(entry))
                file = getattr(module, "__file__", None)
                installed = file and file.startswith(folders) and not place.startswith(folders)
                if installed and _is_module(os.path.join(place, entry)):
                    return entry
    return ""


def _name(entry: str) -> str:
    return entry.partition(".")[0] if entry.endswith(_SUFFIXES) else entry


def _is_module(path: str) -> bool:
    """A folder without `__init__.py` comes after a library: that in which wandb keeps its runs."""
    inits = (f"{path}/__init__{suffix}" for suffix in _SUFFIXES)
    return path.endswith(_SUFFIXES) or any(map(os.path.exists, inits))


def _before(folders: Iterable[str]) -> list[str]:
    """Where modules are looked for before the installed packages, as PYTHONPATH has it."""
    named = [each for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each]
    return [each for each in named if each not in folders]


def _stamp(path: str) -> Any:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino
