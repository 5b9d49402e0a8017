"""What a launch consists of: notebooks, what they are given, and where their outputs go.

Usually that is one piece. Each profile of a file of profiles, as millrun reads them, is one of its
own: its paths are relative to its file, and its outputs are named as millrun names them.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbbg.classes import dataclass, field
from nbbg.errors import UsageError
from nbbg.notebook import userfiles
from nbbg.ops import gather, shapes, sources
from nbbg.ops.layout import USUALLY, Layout
from nbbg.ops.shapes import PLAIN, Given

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nbbg.notebook.found import Selection
    from nbbg.ops.paramfiles import Node
    from nbbg.ops.shapes import Profile

REQUIRED = (shapes.PROFILE, "notebook_params")
_TEXTS = (shapes.PROFILE, "output_dir", "exclude_glob_pattern", "include_glob_pattern")
_LISTS = ("prepend", "append")
_FLAGS = ("recursive", "use_multiprocessing")
OLDER = {
    "bulk_params": "notebook_params",
    "output_prepend_components": "prepend",
    "output_append_components": "append",
}


@dataclass(frozen=True)
class Piece:
    """Notebooks that are all given the same sets, and whose outputs are named alike."""

    notebooks: Sequence[str] = ()  # files, folders, globs
    sets: Sequence[Given] = (PLAIN,)
    layout: Layout = USUALLY
    selection: Selection = field(default_factory=gather.selection)

    def pairs(self) -> Iterator[tuple[Path, int, Given]]:
        """Each notebook with each set and its place among the sets.

        A configuration that names a notebook goes with that one alone; and where notebooks are
        named too, only if it is among them.

        Raises:
            NotebookError, UsageError: a notebook is not there, or none is named.
        """
        own = [each for each in self.sets if each.notebook]
        if len(own) < len(self.sets) and not self.notebooks:
            raise UsageError(
                "which notebook?\nnbbg run train.ipynb --runs 20, or NOTEBOOKS=... in .env"
            )
        named = gather.notebooks(self.notebooks, self.selection) if self.notebooks else []
        places = {path.resolve() for path in named}
        used = False
        for path in named:
            for index, given in enumerate(self.sets):
                if not given.notebook:
                    used = True
                    yield path, index, given
        for index, given in enumerate(self.sets):
            for path in _own_notebook(given):
                if not named or path.resolve() in places:
                    used = True
                    yield path, index, given
        if not used:
            told = " ".join(userfiles.shown(path) for path in named)
            raise UsageError(f"{told}: no configuration is for it; they name their own notebooks")


def of_profiles(found: Iterable[Profile], over: Sequence[Given]) -> list[Piece]:
    """The pieces of profiles, each set of theirs with what was given besides.

    Raises:
        UsageError: a profile says what none can say, with the place.
    """
    return [_of_profile(profile, over) for profile in found]


def like_millrun(
    notebook: str,
    sets: Sequence[Given],
    *,
    folder: str,
    prepend: Sequence[str] | None = None,
    append: Sequence[str] | None = None,
    recursive: bool = False,
    exclude: str | None = None,
    include: str | None = None,
) -> Piece:
    """A piece as millrun understands it.

    Args:
        notebook: a file or a folder.
        sets: of parameters.
        folder: of the outputs, absolute; empty: beside the notebooks.
        prepend: what stands before a name; None: the index of the set.
        append: what stands after it.
        recursive: whether folders in the folder are searched.
        exclude: files of a folder that are left out, as a glob.
        include: those that are taken; None: all notebooks.
    """
    layout = Layout(folder, prepend=prepend, append=append or (), beside=not folder)
    chosen = gather.selection(
        recursive=recursive,
        include=[include or f"*{userfiles.NOTEBOOK}"],
        exclude=[exclude] if exclude else [],
    )
    return Piece([notebook], sets, layout, chosen)


def _own_notebook(given: Given) -> list[Path]:
    """Where it is from here, or else beside the file that names it."""
    if not given.notebook:
        return []
    beside = Path(given.file).parent / given.notebook
    there = [Path(f"{beside}{suffix}").exists() for suffix in ("", *gather.KINDS)]
    here = [Path(f"{given.notebook}{suffix}").exists() for suffix in ("", *gather.KINDS)]
    name = str(beside) if any(there) and not any(here) else given.notebook
    return gather.notebooks([name])


def _of_profile(profile: Profile, over: Sequence[Given]) -> Piece:
    node = profile.node
    values = {OLDER.get(name, name): one for name, one in node.value.items()}
    known = (*REQUIRED, *_TEXTS, *_LISTS, *_FLAGS)
    for name, one in values.items():
        if name not in known:
            there = ", ".join(dict.fromkeys(known))
            raise UsageError(f"{one.where}: a profile has no {name}; there are: {there}")
        _check_kind(name, one)
    for name in REQUIRED:
        if name not in values:
            raise UsageError(f"{node.where}: the profile {profile.name} has no {name}")
    data: dict[str, Any] = {name: one.data for name, one in values.items()}
    folder = Path(node.file).parent
    output = data.get("output_dir")
    return like_millrun(
        str(folder / data[shapes.PROFILE]),
        [one.over(other) for one in _sets(values["notebook_params"], folder) for other in over],
        folder=os.path.abspath(folder / output) if output else "",
        prepend=data.get("prepend"),
        append=data.get("append"),
        recursive=bool(data.get("recursive")),
        exclude=data.get("exclude_glob_pattern"),
        include=data.get("include_glob_pattern"),
    )


def _sets(node: Node, folder: Path) -> list[Given]:
    """Those of a profile: in a file, or written there."""
    if isinstance(node.value, str):
        return sources.of_file(str(folder / node.value))
    return shapes.sets(node)


def _check_kind(name: str, node: Node) -> None:
    value = node.data
    if value is None and name not in REQUIRED:
        return
    if name in _TEXTS and not isinstance(value, str):
        raise UsageError(f"{node.where}: {name} must be a text")
    if name in _FLAGS and not isinstance(value, bool):
        raise UsageError(f"{node.where}: {name} must be true or false")
    if name in _LISTS and not (
        isinstance(value, list) and all(isinstance(one, str) for one in value)
    ):
        raise UsageError(f"{node.where}: {name} must be a list of texts")
