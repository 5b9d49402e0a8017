"""What differs between a notebook and its script, cell by cell, for a person to read."""

from __future__ import annotations

import difflib
import json
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from nbbg.notebook import agreement

if TYPE_CHECKING:
    from nbbg.notebook.formats import Notebook

PAIR = ("the notebook", "the script")
SHOWN = 60  # characters of a line


def sentences(first: Notebook, second: Notebook) -> list[str]:
    """What differs between a notebook and a script, a sentence a cell; both counted from 1."""
    ours, theirs = agreement.contents(first), agreement.contents(second)
    said = []
    for kind, start, end, from_, to in _opcodes(ours[0], theirs[0]):
        if kind == "equal":
            continue
        both = list(zip_longest(range(start, end), range(from_, to)))
        said += [_difference(ours[0], theirs[0], one, other, PAIR) for one, other in both]
    if ours[1] != theirs[1]:
        keys = [key for key in {**ours[1], **theirs[1]} if ours[1].get(key) != theirs[1].get(key)]
        said.append(f"the notebook's metadata differ: {', '.join(sorted(keys))}")
    return said


def lines(first: Notebook, second: Notebook, names: tuple[str, str] = PAIR) -> list[str]:
    """The lines that differ between two notebooks, under a heading a cell.

    Args:
        first: with the lines that begin with `-`.
        second: with those that begin with `+`.
        names: what the two are called.
    """
    ours, theirs = agreement.contents(first)[0], agreement.contents(second)[0]
    result: list[str] = []
    for kind, start, end, from_, to in _opcodes(ours, theirs):
        if kind == "equal":
            continue
        for one, other in zip_longest(range(start, end), range(from_, to)):
            result.append(f"@@ {_difference(ours, theirs, one, other, names)}")
            result += _changed_lines(_lines_of(ours, one), _lines_of(theirs, other))
    return result


def _opcodes(ours: Any, theirs: Any) -> Any:
    keys = [json.dumps(cell, sort_keys=True) for cell in ours]
    others = [json.dumps(cell, sort_keys=True) for cell in theirs]
    return difflib.SequenceMatcher(None, keys, others, autojunk=False).get_opcodes()


def _difference(
    ours: Any, theirs: Any, one: int | None, other: int | None, names: tuple[str, str]
) -> str:
    if one is None or other is None:
        where = names[0] if other is None else names[1]
        number, cell = (one, ours[one]) if one is not None else (other, theirs[other])
        return f"cell {(number or 0) + 1} is in {where} alone: {_begin(cell[1])}"
    mine, its = ours[one], theirs[other]
    where = f"cell {one + 1}" + (
        f" ({names[1].removeprefix('the ')}: {other + 1})" if one != other else ""
    )
    if mine[0] != its[0]:
        return f"{where} is {mine[0]} in {names[0]}, {its[0]} in {names[1]}"
    if mine[1] != its[1]:
        return f"{where} differs: {_begin(mine[1])} / {_begin(its[1])}"
    keys = [key for key in {**mine[2], **its[2]} if mine[2].get(key) != its[2].get(key)]
    return f"{where}: its metadata differ: {', '.join(sorted(keys))}"


def _lines_of(cells: Any, index: int | None) -> list[str]:
    if index is None:
        return []
    lines: list[str] = cells[index][1].split("\n")
    return lines


def _changed_lines(first: list[str], second: list[str]) -> list[str]:
    found = list(difflib.unified_diff(first, second, lineterm="", n=2))
    return [line for line in found[2:] if not line.startswith("@@")]


def _begin(source: str) -> str:
    line = next((line for line in source.split("\n") if line.strip()), "")
    return f"`{agreement.visible(line)[:SHOWN]}`"
