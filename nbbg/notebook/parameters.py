"""What a notebook says about its parameters, read from the cell tagged `parameters`.

Names, types (annotations, `# type:` comments), defaults as written, and what the comments say. The
cell is parsed and never executed; IPython's own lines in it are skipped. The same reading tells
which variables a cell tagged `results` names, and whether anything assigns a variable at all.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any

from nbbg import patterns
from nbbg.classes import dataclass, replace
from nbbg.notebook import injection, kinds
from nbbg.notebook.kinds import Fit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

RESULTS = "results"

_CELL_MAGIC = patterns.late(r"\A\s*%%(\w+)")
_ON_PYTHON = {"capture", "time", "timeit", "prun"}  # cell magics whose cell is Python all the same
_LINE = patterns.late(r"(?m)^([ \t]*)(?:[%!?].*|[^#'\"\n]*\?)$")
_ASSIGNED = patterns.late(r"(?m)^([ \t]*[\w, ]+=[ \t]*)[%!].*$")
_TYPE_COMMENT = patterns.late(r"type:\s*((?:[^\s\[]|\[.*\])+)[\s#]*(.*)")  # `type: int  the rest`


@dataclass(frozen=True)
class Parameter:
    """One name that the parameters cell assigns; its texts are as written there."""

    name: str
    cell: int  # counts the code cells from 1
    line: int  # in the cell, from 1
    annotation: str = ""
    default: str = ""
    comment: str = ""

    @property
    def kind(self) -> str:
        """Its type as a person reads it: declared, or that of its default, or nothing."""
        return self.annotation or kinds.kind_of(kinds.parsed(self.default))

    def after(self, earlier: Parameter | None) -> Parameter:
        """The same with what an earlier line, such as `lr: float`, said of it."""
        if earlier is None:
            return self
        said = self.annotation or earlier.annotation
        return replace(self, annotation=said, comment=self.comment or earlier.comment)

    def fits(self, value: Any) -> Fit:
        """How well a value fits."""
        default = kinds.parsed(self.default)
        if not self.annotation:
            return kinds.of_default(default, value)
        if value is None and self.default == "None":  # `lr: float = None`, as people write it
            return Fit.GOOD
        good = kinds.of_annotation(kinds.parsed(self.annotation), value)
        return Fit.GOOD if good else Fit.BAD


def declared(notebook: Mapping[str, Any]) -> dict[str, Parameter]:
    """The names that the first cell tagged `parameters` assigns, in order.

    A cell that is no Python declares nothing.
    """
    for ordinal, cell in _tagged(notebook, injection.PARAMETERS):
        found: dict[str, Parameter] = {}
        for new in _of_cell(injection.source_of(cell), ordinal):
            found[new.name] = new.after(found.get(new.name))
        return found
    return {}


def is_tagged(notebook: Mapping[str, Any]) -> bool:
    """Whether a cell is tagged `parameters`."""
    return any(True for _ in _tagged(notebook, injection.PARAMETERS))


def overriding(notebook: Mapping[str, Any], names: Iterable[str]) -> dict[str, int]:
    """Of these names, those that a further cell tagged `parameters` sets again, and that cell."""
    wanted = set(names)
    return {
        parameter.name: ordinal
        for ordinal, cell in list(_tagged(notebook, injection.PARAMETERS))[1:]
        for parameter in _of_cell(injection.source_of(cell), ordinal)
        if parameter.name in wanted
    }


def results(notebook: Mapping[str, Any]) -> list[str]:
    """The variables that the cells tagged `results` assign, or name in their last line."""
    found: dict[str, None] = {}
    for _, cell in _tagged(notebook, RESULTS):
        statements = _statements(injection.source_of(cell))[1]
        for statement in statements:
            found.update(dict.fromkeys(name for name, *_ in _assignments(statement)))
        if statements and isinstance(statements[-1], ast.Expr):
            found.update(dict.fromkeys(_shown(statements[-1].value)))
    return list(found)


def assigned(notebook: Mapping[str, Any]) -> set[str] | None:
    """All names that the notebook's code binds; None where that can't be told by reading it."""
    found: set[str] = set()
    for index in injection.code_cells(notebook):
        source = injection.source_of(notebook["cells"][index])
        text, statements = _statements(source)
        if source.strip() and (not statements or text != source):
            return None  # a magic may bind anything
        for statement in statements:
            names = _bound(statement)
            if names is None:
                return None
            found |= names
    return found


def near(name: str, known: Iterable[str]) -> str:
    """The known name that was probably meant, or nothing."""
    import difflib  # takes as long as all that is imported here

    return next(iter(difflib.get_close_matches(name, list(known), n=1)), "")


def _tagged(notebook: Mapping[str, Any], tag: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The code cells with that tag, each with its number among the code cells, from 1."""
    for ordinal, index in enumerate(injection.code_cells(notebook), 1):
        cell = notebook["cells"][index]
        if tag in injection.tags_of(cell):
            yield ordinal, cell


