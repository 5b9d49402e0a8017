"""Work of jupytext that is spared in a process that converts many files, and nothing else.

It changes nothing of what jupytext says; a version that is built otherwise is left alone.

It looks at a line when it writes it, when it seeks the end of a cell, and when it reads it back:
what it found out is remembered, as a pure function's value. nbformat checks each new cell against
a schema, which takes longer than reading it, and which only metadata can offend against.
"""

from __future__ import annotations

import contextlib
import pickle
from functools import lru_cache
from typing import Any

_LINES, _SHORT = 1 << 14, 256  # how many lines are remembered, and how long they are
_HEADERS = 64
_FREE = frozenset({"lines_to_next_cell", "lines_to_end_of_cell_marker"})  # no schema knows them


def use() -> None:
    """Put the quick parts into this process's jupytext, once."""
    with contextlib.suppress(ImportError, AttributeError, KeyError):
        _put_in()


def _put_in() -> None:
    from jupytext import cell_reader, header, jupytext, magics
    from jupytext.stringparser import StringParser

    if magics.is_magic.__module__ == __name__:
        return
    for name in ("new_code_cell", "new_markdown_cell", "new_raw_cell"):
        vars(cell_reader)[name] = _making(vars(cell_reader)[name])
    vars(jupytext)["new_notebook"] = _gathering(vars(jupytext)["new_notebook"])
    vars(header)["yaml"] = _Yaml(vars(header)["yaml"])
    vars(magics)["is_magic"] = _judging(magics.is_magic)
    type.__setattr__(StringParser, "read_line", _reading(StringParser))


def _making(new_cell: Any) -> Any:
    from nbformat import NotebookNode
    from nbformat.corpus.words import generate_corpus_id

    pattern = dict(new_cell())

    def quick(source: str, metadata: dict[str, Any]) -> Any:
        if not metadata.keys() <= _FREE:
            return new_cell(source=source, metadata=metadata)
        cell = NotebookNode(pattern)
        cell.update(id=generate_corpus_id(), metadata=metadata, source=source)
        if "outputs" in pattern:
            cell["outputs"] = []
        return cell

    return quick


def _gathering(new_notebook: Any) -> Any:
    def quick(cells: list[Any], metadata: dict[str, Any]) -> Any:
        notebook = new_notebook(metadata=metadata)
        notebook["cells"] = cells
        return notebook

    return quick


class _Yaml:
    """The module yaml, which remembers headers: those of a folder's scripts are mostly the same."""

    def __init__(self, yaml: Any) -> None:
        self._yaml = yaml
        self._pickled = lru_cache(_HEADERS)(lambda text: pickle.dumps(yaml.safe_load(text)))

    def safe_load(self, text: str) -> Any:
        """What a header says, as objects that may be changed."""
        return pickle.loads(self._pickled(text))  # noqa: S301 - pickled here

    def __getattr__(self, name: str) -> Any:
        return getattr(self._yaml, name)


def _judging(is_magic: Any) -> Any:
    remembered = lru_cache(_LINES)(is_magic)

    def quick(line: str, *how: Any, **named: Any) -> Any:
        return (remembered if len(line) < _SHORT else is_magic)(line, *how, **named)

    return quick


def _reading(parser_class: Any) -> Any:
    read_line = parser_class.read_line

    @lru_cache(_LINES)
    def after(python: Any, comment: Any, single: Any, triple: Any, line: str) -> Any:
        parser = parser_class.__new__(parser_class)
        parser.ignore, parser.python, parser.comment = False, python, comment
        parser.single, parser.triple = single, triple
        read_line(parser, line)
        return parser.single, parser.triple

    def quick(self: Any, line: str) -> None:
        if self.ignore:
            return
        if '"' not in line and "'" not in line:
            self.single = None if self.python else self.single
        elif len(line) < _SHORT:
            before = self.python, self.comment, self.single, self.triple
            self.single, self.triple = after(*before, line)
        else:
            read_line(self, line)

    return quick
