"""One file converted to the other kind, without making a pair of them.

A file that is there already is replaced only where it is the other half of a pair, or what nbbg
has written there before; and only while nobody has edited it since. A script keeps each of its
lines: what would come back from the notebook with another one is refused.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nbbg.classes import replace
from nbbg.errors import NotebookError
from nbbg.notebook import agreement, document, formats, halves, pairing, scripts, userfiles
from nbbg.notebook.halves import Agreed, Differ, Follow, Halves
from nbbg.notebook.userfiles import UserFile
from nbbg.notebook.writing import Task

if TYPE_CHECKING:
    from pathlib import Path

    from nbbg.notebook.formats import Notebook, Pair
    from nbbg.notebook.records import Memory
    from nbbg.notebook.scripts import Script
    from nbbg.notebook.writing import Report

MARKER = re.compile(r"\s*(#|//|--|;;|%)\s*(%%|In\[|\+|-\s*$|region|endregion|<codecell>)")


def convert(
    path: Path, memory: Memory, to: str = "", output: Path | None = None, *, dry: bool = False
) -> Report:
    """Convert a notebook to a script, or a script to a notebook.

    Args:
        path: the file to convert.
        memory: of records.
        to: `py` (a script in the notebook's language) or `ipynb`; empty: the other kind.
        output: the file to write; by default the other half of the pair, or the same name.
        dry: write nothing.

    Raises:
        NotebookError: it can't be read, something would get lost, or the other file is there
            and is not what nbbg would replace; nothing is written then.
    """
    path = pairing.absolute(path)
    output = pairing.absolute(output) if output else None
    is_notebook = path.suffix == userfiles.NOTEBOOK
    if is_notebook == (to == "ipynb") and to:
        kind = "a notebook" if is_notebook else "a script"
        raise NotebookError(f"{userfiles.shown(path)}: is {kind} already")
    both, script = _both(path, output)
    other = None if both.formats else next(file for file in both.files if file != path)
    try:
        found = halves.read(both, memory, script, old=is_notebook and not both.formats)
    except NotebookError as error:
        if other is None or not other.exists() or not memory.covers(path):
            raise
        raise NotebookError(_stranger(other)) from error
    _refuse_strangers(found, path)
    task = Task(found, memory, dry, target=other)
    if script is None:
        return task.agreed() if _is_agreed(found) else pairing.from_notebook(task)
    return task.agreed() if _is_agreed(found) else _from_script(task, script)


def roundtrip(path: Path, memory: Memory) -> None:
    """Check that a file that is no pair can be converted without loss.

    Raises:
        NotebookError: it can't, and why.
    """
    both, script = _both(pairing.absolute(path), None)
    nothing = Halves(both, UserFile(both.notebook, None, ()), dict(halves.EMPTY), {}, {})
    if script is None:
        notebook = scripts.unpaired(pairing.read_notebook(path, old=True))
        found = replace(nothing, file=userfiles.read(both.notebook), notebook=notebook)
        pairing.from_notebook(Task(found, memory, dry=True))
    elif not (both.notebook.exists() and _is_agreed(halves.read(both, memory, script, old=True))):
        _from_script(Task(replace(nothing, texts={script.path: script}), memory, dry=True), script)


def _both(path: Path, output: Path | None) -> tuple[Pair, Script | None]:
    """The two files, as a pair where they are one, and the script if it is converted."""
    both = pairing.declared(path)
    if both and (output is None or output in both.files):
        return both, None if path == both.notebook else scripts.read(path)
    if path.suffix == userfiles.NOTEBOOK:
        notebook = pairing.read_notebook(path, old=True)
        if output is None:
            language = document.language_of(notebook)
            output = path.with_suffix(formats.extension_of(path, language))
        if output.suffix == userfiles.NOTEBOOK:
            raise NotebookError(f"{userfiles.shown(path)}: is a notebook already")
        return formats.alone(path, output, notebook), None
    script = scripts.read(path)
    output = output or path.with_suffix(userfiles.NOTEBOOK)
    if output.suffix != userfiles.NOTEBOOK:
        raise NotebookError(f"{userfiles.shown(output)}: a script is converted to an .ipynb")
    return formats.alone(output, path, script.literal), script


def _is_agreed(found: Halves) -> bool:
    return found.file.text is not None and found.standing == Agreed()


def _refuse_strangers(found: Halves, path: Path) -> None:
    """Refuse to replace a file that was edited, or that nbbg knows nothing about."""
    standing = found.standing
    if isinstance(standing, Agreed):
        return
    if isinstance(standing, Follow) and standing.source == path:
        return
    other = next(file for file in found.pair.files if file != path)
    if not found.pair.formats:
        raise NotebookError(_stranger(other, known=bool(found.said_before)))
    if isinstance(standing, Differ):
        raise NotebookError(pairing.undecided(found, standing))
    raise NotebookError(
        f"{userfiles.shown(standing.source)}: was edited since it was the same as {path.name};"
        f" nbbg sync {userfiles.shown(path)}"
    )


def _stranger(other: Path, *, known: bool = False) -> str:
    why = "was edited since nbbg made it" if known else "is there already, and is not its pair"
    return f"{userfiles.shown(other)}: {why}; name another file with -o"


def _from_script(task: Task, script: Script) -> Report:
    found = task.halves
    if found.pair.said_by:
        return pairing.from_script(task, script)
    meant = found.meaning(script.path)
    notebook = pairing.combined(found, script, meant)
    form = found.pair.form_of(script.path)
    if not scripts.is_read_alike(scripts.writes(notebook, script.path, form), script.path, form):
        notebook = scripts.with_header(notebook)
    if meant is script.literal:
        _check_lines(script, notebook, found)
    return task.write(notebook, (), script)


def _check_lines(script: Script, notebook: Notebook, found: Halves) -> None:
    """Refuse a script that would come back from its notebook with other lines."""
    place = script.path
    text = scripts.writes(notebook, place, found.pair.form_of(place))
    back = scripts.reads(text, place, found.pair.form_of(place))
    agreement.check_lossless(notebook, back, place, place)
    mine, other = _lines(script.text), _lines(text)
    wrong = next((one for one, two in zip(mine, other, strict=False) if one != two), None)
    if wrong is None and len(mine) == len(other):
        return
    line = wrong if wrong is not None else [*mine, *other][min(len(mine), len(other))]
    raise NotebookError(
        f"{script.place_of(line)}: jupytext would not bring this line back as it is:"
        f" `{agreement.visible(line)}`"
    )


def _lines(text: str) -> list[str]:
    """The lines of a script that a person wrote: no header, no markers, no blank lines."""
    body = scripts.body(text)
    lines = [line.rstrip() for line in body.splitlines()]
    return [line for line in lines if line and not MARKER.match(line)]
