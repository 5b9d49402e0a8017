"""Keeping a notebook and its script the same, as an ordinary jupytext pair.

JupyterLab and VS Code read the same metadata and configuration files, and see the same pair. What
they do not do is done here: nothing is written where both say the same, nothing that would not
read back as the same code, and a version whose sources are replaced stays beside the file. Of two
halves that differ the one that was written later wins, as in `jupytext --sync`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nbbg.errors import NotebookError
from nbbg.notebook import agreement, commands, document, ipynb, scripts, trust, userfiles

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nbbg.notebook.scripts import Notebook, Pair, Script
    from nbbg.notebook.userfiles import UserFile

FORMATS, OTHER_FORMATS = "ipynb,py:percent", "ipynb,auto:percent"
MINOR_WITH_IDS = 5
EMPTY: Notebook = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


@dataclass(frozen=True)
class PairReport:
    """What became of one pair; its text is the sentence for the person."""

    files: tuple[Path, ...]  # the notebook first; one file alone is not paired
    made: tuple[Path, ...] = ()
    updated: tuple[Path, ...] = ()
    kept: tuple[Path, ...] = ()  # older versions whose sources were replaced
    notes: tuple[str, ...] = ()  # sentences about single lines

    @property
    def paired(self) -> bool:
        """Whether there is a pair at all."""
        return len(self.files) > 1

    @property
    def changed(self) -> bool:
        """Whether anything was written."""
        return bool(self.made or self.updated)

    def __str__(self) -> str:
        """Such as `train.ipynb <-> train.py: train.py updated`."""
        names = [userfiles.shown(path) for path in self.files]
        if not self.paired:
            return f"{names[0]}: is not paired; pair it with: nbbg pair {names[0]}"
        done = [f"{userfiles.shown(path)} made" for path in self.made]
        done += [f"{userfiles.shown(path)} updated" for path in self.updated]
        done += [f"the version before is {userfiles.shown(path)}" for path in self.kept]
        return f"{' <-> '.join(names)}: {', '.join(done) or 'the same, nothing to do'}"


@dataclass(frozen=True)
class _Halves:
    """A pair as it is on disk, each file read once."""

    pair: Pair
    file: UserFile  # of the notebook
    notebook: Notebook  # empty where there is no file
    texts: dict[Path, Script]  # those that are there

    @property
    def newest_text(self) -> Script | None:
        """The text that was written last."""
        return max(self.texts.values(), key=lambda text: text.file.changed_at, default=None)


@dataclass(frozen=True)
class _Write:
    file: UserFile
    text: str
    loses: bool  # a source that the new version does not have


def pair(path: Path, formats: str = "") -> PairReport:
    """Make the other half of a pair, and say in both that they are one.

    Args:
        path: the notebook or the script.
        formats: as in `jupytext --set-formats`; empty: a percent script in the notebook's
            language. Its own metadata and jupytext's configuration go before them.

    Raises:
        NotebookError: the other half is there with other code, or would not have the same code;
            nothing is written then.
    """
    path = _absolute(path)
    is_notebook = path.suffix == userfiles.NOTEBOOK
    script = None if is_notebook else scripts.read(path)
    notebook = script.magic if script else _notebook(userfiles.read(path))
    if not formats:
        formats = FORMATS if document.language_of(notebook) == "python" else OTHER_FORMATS
    both = scripts.pair_of(path, notebook) or scripts.pair_as(path, notebook, formats)
    try:
        halves = _halves(both, script)
    except NotebookError as error:
        if not is_notebook:
            raise
        raise NotebookError(_other_code(both, both.texts[0][0], path)) from error
    if script:
        return _made_from(halves, script)
    for text in halves.texts.values():
        if not agreement.same_code(notebook, text):
            raise NotebookError(_other_code(both, text.path, path))
    return _written(halves, halves.notebook)


def sync(paths: Iterable[Path]) -> list[PairReport]:
    """Bring each pair to one content; one report a pair, also where both halves are named.

    Raises:
        NotebookError: see `sync_one`; the pairs before it are in sync then.
    """
    reports: list[PairReport] = []
    for path in paths:
        if not any(_absolute(path) in report.files for report in reports):
            reports.append(sync_one(path))
    return reports


def sync_one(path: Path) -> PairReport:
    """Bring one pair to one content: that of the half that was written later.

    Raises:
        NotebookError: a half can't be read, or the result would not have the same code;
            nothing is written then.
    """
    path = _absolute(path)
    both = _declared(path)
    if both is None:
        return PairReport((path,))
    halves = _halves(both)
    newest = halves.newest_text
    if newest is None or halves.file.changed_at > newest.file.changed_at:
        return _written(halves, halves.notebook)
    if halves.file.text is None:
        return _made_from(halves, newest)
    if all(agreement.same(halves.notebook, text, both) for text in halves.texts.values()):
        return _written(halves, halves.notebook)
    meant, new, stay = commands.chosen(newest, commands.lines_of(halves.notebook))
    return _from_script(halves, newest, meant, _about(newest, new, stay))


def paired_in(folder: Path) -> list[Path]:
    """The paired notebooks right in a folder, and paired scripts whose notebook is not there."""
    found = []
    for path in userfiles.notebooks_in(folder):
        text = userfiles.read(path).text or ""
        is_notebook = path.suffix == userfiles.NOTEBOOK
        both = _declared(_absolute(path)) if is_notebook or scripts.has_header(text) else None
        if both and (is_notebook or not both.notebook.exists()):
            found.append(path)
    return found


def _declared(path: Path) -> Pair | None:
    """The pair that a file belongs to: it says so, its notebook, or a configuration file."""
    if path.suffix == userfiles.NOTEBOOK:
        return scripts.pair_of(path, _notebook(userfiles.read(path)))
    script = scripts.read(path)
    own = scripts.pair_of(path, script.magic)
    place = None if own else commands.book_of(script)
    return scripts.pair_of(place, _notebook(userfiles.read(place))) if place else own


def _halves(both: Pair, known: Script | None = None) -> _Halves:
    file = userfiles.read(both.notebook)
    notebook = _notebook(file) if file.text is not None else dict(EMPTY)
    places = [place for place, _ in both.texts if place.exists()]
    texts = {
        place: known if known and known.path == place else scripts.read(place) for place in places
    }
    return _Halves(both, file, notebook, texts)


def _made_from(halves: _Halves, script: Script) -> PairReport:
    """Pair a script with a notebook that has the same code, or with a new one."""
    if halves.file.text is not None:
        if agreement.same(halves.notebook, script, halves.pair):
            return _written(halves, halves.notebook)
        code = ipynb.code(halves.notebook)
        for meant in (script.magic, script.literal):
            if ipynb.code(meant) == code:
                return _from_script(halves, script, meant, ())
        raise NotebookError(_other_code(halves.pair, halves.file.path, script.path))
    doubtful = [line for line in commands.doubtful(script) if line.does_something]
    if doubtful and halves.pair.said_by:
        raise NotebookError(_undecidable(halves.pair, script, doubtful[0]))
    meant = script.magic if halves.pair.said_by else script.literal
    return _from_script(halves, script, meant, _about(script, [], doubtful))


def _from_script(
    halves: _Halves, script: Script, meant: Notebook, notes: tuple[str, ...]
) -> PairReport:
    notebook = scripts.combine(meant, halves.notebook, halves.pair.form_of(script.path))
    own = notebook["metadata"].get("jupytext", {})
    own.pop("text_representation", None)
    if not halves.pair.said_by and own.get("notebook_metadata_filter") == "-all":
        # What jupytext concludes from a script without a header; the script of a pair has one.
        del own["notebook_metadata_filter"]
        own.pop("cell_metadata_filter", None)
    return _written(halves, notebook, notes, source=script)


def _written(
    halves: _Halves,
    notebook: Notebook,
    notes: tuple[str, ...] = (),
    source: Script | None = None,
) -> PairReport:
    """Write what has to be written so that all files of the pair say what `notebook` says."""
    both = halves.pair
    notebook = _declaring(both, notebook)
    planned = [_book_write(halves, notebook)]
    planned += [_text_write(halves, place, notebook) for place, _ in both.texts]
    writes = [write for write in planned if write is not None]
    kept = []
    for write in writes:
        is_source = source is not None and write.file == source.file
        kept.append(write.file.replace(write.text, keep=write.loses and not is_source))
        if write.file == halves.file:
            trust.keep(halves.file)
    return PairReport(
        both.files,
        made=tuple(write.file.path for write in writes if write.file.text is None),
        updated=tuple(write.file.path for write in writes if write.file.text is not None),
        kept=tuple(place for place in kept if place is not None),
        notes=(*notes, *_commented_python(both, notebook)) if writes else (),
    )


def _declaring(both: Pair, notebook: Notebook) -> Notebook:
    """The notebook with the metadata that says of what pair it is, unless a configuration does."""
    if both.said_by == "configuration":
        return notebook
    metadata = notebook["metadata"]
    own = {**metadata.get("jupytext", {}), "formats": both.formats}
    return {**notebook, "metadata": dict(sorted({**metadata, "jupytext": own}.items()))}


def _book_write(halves: _Halves, notebook: Notebook) -> _Write | None:
    if halves.file.text is not None and notebook == halves.notebook:
        return None
    drop = set() if notebook["nbformat_minor"] >= MINOR_WITH_IDS else {"id"}
    cells = [{key: cell[key] for key in sorted(cell.keys() - drop)} for cell in notebook["cells"]]
    text = ipynb.dump({**notebook, "cells": cells}, halves.file.text)
    return _Write(halves.file, text, agreement.loses(halves.notebook, notebook))


def _text_write(halves: _Halves, place: Path, notebook: Notebook) -> _Write | None:
    form = halves.pair.form_of(place)
    text = scripts.writes(notebook, place, form)
    back = scripts.reads(text, place, form)
    agreement.check_lossless(notebook, back, halves.pair.notebook, place)
    script = halves.texts.get(place)
    if script is None:
        return _Write(userfiles.read(place), text, loses=False)
    says_so = scripts.pair_of(place, script.magic) is not None
    same = says_so and agreement.contents(back) == agreement.contents(script.magic)
    if same or text == script.text:
        return None
    return _Write(script.file, text, agreement.loses(script.magic, back))


def _other_code(both: Pair, other: Path, path: Path) -> str:
    todo = f"nbbg sync {userfiles.shown(path)}" if both.said_by else "move one of them away"
    there = f"{userfiles.shown(other)}: is there already, and its code is not that of {path.name}"
    return f"{there}; {todo}"


def _undecidable(both: Pair, script: Script, line: commands.Line) -> str:
    shown = userfiles.shown(script.path)
    return (
        f"{script.place_of(line.comment)}: `{line.comment.strip()}` is a command or a"
        f" comment; {both.notebook.name}, which would tell, is not there.\n"
        f"A command: jupytext --sync {shown}. A comment: take `formats:` out of its header first"
    )


def _about(script: Script, new: list[commands.Line], stay: list[commands.Line]) -> tuple[str, ...]:
    said = [(line, f"`{line.command.strip()}` is a command now") for line in new]
    said += [(line, f"`{line.comment.strip()}` stays a comment") for line in stay]
    return tuple(f"{script.place_of(line.comment)}: {what}" for line, what in said)


def _commented_python(both: Pair, notebook: Notebook) -> list[str]:
    script = both.texts[0][0].name
    return [
        f"code cell {number}: `{line}` is a comment in {script}, since jupytext takes it for a"
        " command; nbbg runs the notebook's cells"
        for number, line in commands.commented_python(notebook)
    ]


def _notebook(file: UserFile) -> Notebook:
    return ipynb.parse(userfiles.wanted(file), file.path, upgrade=False)


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))
