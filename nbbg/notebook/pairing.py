"""Keeping a notebook and its script the same, as an ordinary jupytext pair.

JupyterLab and VS Code read the same metadata and configuration files, and see the same pair. What
they do not do is done here: content and a record decide which side was edited, never the times of
the files; nothing is written where both say the same, nothing that would not read back as the same
cells; and where both were edited, both are left as they are until a person chooses.
"""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from nbbg.classes import replace
from nbbg.errors import NotebookError
from nbbg.notebook import (
    agreement,
    commands,
    document,
    fitting,
    formats,
    halves,
    ipynb,
    records,
    scripts,
    userfiles,
)
from nbbg.notebook.halves import Agreed, Differ, Follow, Halves
from nbbg.notebook.writing import Report, Task

if TYPE_CHECKING:
    from nbbg.notebook.formats import Notebook, Pair
    from nbbg.notebook.records import Memory
    from nbbg.notebook.scripts import Script

FORMATS, OTHER_FORMATS = "ipynb,py:percent", "ipynb,auto:percent"
SHOWN = 5  # differences in a message


class Side(StrEnum):
    """One of the two, chosen by a person."""

    SCRIPT = "script"
    NOTEBOOK = "notebook"


def pair(path: Path, memory: Memory, wanted: str = "", *, dry: bool = False) -> Report:
    """Make the other half of a pair, and say in both that they are one.

    Args:
        path: the notebook or the script.
        memory: of records.
        wanted: formats as in `jupytext --set-formats`; empty: a percent script in the notebook's
            language. Its own metadata and jupytext's configuration go before them.
        dry: write nothing.

    Raises:
        NotebookError: the other half is there with other code, or would not have the same code;
            nothing is written then.
    """
    path = absolute(path)
    is_notebook = path.suffix == userfiles.NOTEBOOK
    script = None if is_notebook else scripts.read(path)
    notebook = script.magic if script else read_notebook(path)
    if not wanted:
        wanted = FORMATS if document.language_of(notebook) == "python" else OTHER_FORMATS
    both = formats.pair_of(path, notebook) or formats.pair_as(path, notebook, wanted)
    _refuse_taken(both, memory)
    try:
        found = halves.read(both, memory, script)
    except NotebookError as error:
        if not is_notebook:
            raise
        raise NotebookError(_other_code(both, both.texts[0][0], path)) from error
    task = Task(found, memory, dry)
    if script:
        return _pair_script(task, script)
    for text in found.texts.values():
        if not agreement.same_code(notebook, text):
            raise NotebookError(_other_code(both, text.path, path))
    return from_notebook(task)


def sync(path: Path, memory: Memory, side: Side | None = None, *, dry: bool = False) -> Report:
    """Bring one pair to one content: that of the side that was edited since they were the same.

    Args:
        path: one of its files.
        memory: of records.
        side: the one that is to win where both were edited, or nobody knows; the other is kept.
        dry: write nothing.

    Raises:
        NotebookError: a half can't be read, the result would not have the same cells, or both
            sides differ from the record; nothing is written then.
    """
    path = absolute(path)
    both = declared(path)
    if both is None:
        return Report((path,))
    found = halves.read(both, memory)
    task = Task(found, memory, dry)
    if side is not None:
        return _chosen(task, side, path)
    match found.standing:
        case Agreed(missing):
            return from_notebook(task) if missing or not _declared_in_all(found) else task.agreed()
        case Follow(source) if source == found.file.path:
            return from_notebook(task)
        case Follow(source):
            return from_script(task, found.texts[source])
        case Differ() as differ:
            raise NotebookError(undecided(found, differ))
        case other:
            assert_never(other)


def declared(path: Path) -> Pair | None:
    """The pair that a file belongs to: it says so, its notebook, or a configuration file."""
    if path.suffix == userfiles.NOTEBOOK:
        return formats.pair_of(path, read_notebook(path, old=True))
    if not scripts.has_cells(path):
        return None
    script = scripts.read(path)
    own = formats.pair_of(path, script.magic)
    place = None if own else commands.book_of(script)
    return formats.pair_of(place, read_notebook(place, old=True)) if place else own


def from_notebook(task: Task) -> Report:
    """Let the scripts say what the notebook says."""
    found = task.halves
    return task.write(fitting.fitted(found.notebook, found.pair.texts))


def from_script(task: Task, script: Script) -> Report:
    """Let the notebook, and the other scripts, say what a script of a pair says."""
    found = task.halves
    if found.file.text is None:
        return _make_notebook(task, script)
    meant, new, stay = commands.chosen(script, commands.lines_of(found.notebook))
    return task.write(combined(found, script, meant), _about(script, new, stay), script)


def combined(found: Halves, script: Script, meant: Notebook) -> Notebook:
    """What a script means, with all that the notebook has besides."""
    notebook = scripts.combine(meant, found.notebook, found.pair.form_of(script.path))
    if not found.pair.formats:
        notebook = scripts.unpaired(notebook)
    own = notebook["metadata"].get("jupytext", {})
    of_text = own.pop("text_representation", {})
    if not found.pair.formats and of_text.get("format_name") != formats.PERCENT:
        kept = {key: of_text[key] for key in ("extension", "format_name") if key in of_text}
        own["text_representation"] = kept
    if found.pair.formats and own.get("notebook_metadata_filter") == "-all":
        # What jupytext concludes from a script without a header; the script of a pair has one.
        del own["notebook_metadata_filter"]
        own.pop("cell_metadata_filter", None)
        own.pop("main_language", None)
    if meant is script.literal and any(line.does_something for line in commands.doubtful(script)):
        notebook = scripts.with_header(_with_option(notebook, "comment_magics", value=False))
    return notebook


