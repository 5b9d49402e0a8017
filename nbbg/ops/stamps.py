"""Which conversions need not even be looked at: no file of theirs was touched since.

Beside the records of pairs lies one file with the device, inode, size and time of both sides of
each conversion, as they were when they said the same. As in git, what has them all unchanged is
unchanged, unless it was written in the same instant as these notes; whatever differs says nothing,
and the content decides. Another jupytext, nbbg or configuration makes the notes worthless.
"""

from __future__ import annotations

import contextlib
import hashlib
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbbg
from nbbg import files, paths
from nbbg.errors import StoreError
from nbbg.notebook import configured, userfiles
from nbbg.notebook.writing import Report
from nbbg.store import place

if TYPE_CHECKING:
    from nbbg.store.place import Store

_INSTANT = 20_000_000  # ns; file systems' clocks go on in steps of up to 10 ms


class Stamps:
    """The notes of one project, about conversions to one kind."""

    def __init__(self, store: Store, to: str) -> None:
        self._store, self._to = store, to
        self._fresh: dict[str, Any] = {}
        self._known: dict[str, Any] = {}
        self._until = 0
        self._around: dict[Path, str] = {}
        with contextlib.suppress(OSError, ValueError, StoreError):
            folder = store.folder / paths.PAIRS
            self._until = (folder / paths.CONVERTED).stat().st_mtime_ns - _INSTANT
            with files.Folder(folder) as opened:
                self._known = opened.read_json(paths.CONVERTED) or {}

    def unchanged(self, path: Path) -> Report | None:
        """The report of a file that nothing has to be done for, or None where that is not known."""
        with contextlib.suppress(KeyError, TypeError, ValueError):
            note = self._known[self._key(path)]
            seen = {self._store.root / name: tuple(stamp) for name, stamp in note["files"].items()}
            if note["by"] == self._by(path.parent) and all(
                stamp == userfiles.stamp(file) and stamp[-1] < self._until
                for file, stamp in seen.items()
            ):
                target = note["target"] and self._store.root / note["target"]
                return Report(tuple(seen), target=target or None)
        return None

    def note(self, path: Path, report: Report) -> None:
        """Note what a conversion has left, if all of that is known."""
        seen = dict(report.stamps)
        if set(seen) == set(report.files):
            self._fresh[self._key(path)] = {
                "by": self._by(path.parent),
                "files": {self._inside(file): seen[file] for file in report.files},
                "target": self._inside(report.target) if report.target else "",
            }

    def save(self) -> None:
        """Keep the notes; where the project can't be written, do nothing."""
        if not self._fresh:
            return
        with contextlib.suppress(OSError, StoreError):
            place.make(self._store)
            files.make_folder(self._store.folder / paths.PAIRS)
            with files.Folder(self._store.folder / paths.PAIRS) as folder:
                folder.replace(paths.CONVERTED, files.to_json(self._there() | self._fresh))

    def _there(self) -> dict[str, Any]:
        """What was known of files that are still there."""
        root = self._store.root
        return {
            key: note
            for key, note in self._known.items()
            if (root / key.partition(":")[2]).exists()
        }

    def _by(self, folder: Path) -> str:
        if folder not in self._around:
            self._around[folder] = _surroundings(folder)
        return self._around[folder]

    def _key(self, path: Path) -> str:
        return f"{self._to}:{self._inside(path)}"

    def _inside(self, path: Path) -> str:
        root = self._store.root
        return str(path.relative_to(root) if path.is_relative_to(root) else path)


def _surroundings(folder: Path) -> str:
    """What a conversion depends on besides its files: versions, and configuration above them."""
    spec = find_spec("jupytext")
    there = Path(spec.origin).with_name("version.py") if spec and spec.origin else Path()
    found = [f"{userfiles.stamp(there)}"]
    found += [f"{path} {userfiles.stamp(path)}" for path in configured.files(folder)]
    return hashlib.sha256(f"{nbbg.__version__} {found}".encode(errors="replace")).hexdigest()[:32]
