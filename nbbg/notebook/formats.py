"""Where the scripts of a notebook are, and in which format, as jupytext's words say it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nbbg.classes import dataclass
from nbbg.errors import NotebookError
from nbbg.notebook import userfiles
from nbbg.notebook.calling import configuration, node, quiet

Notebook = dict[str, Any]
Format = dict[str, Any]
PERCENT = "percent"
_NO_LANGUAGE = "says not in which language it is; set its kernel in Jupyter"


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


def pair_of(path: Path, notebook: Notebook) -> Pair | None:
    """The pair that `path`, read as `notebook`, belongs to, or None where it is not paired."""
    with quiet(path):
        from jupytext.config import notebook_formats

        declared = notebook["metadata"].get("jupytext", {}).get("formats")
        config = configuration(path)
        formats = notebook_formats(
            node({**notebook, "cells": []}), config, str(path), fallback_on_current_fmt=False
        )
    said_by = "metadata" if declared else "configuration"
    return _pair(path, formats, said_by) if formats else None


def pair_as(path: Path, notebook: Notebook, formats: str) -> Pair:
    """The pair that `path` would belong to with these formats.

    Raises:
        NotebookError: the formats are none, or have no place for `path` or for a notebook.
    """
    with quiet(path):
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
    said = notebook["metadata"].get("jupytext", {}).get("text_representation", {})
    form = {"extension": text.suffix, "format_name": PERCENT, **of_text(text)}
    if said.get("extension") == text.suffix and "format_name" in said:
        form["format_name"] = said["format_name"]
    return Pair(book, ((text, form),), "", "")


def extension_of(path: Path, language: str) -> str:
    """The suffix of a notebook's script, by its language.

    Raises:
        NotebookError: jupytext knows no such language.
    """
    with quiet(path):
        from jupytext.languages import _SCRIPT_EXTENSIONS, usual_language_name
    wanted = usual_language_name(language)
    for suffix, about in _SCRIPT_EXTENSIONS.items():
        if about["language"] == wanted:
            return str(suffix)
    said = f"is in {language!r}, and jupytext has no scripts in it" if language else _NO_LANGUAGE
    raise NotebookError(f"{userfiles.shown(path)}: {said}")


def suffixes() -> frozenset[str]:
    """The suffixes of all scripts that jupytext knows."""
    with quiet(Path()):
        from jupytext.languages import _SCRIPT_EXTENSIONS
    return frozenset(_SCRIPT_EXTENSIONS)


def _pair(path: Path, formats: list[Format], said_by: str) -> Pair | None:
    with quiet(path):
        from jupytext.formats import short_form_multiple_formats
        from jupytext.paired_paths import find_base_path_and_format, paired_paths

        _, own = find_base_path_and_format(str(path), formats)
        places = [(Path(place), form) for place, form in paired_paths(str(path), own, formats)]
        short = short_form_multiple_formats(formats)
    books = [place for place, _ in places if place.suffix == userfiles.NOTEBOOK]
    texts = tuple((place, form) for place, form in places if place.suffix != userfiles.NOTEBOOK)
    return Pair(books[0], texts, short, said_by) if books and texts else None


def of_text(path: Path) -> Format:
    """What a text without a header is in: as the configuration says, else percent."""
    with quiet(path):
        from jupytext.formats import long_form_multiple_formats

        config = configuration(path)
        configured = config.default_formats(str(path.absolute())) if config else None
        forms: list[Format] = long_form_multiple_formats(configured or "")
    default = {"format_name": PERCENT} if path.suffix == userfiles.SCRIPT else {}
    return next((form for form in forms if form["extension"] == path.suffix), default)