def undecided(found: Halves, differ: Differ) -> str:
    """Why nothing is written: which cells differ, and how a side is chosen."""
    book, text = userfiles.shown(found.file.path), userfiles.shown(differ.place)
    if found.file.text is None:
        return f"{text}: differs from another script of its pair; remove one of them"
    said = halves.differing(found, differ.place)
    more = f"; and {len(said) - SHOWN} more" if len(said) > SHOWN else ""
    why = "were both edited" if differ.recorded else "differ, and nbbg has not seen them the same"
    return (
        f"{book} and {text} {why}: {'; '.join(said[:SHOWN])}{more}\n"
        f"nothing was written; choose: nbbg sync {text} --from script (or notebook)"
    )


def read_notebook(path: Path, *, old: bool = False) -> Notebook:
    """A notebook that must be there."""
    return ipynb.read(path, upgrade=old)[1]


def absolute(path: Path) -> Path:
    """The path from the root, links left as they are."""
    return Path(os.path.abspath(path))


def _chosen(task: Task, side: Side, path: Path) -> Report:
    found = task.halves
    match side:
        case Side.NOTEBOOK:
            userfiles.wanted(found.file)
            return from_notebook(replace(task, keep=True))
        case Side.SCRIPT:
            place = path if path in found.texts else found.pair.texts[0][0]
            if place not in found.texts:
                raise NotebookError(userfiles.missing(place))
            script = found.texts[place]
            if found.file.text is None:
                return task.write(combined(found, script, script.magic), (), script)
            same = isinstance(found.standing, Agreed)
            return from_script(task if same else replace(task, keep=True), script)
        case other:
            assert_never(other)


def _pair_script(task: Task, script: Script) -> Report:
    """Pair a script with a notebook that has the same code, or with a new one."""
    found = task.halves
    if found.file.text is None:
        return _make_notebook(task, script)
    if found.pair.said_by and isinstance(found.standing, Agreed):
        return from_notebook(task)
    code = ipynb.code(found.notebook)
    for meant in (script.magic, script.literal):
        if ipynb.code(meant) == code:
            return task.write(combined(found, script, meant), (), script)
    raise NotebookError(_other_code(found.pair, found.file.path, script.path))


def _make_notebook(task: Task, script: Script) -> Report:
    found = task.halves
    record = found.records.get(script.path)
    meant = commands.meant(script, found.notebook, record)
    doubtful = [line for line in commands.doubtful(script) if line.does_something]
    if doubtful and found.pair.said_by and record is None:
        raise NotebookError(_undecidable(found.pair, script, doubtful[0]))
    if not doubtful:
        meant = script.magic if found.pair.said_by else script.literal
    notes = _about(script, [], doubtful) if meant is script.literal else ()
    return task.write(combined(found, script, meant), notes, script)


def _declared_in_all(found: Halves) -> bool:
    """Whether each file says of what pair it is, so that jupytext sees the pair from each."""
    if found.pair.said_by == "configuration":
        return True
    own = found.notebook["metadata"].get("jupytext", {})
    return "formats" in own and all(
        formats.pair_of(place, script.magic) is not None for place, script in found.texts.items()
    )


def _with_option(notebook: Notebook, name: str, *, value: bool) -> Notebook:
    own = {**notebook["metadata"].get("jupytext", {}), name: value}
    return {**notebook, "metadata": {**notebook["metadata"], "jupytext": own}}


def _refuse_taken(both: Pair, memory: Memory) -> None:
    for place, _ in both.texts:
        record = memory.recall(place) if place.exists() else None
        if record and record.book != records.place(both.notebook) and record.book.exists():
            raise NotebookError(
                f"{userfiles.shown(place)}: is the script of {userfiles.shown(record.book)} already"
            )


def _other_code(both: Pair, other: Path, path: Path) -> str:
    todo = f"nbbg sync {userfiles.shown(path)}" if both.said_by else "move one of them away"
    there = f"{userfiles.shown(other)}: is there already, and its code is not that of {path.name}"
    return f"{there}; {todo}"


def _undecidable(both: Pair, script: Script, line: commands.Line) -> str:
    shown = userfiles.shown(script.path)
    return (
        f"{script.place_of(line.comment)}: `{line.comment.strip()}` is a command or a"
        f" comment; {both.notebook.name}, which would tell, is not there.\nA command:"
        f" nbbg sync --from script {shown}. A comment: take `formats:` out of its header first"
    )


def _about(script: Script, new: list[commands.Line], stay: list[commands.Line]) -> tuple[str, ...]:
    said = [(line, f"`{line.command.strip()}` is a command now") for line in new]
    said += [(line, f"`{line.comment.strip()}` stays a comment") for line in stay]
    return tuple(f"{script.place_of(line.comment)}: {what}" for line, what in said)
