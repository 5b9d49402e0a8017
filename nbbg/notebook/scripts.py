"""The one module that speaks with jupytext: scripts are read, notebooks written as scripts.

A script is read in two ways. `literal`: a comment is a comment. `magic`: as jupytext reads the
script of a pair, where `# !ls` and even `# rm x` stand for commands that it had to comment out.
Which of the two is meant only a notebook can tell that has the same code, so nothing here decides
that alone. Nothing that jupytext says reaches the terminal; its errors come out as NotebookError.
"""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import TYPE_CHECKING

from nbbg.classes import dataclass, field
from nbbg.errors import NotebookError
from nbbg.notebook import formats, ipynb, userfiles
from nbbg.notebook.calling import configuration, node, quiet

if TYPE_CHECKING:
    from nbbg.notebook.formats import Format, Notebook

_CELLS = re.compile(rb"^\s*(#|//|--|;;|%|/)\s*%%(\s|$)|^(#|//|--|;;)\s+jupytext:", re.MULTILINE)
_HEAD = 1 << 20
_ORIGIN = "nbbg origin"  # in a cell, while it is combined

_MARKER = re.compile(r"^\s*#\s*%%(%*\s.*)?$|^\s*#\s*(<codecell>|In\[[0-9 ]*\]:?)\s*$", re.MULTILINE)
_HEADER = re.compile(r"(?:(?:#|//|--|;;|%).*\r?\n)*")
_YAML = re.compile(r"\A((?:#!.*\n|#.*coding.*\n)*)(\S+) ---\r?\n(?:\2.*\n)*?\2 ---\r?\n")
_HEADER_OPTION = re.compile(r"^\S+\s+comment_magics:", re.MULTILINE)
_HEADER_FORMAT = re.compile(r"^#\s+format_name:\s*(\w+)\s*$", re.MULTILINE)
_ODD_LINE_END = re.compile("[\x0b\x1c-\x1e\x85\u2028\u2029]|(?<=[^\n\r])\x0c|\x0c(?=[^\n\r])")

_last: list[tuple[Notebook, Path, Format, str, Notebook]] = []  # one at most


@dataclass(frozen=True)
class Script:
    """The text side of a notebook, read in both ways."""

    file: userfiles.UserFile
    literal: Notebook = field(repr=False)
    magic: Notebook = field(repr=False)

    @property
    def path(self) -> Path:
        """Where it is."""
        return self.file.path

    @property
    def text(self) -> str:
        """What is in it."""
        return self.file.text or ""

    def place_of(self, line: str) -> str:
        """Where a line is, such as `train.py:7`."""
        lines = [one.strip() for one in self.text.splitlines()]
        number = f":{lines.index(line.strip()) + 1}" if line.strip() in lines else ""
        return f"{userfiles.shown(self.path)}{number}"


def read(path: Path) -> Script:
    """Read a script that is there.

    Raises:
        NotebookError: it can't be read, has no cells, or jupytext refuses it.
    """
    file = userfiles.read(path)
    text = userfiles.wanted(file)
    form = formats.of_text(path)
    if path.suffix == userfiles.SCRIPT:
        _check_script(text, path, form.get("format_name", ""))
    return Script(file, literally(text, path, form), reads(text, path, form))


def literally(text: str, path: Path, form: Format) -> Notebook:
    """A script's text as a notebook whose comments are those of the script."""
    notebook = reads(text, path, form, comment_magics=False)
    _comment_again(notebook, text)
    return notebook


def reads(text: str, path: Path, form: Format, *, comment_magics: bool | None = None) -> Notebook:
    """A script's text as a notebook; `comment_magics=False` leaves all comments alone.

    A format that the text's own header names goes before `form`.
    """
    wanted = {**form, "extension": path.suffix}
    if comment_magics is not None:
        wanted["comment_magics"] = comment_magics
    with quiet(path) as jupytext:
        notebook: Notebook = jupytext.reads(text, wanted, config=configuration(path))
    if comment_magics is not None and not _HEADER_OPTION.search(text, 0, _end_of_header(text)):
        notebook["metadata"].get("jupytext", {}).pop("comment_magics", None)
    return notebook


