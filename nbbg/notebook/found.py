"""Which notebooks and scripts are meant by names, folders and globs."""

from __future__ import annotations

import fnmatch
import os
from pathlib import Path
from typing import TYPE_CHECKING

from nbbg.classes import dataclass
from nbbg.notebook import formats, userfiles

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

_USUAL = frozenset({userfiles.NOTEBOOK, userfiles.SCRIPT})  # known without jupytext
_SKIPPED = frozenset({"__pycache__", "node_modules", "site-packages", "venv"})


@dataclass(frozen=True)
class Selection:
    """What of a folder is meant."""

    recursive: bool = False
    include: Sequence[str] = ()  # globs; empty: all
    exclude: Sequence[str] = ()
    suffixes: Collection[str] = ()  # of notebooks and scripts; empty: all that jupytext knows

    def files(self, names: Iterable[Path]) -> list[Path]:
        """The files that are named, and the notebooks and scripts in the folders that are.

        A file is meant whatever its name is; of a folder, hidden files, environments and modules
        without cells are left out.
        """
        result: dict[Path, None] = {}
        for name in names:
            is_folder = name.is_dir() and name.suffix != userfiles.NOTEBOOK
            result.update(dict.fromkeys(self._inside(name) if is_folder else [name]))
        return list(result)

    def _inside(self, folder: Path) -> Iterator[Path]:
        for path in _walk(folder, recursive=self.recursive):
            inner = path.relative_to(folder)
            if not self._is_kind(path.suffix):
                continue
            if self.fits(inner) and (path.suffix == userfiles.NOTEBOOK or _has_cells(path)):
                yield path

    def _is_kind(self, suffix: str) -> bool:
        if self.suffixes:
            return suffix in self.suffixes
        return suffix in _USUAL or suffix in formats.suffixes()

    def fits(self, inner: Path) -> bool:
        """Whether a path is one of those included, and none of those excluded."""
        if self.include and not _matches(inner, self.include):
            return False
        return not _matches(inner, self.exclude)


def _has_cells(path: Path) -> bool:
    from nbbg.notebook import scripts  # not for a notebook alone

    return scripts.has_cells(path)


def _matches(inner: Path, globs: Sequence[str]) -> bool:
    """Whether a path in its folder, its name, or a folder of it fits a glob."""
    for glob in globs:
        wanted = glob.removeprefix("./").rstrip("/")
        places = [inner, *inner.parents][:-1]
        if any(fnmatch.fnmatchcase(place.as_posix(), wanted) for place in places):
            return True
        if fnmatch.fnmatchcase(inner.name, wanted):
            return True
    return False


def _walk(folder: Path, *, recursive: bool) -> Iterator[Path]:
    """Files below a folder, by name; links to folders are not followed."""
    for here, folders, names in os.walk(folder):
        place = Path(here)
        for name in sorted(folders):
            if name.endswith(userfiles.NOTEBOOK) and not name.startswith("."):
                yield place / name  # no notebook, and that is to be said
        folders[:] = sorted(name for name in folders if _is_searched(place, name, recursive))
        yield from (place / name for name in sorted(names) if not name.startswith("."))


def _is_searched(place: Path, name: str, recursive: bool) -> bool:  # noqa: FBT001 - a filter
    skipped = name.startswith(".") or name in _SKIPPED or name.endswith(userfiles.NOTEBOOK)
    return recursive and not skipped and not (place / name / "pyvenv.cfg").exists()
