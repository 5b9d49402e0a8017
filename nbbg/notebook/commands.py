"""Which comments of a script are commands; a wrong answer, executed, deletes files.

jupytext comments out whatever could be a command, `!ls` as well as `rm x` and even `ls += [1]`,
and takes the comment mark away again when it reads. A script can't tell its own comments from
those. So they are commands only where the paired notebook has the same code. Where the two differ
and it matters, nothing is guessed: the person is asked to sync first.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from nbbg.classes import dataclass
from nbbg.errors import NotebookError
from nbbg.notebook import agreement, formats, ipynb, scripts, userfiles
from nbbg.notebook.records import fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from nbbg.notebook.formats import Notebook
    from nbbg.notebook.records import Record
    from nbbg.notebook.scripts import Script

_EXPLICIT = re.compile(r"\s*([A-Za-z_]\w*\s*=\s*)?[%!]")  # `%magic`, `!command`, `x = !command`


@dataclass(frozen=True)
class Line:
    """A line that is either a comment or a command."""

    cell: int  # counted from 0, all cells
    number: int  # in the cell, from 0
    comment: str
    command: str

    @property
    def does_something(self) -> bool:
        """Whether it is more than a comment that jupytext marked twice."""
        return not self.command.lstrip().startswith("#")

    @property
    def is_spaced(self) -> bool:
        """Whether it is `# !ls`, as jupytext writes a command; `#!ls` it never writes."""
        command = self.command.strip()
        before = self.comment.rstrip().removesuffix(command)
        return not command or before.endswith((" ", "\t"))


def decided(script: Script) -> tuple[Notebook, str]:
    """What a script means when it is run, and a note for the person, or nothing.

    Raises:
        NotebookError: it and its notebook differ, and the notebook has such a line as a command.
    """
    lines = list(doubtful(script))
    if not lines:
        return script.literal, ""
    place = book_of(script)
    if place is None or not place.is_file():
        return script.literal, _stay_comments(script, lines, place)
    code = ipynb.code(ipynb.parse(userfiles.wanted(userfiles.read(place)), place))
    if code == ipynb.code(script.magic):
        return script.magic, ""
    if code == ipynb.code(script.literal):
        return script.literal, ""
    _refuse_in_doubt(script, lines, place, code)
    return script.literal, _stay_comments(script, lines, place)


def book_of(script: Script) -> Path | None:
    """The notebook that a script is paired with, whether it is there or not.

    The script's own header says so, or a configuration file, or the notebook of the same name.
    """
    pair = formats.pair_of(script.path, script.magic)
    if pair is not None:
        return pair.notebook
    beside = script.path.with_suffix(userfiles.NOTEBOOK)
    text = userfiles.read(beside).text
    if not text or '"jupytext"' not in text:
        return None
    pair = formats.pair_of(beside, ipynb.parse(text, beside))
    places = [place for place, _ in pair.texts] if pair else []
    return beside if script.path.absolute() in [place.absolute() for place in places] else None


def doubtful(script: Script) -> Iterator[Line]:
    """The lines that are comments literally, and commands as jupytext reads a pair."""
    for number, (literal, magic) in enumerate(_cells(script)):
        both = zip(literal.split("\n"), magic.split("\n"), strict=False)
        for line, (comment, command) in enumerate(both):
            if comment != command:
                yield Line(number, line, comment, command)


def chosen(script: Script, known: AbstractSet[str]) -> tuple[Notebook, list[Line], list[Line]]:
    """What a script means to the notebook that it is about to be written to.

    A commented line is a command where the notebook has it as one already, or where it can be
    nothing else (`# %magic`, `# !command`, a cell marked as another language). Words of English,
    such as `# copy the data`, stay comments.

    Args:
        script: the text side of a pair.
        known: the notebook's present lines of code, without indentation.

    Returns:
        The notebook, its new commands, and the doubtful lines that stay comments.
    """

    def is_command(line: Line) -> bool:
        return bool(_EXPLICIT.match(line.command)) or _marked(script, line.cell)

    return _split(script, known, is_command)


def meant(script: Script, notebook: Notebook, record: Record | None) -> Notebook:
    """What a script means that nothing says to be one of a pair.

    Its comments are commands only as far as it is known that nbbg made comments of commands: the
    record says so, or the notebook that it is made from or converted to.
    """
    for reading in (script.magic, script.literal):
        if record and fingerprint(agreement.contents(reading)) == record.said:
            return reading
    code = ipynb.code(notebook)
    for reading in (script.magic, script.literal):
        if code and ipynb.code(reading) == code:
            return reading
    if record is None or not scripts.has_header(script.text):
        return script.literal  # without a header it is not what nbbg wrote, but a file in its place
    return _split(script, record.commands, lambda line: _marked(script, line.cell))[0]


def made(notebook: Notebook, script: Notebook) -> frozenset[str]:
    """The commands of a notebook that are comments in its script.

    Args:
        notebook: what was written.
        script: the script as it is read literally.
    """
    return lines_of(notebook) - lines_of(script)


def _split(
    script: Script, known: AbstractSet[str], is_command: Callable[[Line], bool]
) -> tuple[Notebook, list[Line], list[Line]]:
    new, kept = [], []
    choices: dict[tuple[int, int], str] = {}
    taken = (-1, -1)
    for line in doubtful(script):
        goes_on = taken == (line.cell, line.number - 1) and _continues(script, line)
        source = script.magic["cells"][line.cell]["source"]
        is_known = _known_as(source, line.command) in known or not line.does_something
        if goes_on or ((is_known or is_command(line)) and line.is_spaced):
            taken = (line.cell, line.number)
            new += [] if is_known else [line]
        else:
            choices[line.cell, line.number] = line.comment
            kept.append(line)
    return _with_lines(script.magic, choices), new, kept


def lines_of(notebook: Notebook) -> frozenset[str]:
    """Each line of a notebook's code, as `_known_as` names it."""
    found: set[str] = set()
    for source in ipynb.code(notebook):
        lines = source.split("\n")
        is_magic = source.startswith("%%")
        found.update(
            [_known_as(source, one) for one in lines] if is_magic else map(str.strip, lines)
        )
    return frozenset(found)


