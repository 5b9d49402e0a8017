"""The script of a notebook, refused where Python alone would not do what the notebook does."""

from __future__ import annotations

import ast
import builtins
import contextlib
from typing import TYPE_CHECKING, Any

from nbbg.engines import spec
from nbbg.errors import NotebookError
from nbbg.notebook import formats, injection, scripts, userfiles

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from nbbg.notebook.document import Document

_OF_IPYTHON = frozenset({"get_ipython", "display"})  # names that only a notebook finds
_FORM = {"extension": userfiles.SCRIPT, "format_name": formats.PERCENT, "comment_magics": False}


def make(doc: Document, params: Mapping[str, Any]) -> str:
    """The text of the script that does what the notebook does with these parameters.

    Raises:
        NotebookError: no script does; with the cell and the line.
    """
    notebook = injection.inject(doc.notebook, params)
    _check(doc, notebook)
    if doc.path.suffix == userfiles.SCRIPT and not params:
        text = userfiles.wanted(userfiles.read(doc.path))
    else:
        text = scripts.writes(notebook, doc.path.with_suffix(userfiles.SCRIPT), _FORM)
    for ordinal, line in enumerate(lines(text, sources(notebook)), start=1):
        if line is None:
            raise NotebookError(f"{doc.path}, cell {ordinal}: can't be written as it is; {_ELSE}")
    return text


def sources(notebook: Mapping[str, Any]) -> list[str]:
    """The source of each code cell."""
    cells = notebook["cells"]
    return [injection.source_of(cells[index]) for index in injection.code_cells(notebook)]


def lines(text: str, found: Sequence[str]) -> list[int | None]:
    """The line of a script, from 1, at which each cell begins; None for one that is not in it."""
    places: list[int | None] = []
    at = 0
    for source in found:
        wanted = source.strip("\n")
        start = f"\n{text}".find(f"\n{wanted}", at) if wanted else at
        places.append(text.count("\n", 0, start) + 1 if start >= 0 else None)
        at = start + len(wanted) if start >= 0 else at
    return places


_ELSE = "choose another engine: --engine ipython"


def _check(doc: Document, notebook: Mapping[str, Any]) -> None:
    cells = [notebook["cells"][index] for index in injection.code_cells(notebook)]
    missing = _OF_IPYTHON - _bound(sources(notebook))
    for ordinal, cell in enumerate(cells, start=1):
        for tag in (spec.SKIP, spec.MAY_RAISE):
            if tag in injection.tags_of(cell):
                what = f"is tagged {tag}, which a script can't be"
                raise NotebookError(f"{doc.path}, cell {ordinal}: {what}\n{_ELSE}")
        source = injection.source_of(cell)
        for line, what in _foreign(source, missing):
            shown = source.split("\n")[line - 1].strip()
            place = f"{doc.path}, cell {ordinal}, line {line}"
            raise NotebookError(f"{place}: `{shown}`: {what}\n{_ELSE}")


def _foreign(source: str, missing: frozenset[str]) -> Iterator[tuple[int, str]]:
    """The lines of a cell that plain Python takes for something else, and why."""
    if line := _transformed(source):
        yield line, "is IPython's, and no Python"
        return
    with contextlib.suppress(SyntaxError, ValueError):
        tree = compile(source, "cell", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        if line := _awaits(source):
            yield line, "awaits at the top level, which a script can't"
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and node.id in missing:
                yield node.lineno, f"{node.id} is only there in IPython"


def _transformed(source: str) -> int:
    """The first line that IPython changes before Python sees it; 0 where there is none."""
    from IPython.core.inputtransformer2 import TransformerManager

    mine = source.rstrip("\n").split("\n")
    blank = next((number for number, line in enumerate(mine) if line.strip()), len(mine))
    with contextlib.suppress(SyntaxError):
        its = TransformerManager().transform_cell(source).rstrip("\n").split("\n")
        if mine[blank:] != (its if blank < len(mine) else []):
            pairs = zip(mine[blank:], [*its, *mine], strict=False)
            same = next((n for n, (one, two) in enumerate(pairs) if one != two), 0)
            return blank + same + 1
    return 0


def _awaits(source: str) -> int:
    """The line of the first `await` that only IPython executes; 0 where there is none."""
    try:
        compile(source, "cell", "exec", dont_inherit=True)
    except SyntaxError as error:
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        compile(source, "cell", "exec", flags, dont_inherit=True)
        return error.lineno or 1
    return 0


def _bound(found: Sequence[str]) -> frozenset[str]:
    """The names that the notebook itself gives something, as far as its cells are Python."""
    names = set(dir(builtins))
    for source in found:
        with contextlib.suppress(SyntaxError, ValueError):
            for node in ast.walk(ast.parse(source)):
                if isinstance(node, ast.alias):
                    names.add((node.asname or node.name).partition(".")[0])
                elif isinstance(node, ast.FunctionDef | ast.ClassDef):
                    names.add(node.name)
                elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    names.add(node.id)
    return frozenset(names)
