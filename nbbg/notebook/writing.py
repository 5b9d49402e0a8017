"""Writing a pair: each file that does not say what it should, in an order that a crash may break.

The script that is followed comes first, so that the next sync sees the same edit again; then the
notebook, the other scripts, and last the record. A killed sync leaves files that are whole, old or
new, beside a record that still tells which of them was edited.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbbg.classes import dataclass
from nbbg.notebook import agreement, commands, formats, ipynb, records, scripts, trust, userfiles
from nbbg.notebook.records import Record

if TYPE_CHECKING:
    from pathlib import Path

    from nbbg.notebook.formats import Format, Notebook
    from nbbg.notebook.halves import Halves
    from nbbg.notebook.records import Memory
    from nbbg.notebook.scripts import Script
    from nbbg.notebook.userfiles import UserFile

MINOR_WITH_IDS = 5


@dataclass(frozen=True)
class Report:
    """What became of one pair or conversion; its text is the sentence for the person."""

    files: tuple[Path, ...]  # the notebook first; one file alone is not paired
    made: tuple[Path, ...] = ()
    updated: tuple[Path, ...] = ()
    kept: tuple[Path, ...] = ()  # older versions whose sources were replaced
    notes: tuple[str, ...] = ()  # sentences about single lines
    target: Path | None = None  # of a conversion, which makes no pair
    stamps: tuple[tuple[Path, tuple[int, ...]], ...] = ()  # of the files as read or written

    @property
    def paired(self) -> bool:
        """Whether there is a pair at all."""
        return len(self.files) > 1

    @property
    def changed(self) -> bool:
        """Whether anything was written, or would be."""
        return bool(self.made or self.updated)

    def __str__(self) -> str:
        """Such as `train.ipynb <-> train.py: train.py updated`."""
        names = [userfiles.shown(path) for path in self.files]
        if not self.paired:
            return f"{names[0]}: is not paired; pair it with: nbbg pair {names[0]}"
        done = [f"{userfiles.shown(path)} made" for path in self.made]
        done += [f"{userfiles.shown(path)} updated" for path in self.updated]
        done += [f"the version before is {userfiles.shown(path)}" for path in self.kept]
        if self.files[0] == self.target:
            names.reverse()
        arrow = " <-> " if self.target is None else " -> "
        return f"{arrow.join(names)}: {', '.join(done) or 'the same, nothing to do'}"


@dataclass(frozen=True)
class Task:
    """A pair, and how it is written."""

    halves: Halves
    memory: Memory
    dry: bool = False  # say what would be written, and write nothing
    target: Path | None = None  # of a conversion: the only file that may be written
    keep: bool = False  # whether what is replaced always stays beside, not only where sources go

    def write(
        self, notebook: Notebook, notes: tuple[str, ...] = (), source: Script | None = None
    ) -> Report:
        """Write what has to be written so that all files say what `notebook` says.

        Args:
            notebook: what they are to say.
            notes: for the report.
            source: the script that says it, where it is no notebook that is followed.

        Raises:
            NotebookError: a script would not read back as the same cells; nothing is written then.
        """
        halves = self.halves
        notebook = _declaring(halves, notebook)
        texts = [_text_write(halves, *text, notebook) for text in halves.pair.texts]
        writes = [_book_write(halves, notebook), *(write for write, _ in texts)]
        todo = [write for write in writes if write and self.target in (None, write.file.path)]
        todo.sort(key=lambda write: source is None or write.file != source.file)
        done = [] if self.dry else [self._apply(write, source) for write in todo]
        stamps = self._stamps() | {
            write.file.path: stamp for write, (_, stamp) in zip(todo, done, strict=False)
        }
        if not self.dry:
            self._remember([record for _, record in texts])
        return Report(
            halves.pair.files,
            made=tuple(write.file.path for write in todo if write.file.text is None),
            updated=tuple(write.file.path for write in todo if write.file.text is not None),
            kept=tuple(place for place, _ in done if place is not None),
            notes=(*notes, *_commented(halves, notebook)) if todo else (),
            target=self.target,
            stamps=tuple(stamps.items()),
        )

    def agreed(self) -> Report:
        """Write nothing, since all files say the same; the record is brought up to date."""
        halves = self.halves
        if not self.dry:
            known = ((place, halves.meaning(place)) for place in halves.texts)
            literal = {place: script.literal for place, script in halves.texts.items()}
            self._remember([_record(halves, *one, literal[one[0]]) for one in known])
        stamps = tuple(self._stamps().items())
        return Report(halves.pair.files, target=self.target, stamps=stamps)

    def _apply(self, write: _Write, source: Script | None) -> tuple[Path | None, tuple[int, ...]]:
        is_source = source is not None and write.file == source.file
        keep = (write.loses or self.keep) and not is_source
        done = write.file.replace(write.text, keep=keep)
        if write.file == self.halves.file:
            trust.keep(self.halves.file)
        return done

    def _stamps(self) -> dict[Path, tuple[int, ...]]:
        """Those of the files as they were read, of which a dry run knows nothing."""
        read = [self.halves.file, *(script.file for script in self.halves.texts.values())]
        return {} if self.dry else {file.path: file.stamp for file in read if file.text is not None}

    def _remember(self, seen: list[Record]) -> None:
        for record in seen:
            if record not in self.halves.records.values():
                self.memory.remember(record)


@dataclass(frozen=True)
class _Write:
    file: UserFile
    text: str
    loses: bool  # a source that the new version does not have


def _declaring(halves: Halves, notebook: Notebook) -> Notebook:
    """The notebook with the metadata that says of what pair it is, unless a configuration does."""
    if halves.pair.said_by == "configuration" or not halves.pair.formats:
        return notebook
    metadata = notebook["metadata"]
    own = {**metadata.get("jupytext", {}), "formats": halves.pair.formats}
    return {**notebook, "metadata": dict(sorted({**metadata, "jupytext": own}.items()))}


def _book_write(halves: Halves, notebook: Notebook) -> _Write | None:
    if halves.file.text is not None and notebook == halves.notebook:
        return None
    drop = set() if notebook["nbformat_minor"] >= MINOR_WITH_IDS else {"id"}
    cells = [{key: cell[key] for key in sorted(cell.keys() - drop)} for cell in notebook["cells"]]
    text = ipynb.dump({**notebook, "cells": cells}, halves.file.text)
    return _Write(halves.file, text, agreement.loses(halves.notebook, notebook))


def _text_write(
    halves: Halves, place: Path, form: Format, notebook: Notebook
) -> tuple[_Write | None, Record]:
    text, back = scripts.written(notebook, place, form)
    agreement.check_lossless(notebook, back, halves.pair.notebook, place)
    record = _record(halves, place, back, scripts.commented(notebook, back, text, place, form))
    script = halves.texts.get(place)
    if script is None:
        return _Write(userfiles.read(place), text, loses=False), record
    says_so = not halves.pair.formats or formats.pair_of(place, script.magic) is not None
    meaning = halves.meaning(place)
    same = says_so and agreement.contents(back) == agreement.contents(meaning)
    if same or text == script.text:
        return None, record
    return _Write(script.file, text, agreement.loses(script.magic, back)), record


def _record(halves: Halves, place: Path, said: Notebook, literal: Notebook) -> Record:
    return Record(
        records.place(place),
        records.place(halves.pair.notebook),
        records.fingerprint(agreement.contents(said)),
        commands.made(said, literal),
    )


def _commented(halves: Halves, notebook: Notebook) -> list[str]:
    """Sentences about Python that is a comment in the script."""
    script = halves.pair.texts[0][0].name
    said = [
        f"code cell {number}: is a comment in {script}, since the script would break it"
        for number, cell in enumerate(commands.code_cells(notebook), 1)
        if cell["metadata"].get("active") == "ipynb"
    ]
    if notebook["metadata"].get("jupytext", {}).get("comment_magics") is False:
        return said
    return said + [
        f"code cell {number}: `{line}` is a comment in {script}, since jupytext takes it for a"
        " command; nbbg runs the notebook's cells"
        for number, line in commands.commented_python(notebook)
    ]
