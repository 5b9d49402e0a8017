"""The one module that speaks with jupytext: scripts are read, notebooks written as scripts.

A script is read in two ways. `literal`: a comment is a comment. `magic`: as jupytext reads the
script of a pair, where `# !ls` and even `# rm x` stand for commands that it had to comment out.
Which of the two is meant only a notebook can tell that has the same code, so nothing here decides
that alone. Nothing that jupytext says reaches the terminal; its errors come out as NotebookError.
"""

from __future__ import annotations

import contextlib
import copy
import logging
import re
import textwrap
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbbg.errors import NotebookError
from nbbg.notebook import ipynb, userfiles

if TYPE_CHECKING:
    from collections.abc import Iterator

Notebook = dict[str, Any]
Format = dict[str, Any]
PERCENT = "percent"
_NO_LANGUAGE = "says not in which language it is; set its kernel in Jupyter"
_ORIGIN = "nbbg origin"  # in a cell, while it is combined

_MARKER = re.compile(r"^\s*#\s*%%(%*\s.*)?$|^\s*#\s*(<codecell>|In\[[0-9 ]*\]:?)\s*$", re.MULTILINE)
_HEADER = re.compile(r"(?:(?:#|//|--|;;|%).*\r?\n)*")
_YAML = re.compile(r"\A((?:#!.*\n|#.*coding.*\n)*)(\S+) ---\r?\n(?:\2.*\n)*?\2 ---\r?\n")
_HEADER_OPTION = re.compile(r"^\S+\s+comment_magics:", re.MULTILINE)
_HEADER_FORMAT = re.compile(r"^#\s+format_name:\s*(\w+)\s*$", re.MULTILINE)
_ODD_LINE_END = re.compile("[\x0b\x1c-\x1e\x85\u2028\u2029]|(?<=[^\n\r])\x0c|\x0c(?=[^\n\r])")


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


@dataclass(frozen=True)
class Pair:
    """Where a notebook and its texts are, as jupytext's metadata or configuration say."""

    notebook: Path
    texts: tuple[tuple[Path, Format], ...]
    formats: str  # as in `jupytext.formats`
    said_by: str  # "metadata", "configuration", or "" where nothing says so yet

    @property
    def files(self) -> tuple[Path, ...]:
        """All of it, the notebook first."""
        return self.notebook, *(place for place, _ in self.texts)

    def form_of(self, text: Path) -> Format:
        """The format of one of its texts."""
        return next(form for place, form in self.texts if place == text)


def read(path: Path) -> Script:
    """Read a script that is there.

    Raises:
        NotebookError: it can't be read, has no cells, or jupytext refuses it.
    """
    file = userfiles.read(path)
    text = userfiles.wanted(file)
    form = _format_of(path)
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
    with _quiet(path) as jupytext:
        notebook: Notebook = jupytext.reads(text, wanted, config=_configuration(path))
    if comment_magics is not None and not _HEADER_OPTION.search(text, 0, _end_of_header(text)):
        notebook["metadata"].get("jupytext", {}).pop("comment_magics", None)
    return notebook


def writes(notebook: Notebook, path: Path, form: Format) -> str:
    """A notebook as the text of a script, which is not written anywhere."""
    with _quiet(path) as jupytext:
        text: str = jupytext.writes(_node(notebook), dict(form), config=_configuration(path))
    try:
        text.encode()
    except UnicodeEncodeError:
        raise NotebookError(
            f"{userfiles.shown(path)}: can't be written: the notebook holds half a surrogate pair"
        ) from None
    return text if text.endswith("\n") else text + "\n"


def through(notebook: Notebook, path: Path, form: Format) -> Notebook:
    """What is read back when a notebook is written as a script."""
    return reads(writes(notebook, path, form), path, form)


def is_read_alike(text: str, path: Path, form: Format) -> bool:
    """Whether jupytext, which is not told the format, reads a script as it is read here."""
    if has_header(text):
        return True
    with _quiet(path) as jupytext:
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
    with _quiet(Path("the pair")):
        from jupytext.combine import combine_inputs_with_outputs

        copied = _node(copy.deepcopy({**sources, "cells": fresh}))
        kept = _node({**outputs, "cells": cells}, outputs=True)
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


def pair_of(path: Path, notebook: Notebook) -> Pair | None:
    """The pair that `path`, read as `notebook`, belongs to, or None where it is not paired."""
    with _quiet(path):
        from jupytext.config import notebook_formats

        declared = notebook["metadata"].get("jupytext", {}).get("formats")
        node, config = _node(notebook), _configuration(path)
        formats = notebook_formats(node, config, str(path), fallback_on_current_fmt=False)
    said_by = "metadata" if declared else "configuration"
    return _pair(path, formats, said_by) if formats else None