def commented_python(notebook: Notebook) -> Iterator[tuple[int, str]]:
    """Lines such as `ls += [1]`: Python, yet comments in the script. Code cells count from 1."""
    words = re.compile(r"\s*(cat|cd|copy|cp|ddir|echo|ldir|ls|mkdir|mv|ren|rm|rmdir)(\s[^=,]|\s*$)")
    lines = {line.strip() for source in ipynb.code(notebook) for line in source.split("\n")}
    names = {line.split("=")[0].strip() for line in lines if "=" in line}
    for number, cell in enumerate(code_cells(notebook), 1):
        for line in cell["source"].split("\n"):
            found = words.match(line)
            if found and found[1] in names:
                yield number, line.strip()


def code_cells(notebook: Notebook) -> list[dict[str, Any]]:
    """The code cells, which messages count from 1."""
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def _known_as(source: str, line: str) -> str:
    """A line without indentation, and with its cell's first line where that names a language."""
    first = source.split("\n", 1)[0]
    is_body = first.startswith("%%") and line != first
    return f"{first} {line.strip()}" if is_body else line.strip()


def _cells(script: Script) -> Iterator[tuple[str, str]]:
    """The sources of each code cell in both readings, which split the text alike."""
    pairs = zip(script.literal["cells"], script.magic["cells"], strict=False)
    for literal, magic in pairs:
        is_code = literal["cell_type"] == "code"
        yield (literal["source"], magic["source"]) if is_code else ("", "")


def _with_lines(notebook: Notebook, choices: dict[tuple[int, int], str]) -> Notebook:
    cells = []
    for number, cell in enumerate(notebook["cells"]):
        lines = cell["source"].split("\n")
        lines = [choices.get((number, line), text) for line, text in enumerate(lines)]
        cells.append({**cell, "source": "\n".join(lines)})
    return {**notebook, "cells": cells}


def _continues(script: Script, line: Line) -> bool:
    before = script.magic["cells"][line.cell]["source"].split("\n")[line.number - 1]
    return bool(before.rstrip().endswith("\\"))


def _marked(script: Script, cell: int) -> bool:
    """Whether the cell's marker says that its lines are not the script's Python."""
    literal = script.literal["cells"][cell]
    first, *rest = literal["source"].split("\n")
    is_language = first.startswith("%%") and all(line.startswith("#") for line in rest if line)
    return is_language or "active" in literal["metadata"]


def _refuse_in_doubt(script: Script, lines: list[Line], place: Path, code: list[str]) -> None:
    known = {line.strip() for source in code for line in source.split("\n")}
    for line in lines:
        if line.does_something and line.command.strip() in known:
            raise NotebookError(
                f"{script.place_of(line.comment)}: `{line.comment.strip()}` is a command in "
                f"{place.name}, but the two differ, so it may also be a comment;\n"
                f"sync them first: nbbg sync {userfiles.shown(script.path)}"
            )


def _stay_comments(script: Script, lines: list[Line], place: Path | None) -> str:
    lines = [line for line in lines if line.does_something]
    if not lines:
        return ""
    first, more = lines[0], len(lines) - 1
    also = f" (and {more} more)" if more else ""
    why = "it is not paired" if place is None else f"{place.name} does not have it as a command"
    if place is not None and not place.is_file():
        why = f"{place.name} is not there"
    where = script.place_of(first.comment)
    return f"{where}: `{first.comment.strip()}`{also} stays a comment, since {why}"