def _of_cell(source: str, ordinal: int) -> Iterator[Parameter]:
    text, statements = _statements(source)
    comments = _comments(text)
    for statement in statements:
        for name, annotation, value in _assignments(statement):
            said, comment = _said(comments, statement, name)
            yield Parameter(
                name=name,
                cell=ordinal,
                line=statement.lineno,
                annotation=_source(text, annotation) or said,
                default=_source(text, value),
                comment=comment,
            )


def _source(text: str, node: ast.expr | None) -> str:
    return (ast.get_source_segment(text, node) or "") if node else ""


def _statements(source: str) -> tuple[str, list[ast.stmt]]:
    """The cell as Python reads it, and its statements; IPython's own lines are taken out."""
    magic = _CELL_MAGIC.match(source)
    if magic and magic[1] not in _ON_PYTHON:
        return source, []
    without = _ASSIGNED.sub(r"\1None", _LINE.sub(r"\1pass", source))
    for text in (source, without):
        try:
            return text, ast.parse(text).body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            pass
    return source, []


def _assignments(
    statement: ast.stmt,
) -> Iterator[tuple[str, ast.expr | None, ast.expr | None]]:
    """Each name that a statement assigns, with its annotation and its value."""
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        yield statement.target.id, statement.annotation, statement.value
    elif isinstance(statement, ast.Assign):
        for target in statement.targets:
            alone = isinstance(target, ast.Name)
            for node in ast.walk(target):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    yield node.id, None, statement.value if alone else None


def _comments(text: str) -> dict[int, tuple[str, bool]]:
    """By line: what its comment says, and whether it stands alone there."""
    import io
    import tokenize

    found: dict[int, tuple[str, bool]] = {}
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                alone = not token.line[: token.start[1]].strip()
                found[token.start[0]] = token.string.lstrip("#").strip(), alone
    except (tokenize.TokenError, SyntaxError):
        pass
    return found


def _said(comments: Mapping[int, tuple[str, bool]], stmt: ast.stmt, name: str) -> tuple[str, str]:
    """The type and the help of a comment: beside the assignment, or above it with the name."""
    beside, _ = comments.get(stmt.end_lineno or stmt.lineno, ("", False))
    if typed := _TYPE_COMMENT.match(beside):
        beside = typed[2]
    above, alone = comments.get(stmt.lineno - 1, ("", False))
    named = re.compile(rf"{re.escape(name)}\s*:\s*")
    if not beside and alone and named.match(above):
        beside = above
    return (typed[1] if typed else ""), named.sub("", beside, count=1)


def _shown(value: ast.expr) -> list[str]:
    """The variables of a last line such as `accuracy, table`."""
    nodes = value.elts if isinstance(value, (ast.Tuple, ast.List)) else [value]
    return [node.id for node in nodes if isinstance(node, ast.Name)]


def _bound(statement: ast.stmt) -> set[str] | None:
    found: set[str] = set()
    for node in ast.walk(statement):
        match node:
            case ast.Name(id=name, ctx=ast.Store()):
                found.add(name)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                found.add(node.name)
            case ast.Import() | ast.ImportFrom():
                names = [alias.asname or alias.name.partition(".")[0] for alias in node.names]
                if "*" in names:
                    return None
                found.update(names)
            case ast.ExceptHandler() | ast.MatchAs() | ast.MatchStar():
                found.add(node.name or "")
            case ast.MatchMapping(rest=rest):
                found.add(rest or "")
            case ast.Name(id="exec" | "globals" | "locals" | "get_ipython" | "vars"):
                return None
            case _:
                pass
    return found