def writes(notebook: Notebook, path: Path, form: Format) -> str:
    """A notebook as the text of a script, which is not written anywhere."""
    with quiet(path) as jupytext:
        text: str = jupytext.writes(node(notebook), dict(form), config=configuration(path))
    try:
        text.encode()
    except UnicodeEncodeError:
        raise NotebookError(
            f"{userfiles.shown(path)}: can't be written: the notebook holds half a surrogate pair"
        ) from None
    return text if text.endswith("\n") else text + "\n"


def through(notebook: Notebook, path: Path, form: Format) -> Notebook:
    """What is read back when a notebook is written as a script."""
    return written(notebook, path, form)[1]


def written(notebook: Notebook, path: Path, form: Format) -> tuple[str, Notebook]:
    """A notebook as the text of a script, and what is read back from that.

    The last one is remembered, since it is proved to be without loss, and then wanted again.
    """
    for before, where, how, text, back in _last:
        if before is notebook and (where, how) == (path, form):
            return text, back
    text = writes(notebook, path, form)
    back = reads(text, path, form)
    _last[:] = [(notebook, path, dict(form), text, back)]
    return text, back


def forget() -> None:
    """Let go of the notebook in work, which was remembered so that it is read and written once."""
    _last.clear()
    ipynb.forget()


def commented(notebook: Notebook, back: Notebook, text: str, path: Path, form: Format) -> Notebook:
    """What was written, and reads back as `back`, read literally.

    In an ordinary Python script the two differ in what jupytext's own function comments alone.
    """
    cells = [cell for cell in back["cells"] if cell["cell_type"] == "code"]
    if (
        form != {"extension": userfiles.SCRIPT, "format_name": formats.PERCENT}
        or notebook["metadata"].get("jupytext")
        or configuration(path)
        or any(not _is_plain(cell) for cell in cells)
    ):
        return literally(text, path, form)
    return {**back, "cells": [{**cell, "source": _commented(cell["source"])} for cell in cells]}


def is_read_alike(text: str, path: Path, form: Format) -> bool:
    """Whether jupytext, which is not told the format, reads a script as it is read here."""
    if has_header(text):
        return True
    with quiet(path) as jupytext:
        guessed = jupytext.reads(text, {"extension": path.suffix})
    mine = reads(text, path, form)
    return [(cell["cell_type"], cell["source"]) for cell in guessed["cells"]] == [
        (cell["cell_type"], cell["source"]) for cell in mine["cells"]
    ]


def with_header(notebook: Notebook) -> Notebook:
    """A notebook whose script gets a header, although the one that it was read from had none."""
    own = {**notebook["metadata"].get("jupytext", {})}
    own.pop("notebook_metadata_filter", None)
    return {**notebook, "metadata": {**notebook["metadata"], "jupytext": own}}


def combine(sources: Notebook, outputs: Notebook, form: Format) -> Notebook:
    """The cells of one notebook with the outputs, ids and further metadata of another.

    A source that stays the same also keeps what no script can hold: its line ends, and blank
    lines at its end.
    """
    if not outputs["cells"] and not outputs["metadata"]:
        for cell in sources["cells"]:
            cell.pop("id", None)  # jupytext throws dice
        ipynb.add_ids(sources["cells"])
        return sources
    cells = [{**cell, _ORIGIN: index} for index, cell in enumerate(outputs["cells"])]
    fresh = [{**cell, _ORIGIN: None} for cell in sources["cells"]]
    with quiet(Path("the pair")):
        from jupytext.combine import combine_inputs_with_outputs

        copied = node(copy.deepcopy({**sources, "cells": fresh}))
        kept = node({**outputs, "cells": cells}, outputs=True)
        combined: Notebook = combine_inputs_with_outputs(copied, kept, fmt=dict(form))
    for cell in combined["cells"]:
        origin = cell.pop(_ORIGIN)
        if origin is None:
            cell.pop("id", None)
            continue
        before = outputs["cells"][origin]["source"]
        if ipynb.comparable(before) == ipynb.comparable(cell["source"]):
            cell["source"] = before
    ipynb.add_ids(combined["cells"])
    return combined


