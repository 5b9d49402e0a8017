"""Whether a file's pair is in step and its conversion lossless, for CI and before a commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbbg.errors import NotebookError
from nbbg.notebook import conversion, differences, halves, pairing, scripts, userfiles
from nbbg.notebook.halves import Agreed, Differ
from nbbg.notebook.writing import Report, Task

if TYPE_CHECKING:
    from pathlib import Path

    from nbbg.notebook.records import Memory


def check(path: Path, memory: Memory) -> Report:
    """Check one file; the report names its pair.

    Raises:
        NotebookError: the pair is out of step, half of it is missing, or a conversion would
            lose something.
    """
    path = pairing.absolute(path)
    both = pairing.declared(path)
    if both is None:
        if path.suffix == userfiles.NOTEBOOK or scripts.has_cells(path):
            conversion.roundtrip(path, memory)
        return Report((path,))
    found = halves.read(both, memory)
    missing = [place for place in both.files if not place.exists()]
    if missing:
        raise NotebookError(
            f"{userfiles.shown(missing[0])}: is not there, and {path.name} is paired with it;"
            f" nbbg sync {userfiles.shown(path)}"
        )
    match found.standing:
        case Agreed():
            report = pairing.from_notebook(Task(found, memory, dry=True))
        case Differ() as differ:
            raise NotebookError(pairing.undecided(found, differ))
        case follow:
            raise NotebookError(_behind(found, follow.source))
    if report.changed:
        raise NotebookError(f"{report}\nnbbg sync {userfiles.shown(path)}")
    return report


def diff(path: Path, memory: Memory) -> list[str]:
    """What differs between the two of a pair, cell by cell; nothing where they say the same.

    Raises:
        NotebookError: it is not paired, or can't be read.
    """
    both = pairing.declared(pairing.absolute(path))
    if both is None:
        raise NotebookError(f"{userfiles.shown(path)}: is not paired; nbbg pair {path}")
    found = halves.read(both, memory)
    userfiles.wanted(found.file)
    lines = []
    for place in found.texts:
        text = differences.lines(found.told(place), found.meaning(place))
        sentences = halves.differing(found, place) if not text else []
        if text or sentences:
            names = f"--- {userfiles.shown(found.file.path)}", f"+++ {userfiles.shown(place)}"
            lines += [*names, *text, *sentences]
    return lines


def _behind(found: halves.Halves, source: Path) -> str:
    place = source if source in found.texts else next(iter(found.texts))
    said = "; ".join(halves.differing(found, place)[: pairing.SHOWN])
    return (
        f"{userfiles.shown(source)}: was edited, and the other half of its pair was not: {said}\n"
        f"nbbg sync {userfiles.shown(source)}"
    )
