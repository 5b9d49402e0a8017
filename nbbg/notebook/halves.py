"""A notebook and its scripts as they are on disk, and which of them has been edited.

`Halves.standing` is where every sync and conversion is decided: from content and records alone.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from nbbg.classes import dataclass, field
from nbbg.errors import NotebookError
from nbbg.notebook import (
    agreement,
    commands,
    differences,
    fitting,
    ipynb,
    records,
    scripts,
    userfiles,
)

if TYPE_CHECKING:
    from pathlib import Path

    from nbbg.notebook.formats import Notebook, Pair
    from nbbg.notebook.records import Memory, Record
    from nbbg.notebook.scripts import Script
    from nbbg.notebook.userfiles import UserFile

EMPTY: Notebook = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


@dataclass(frozen=True)
class Halves:
    """A pair, or a file and what it is converted to; each file read once."""

    pair: Pair
    file: UserFile  # of the notebook
    notebook: Notebook = field(repr=False)  # empty where there is no file
    texts: dict[Path, Script] = field(repr=False)  # those that are there
    records: dict[Path, Record] = field(repr=False)  # a script may be another notebook's

    @property
    def said_before(self) -> dict[Path, str]:
        """What each script said when it was last the same as this notebook."""
        book = records.place(self.pair.notebook)
        return {place: one.said for place, one in self.records.items() if one.book == book}

    def meaning(self, place: Path) -> Notebook:
        """What a script says, as far as that can be known."""
        script = self.texts[place]
        if self.pair.said_by:
            return script.magic
        return commands.meant(script, self.notebook, self.records.get(place))

    def told(self, place: Path) -> Notebook:
        """What the notebook would say as that script."""
        return self._told[place]

    @cached_property
    def _told(self) -> dict[Path, Notebook]:
        return {
            place: scripts.through(fitting.fitted(self.notebook, [(place, form)]), place, form)
            for place, form in self.pair.texts
        }

    @cached_property
    def standing(self) -> Standing:
        """Which side is to be followed."""
        return _standing(self)


@dataclass(frozen=True)
class Agreed:
    """All that is there says the same."""

    missing: tuple[Path, ...] = ()  # scripts that are to be made


@dataclass(frozen=True)
class Follow:
    """One side alone was edited, or is there; the others are to say what it says."""

    source: Path


@dataclass(frozen=True)
class Differ:
    """They differ, and content does not tell which is to win."""

    place: Path  # of the script
    recorded: bool  # whether both were edited, or it is not known which


Standing = Agreed | Follow | Differ


def read(pair: Pair, memory: Memory, known: Script | None = None, *, old: bool = False) -> Halves:
    """Read all files of a pair.

    Args:
        pair: where they are.
        memory: of records.
        known: a script that is read already.
        old: whether a notebook in nbformat 3 is taken, since it won't be written.

    Raises:
        NotebookError: one of them can't be read, or lies outside of the project.
    """
    for path in pair.files:
        if not memory.covers(path):
            raise NotebookError(
                f"{userfiles.shown(path)}: leads out of the project through a link; name the file"
                " that it stands for"
            )
    file = userfiles.read(pair.notebook)
    notebook = dict(EMPTY)
    if file.text is not None:
        file, notebook = ipynb.read(file.path, upgrade=old)
        notebook = notebook if pair.formats else scripts.unpaired(notebook)
    places = [place for place, _ in pair.texts]
    texts = {
        place: known if known and known.path == place else scripts.read(place)
        for place in places
        if place.exists()
    }
    found = {place: memory.recall(place) for place in places}
    recorded = {place: record for place, record in found.items() if record}
    return Halves(pair, file, notebook, texts, recorded)


def _standing(halves: Halves) -> Standing:
    places = list(halves.texts)
    if halves.file.text is None:
        return _of_texts(halves, places)
    said = {place: _print(halves.meaning(place)) for place in places}
    told = {place: _print(halves.told(place)) for place in places}
    differing = [place for place in places if said[place] != told[place]]
    if not differing:
        return Agreed(tuple(set(halves.pair.files[1:]) - set(places)))
    known = halves.said_before
    for place in differing:
        if place not in known:
            return Differ(place, recorded=False)
    edited = [place for place in differing if said[place] != known[place]]
    if not edited:
        return Follow(halves.file.path)
    book_edited = any(told[place] != known[place] for place in differing)
    if book_edited or len({said[place] for place in edited}) > 1:
        return Differ(edited[0], recorded=True)
    return Follow(edited[0])


def differing(halves: Halves, place: Path) -> list[str]:
    """What differs between a script and its notebook: one sentence a cell."""
    return differences.sentences(halves.told(place), halves.meaning(place))


def _of_texts(halves: Halves, places: list[Path]) -> Standing:
    if len({_print(halves.meaning(place)) for place in places}) > 1:
        return Differ(places[1], recorded=False)
    return Follow(places[0]) if places else Agreed()


def _print(notebook: Notebook) -> str:
    return records.fingerprint(agreement.contents(notebook))