def pair_as(path: Path, notebook: Notebook, formats: str) -> Pair:
    """The pair that `path` would belong to with these formats.

    Raises:
        NotebookError: the formats are none, or have no place for `path` or for a notebook.
    """
    with _quiet(path):
        from jupytext.formats import long_form_multiple_formats

        forms: list[Format] = long_form_multiple_formats(formats, notebook["metadata"])
    extensions = {form["extension"] for form in forms}
    pair = _pair(path, forms, "") if {userfiles.NOTEBOOK, path.suffix} <= extensions else None
    if pair is None:
        raise NotebookError(
            f"{userfiles.shown(path)}: the formats {formats!r} do not pair it with anything;"
            " such as ipynb,py:percent"
        )
    return pair


def alone(book: Path, text: Path, notebook: Notebook) -> Pair:
    """A notebook and a script of which one is converted to the other, and that are no pair."""
    of_text = notebook["metadata"].get("jupytext", {}).get("text_representation", {})
    form = {"extension": text.suffix, "format_name": PERCENT, **_format_of(text)}
    if of_text.get("extension") == text.suffix and "format_name" in of_text:
        form["format_name"] = of_text["format_name"]
    return Pair(book, ((text, form),), "", "")


def unpaired(notebook: Notebook) -> Notebook:
    """A notebook whose metadata does not say that it is one of a pair."""
    own = {**notebook["metadata"].get("jupytext", {})}
    if own.pop("formats", None) is None:
        return notebook
    others = {key: value for key, value in notebook["metadata"].items() if key != "jupytext"}
    return {**notebook, "metadata": {**others, **({"jupytext": own} if own else {})}}


def extension_of(path: Path, language: str) -> str:
    """The suffix of a notebook's script, by its language.

    Raises:
        NotebookError: jupytext knows no such language.
    """
    with _quiet(path):
        from jupytext.languages import _SCRIPT_EXTENSIONS, usual_language_name
    wanted = usual_language_name(language)
    for suffix, about in _SCRIPT_EXTENSIONS.items():
        if about["language"] == wanted:
            return str(suffix)
    said = f"is in {language!r}, and jupytext has no scripts in it" if language else _NO_LANGUAGE
    raise NotebookError(f"{userfiles.shown(path)}: {said}")


def suffixes() -> frozenset[str]:
    """The suffixes of all scripts that jupytext knows."""
    with _quiet(Path()):
        from jupytext.languages import _SCRIPT_EXTENSIONS
    return frozenset(_SCRIPT_EXTENSIONS)


def _pair(path: Path, formats: list[Format], said_by: str) -> Pair | None:
    with _quiet(path):
        from jupytext.formats import short_form_multiple_formats
        from jupytext.paired_paths import find_base_path_and_format, paired_paths

        _, own = find_base_path_and_format(str(path), formats)
        places = [(Path(place), form) for place, form in paired_paths(str(path), own, formats)]
        short = short_form_multiple_formats(formats)
    books = [place for place, _ in places if place.suffix == userfiles.NOTEBOOK]
    texts = tuple((place, form) for place, form in places if place.suffix != userfiles.NOTEBOOK)
    return Pair(books[0], texts, short, said_by) if books and texts else None


def _format_of(path: Path) -> Format:
    """What a text without a header is in: as the configuration says, else percent."""
    with _quiet(path):
        from jupytext.formats import long_form_multiple_formats

        config = _configuration(path)
        configured = config.default_formats(str(path.absolute())) if config else None
        forms: list[Format] = long_form_multiple_formats(configured or "")
    default = {"format_name": PERCENT} if path.suffix == userfiles.SCRIPT else {}
    return next((form for form in forms if form["extension"] == path.suffix), default)


def _check_script(text: str, path: Path, format_name: str) -> None:
    odd = _ODD_LINE_END.search(text)
    if odd:
        line = text.count("\n", 0, odd.start()) + 1
        raise NotebookError(
            f"{userfiles.shown(path)}:{line}: jupytext would break this line at its"
            f" U+{ord(odd[0]):04X}; write it as an escape"
        )
    declared = _HEADER_FORMAT.search(text, 0, _end_of_header(text))
    if not declared and format_name == PERCENT and not _has_marker(text):
        raise NotebookError(
            f"{userfiles.shown(path)}: is one plain script: no line begins with `# %%`.\n"
            f"`# %%` as its first line makes it a notebook of one cell"
        )


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


def _node(notebook: Notebook, *, outputs: bool = False) -> Any:
    """What jupytext works on: nbformat's dict with attributes; outputs only where they matter."""
    import nbformat

    cells = notebook["cells"]
    if not outputs:
        cells = [{**cell, "outputs": []} if cell["cell_type"] == "code" else cell for cell in cells]
    return nbformat.from_dict({**notebook, "cells": cells})


def _configuration(path: Path) -> Any:
    from jupytext.config import load_jupytext_config

    return load_jupytext_config(str(path.absolute()))


@contextlib.contextmanager
def _quiet(path: Path) -> Iterator[Any]:
    """Silence warnings and logging, and turn whatever jupytext raises into a sentence."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import jupytext

            yield jupytext
    except NotebookError:
        raise
    except Exception as error:
        reason = textwrap.shorten(str(error), 200, placeholder=" ...") or type(error).__name__
        raise NotebookError(
            f"{userfiles.shown(path)}: jupytext can't work with it: {reason}"
        ) from error
    finally:
        logging.disable(before)