def unpaired(notebook: Notebook) -> Notebook:
    """A notebook whose metadata does not say that it is one of a pair."""
    own = {**notebook["metadata"].get("jupytext", {})}
    if own.pop("formats", None) is None:
        return notebook
    others = {key: value for key, value in notebook["metadata"].items() if key != "jupytext"}
    return {**notebook, "metadata": {**others, **({"jupytext": own} if own else {})}}


def _is_plain(cell: Notebook) -> bool:
    return (
        not cell["source"].lstrip().startswith(("%%", "# %%"))
        and not {
            "active",
            "language",
            "tags",
        }
        & cell["metadata"].keys()
    )


def _commented(source: str) -> str:
    from jupytext.magics import comment_magic

    return "\n".join(comment_magic(source.split("\n")))


def _check_script(text: str, path: Path, format_name: str) -> None:
    odd = _ODD_LINE_END.search(text)
    if odd:
        line = text.count("\n", 0, odd.start()) + 1
        raise NotebookError(
            f"{userfiles.shown(path)}:{line}: jupytext would break this line at its"
            f" U+{ord(odd[0]):04X}; write it as an escape"
        )
    declared = _HEADER_FORMAT.search(text, 0, _end_of_header(text))
    if not declared and format_name == formats.PERCENT and not _has_marker(text):
        raise NotebookError(
            f"{userfiles.shown(path)}: is one plain script: no line begins with `# %%`.\n"
            f"`# %%` as its first line makes it a notebook of one cell"
        )


def has_cells(path: Path) -> bool:
    """Whether a script looks like a notebook: it has a header of jupytext or a marker."""
    if path.suffix != userfiles.SCRIPT and path.suffix not in formats.suffixes():
        return True  # a text in Markdown
    try:
        with path.open("rb") as file:
            return bool(_CELLS.search(file.read(_HEAD)))
    except OSError:
        return True  # which is said when it is read


def has_header(text: str) -> bool:
    """Whether jupytext wrote this text, as its header tells."""
    return "jupytext:" in text[: _end_of_header(text)]


def body(text: str) -> str:
    """A script without the header that jupytext writes."""
    return _YAML.sub(r"\1", text, count=1) if has_header(text) else text


def _end_of_header(text: str) -> int:
    found = _HEADER.match(text)
    return found.end() if found else 0


def _has_marker(text: str) -> bool:
    """Whether a cell marker stands outside of strings."""
    from jupytext.stringparser import StringParser

    if not _MARKER.search(text):
        return False
    parser = StringParser("python")
    for line in text.splitlines():
        if not parser.is_quoted() and _MARKER.match(line):
            return True
        parser.read_line(line)
    return False


def _comment_again(notebook: Notebook, text: str) -> None:
    """Put back the comments of cells marked `language=` or `active=`, which jupytext removes."""
    lines = text.splitlines()
    for cell in notebook["cells"]:
        source = cell["source"].split("\n")
        explicit = source[0].startswith("%%") or "active" in cell["metadata"]
        if cell["cell_type"] != "code" or not explicit or _block(lines, source):
            continue
        head = source[:1] if source[0].startswith("%%") else []
        body = _block([_uncommented(line) for line in lines], source[len(head) :])
        if body:
            cell["source"] = "\n".join(head + lines[body])


def _block(lines: list[str], wanted: list[str]) -> slice | None:
    size = len(wanted)
    for start in range(len(lines) - size + 1):
        if lines[start : start + size] == wanted:
            return slice(start, start + size)
    return None


def _uncommented(line: str) -> str:
    return line.removeprefix("# ") if line.startswith("# ") else line.removeprefix("#")
