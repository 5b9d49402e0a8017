"""What the cells of a notebook define, for a process that the notebook spawns.

multiprocessing has a spawned process import the main program, to know its functions and classes. A
notebook is not imported: its cells would be executed again. Of their statements only those are
executed that define something: imports, functions, classes, and assignments that compute nothing.
In Jupyter a spawned process knows nothing of the notebook, and a Pool of them waits for ever.

This file is run by itself, without nbbg: standard library, Python 3.8.
"""

from __future__ import annotations
import __future__

import ast
import contextlib
import linecache
import re
from typing import TYPE_CHECKING, Any, Sequence

if TYPE_CHECKING:
    from collections.abc import Callable

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)
_COMPUTES = (ast.Call, ast.Await, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_MAKERS = frozenset(  # calls that only give something a name
    ("namedtuple", "NamedTuple", "TypedDict", "NewType", "TypeVar", "ParamSpec", "Enum", "IntEnum")
) | {"StrEnum", "Flag", "getLogger", "compile", "partial", "Path", "Lock"}


def define(cells: Sequence[tuple[str, str]], names: dict[str, Any]) -> None:
    """Put what the cells define into a namespace.

    A definition that fails is left out: it needs what another statement computes.

    Args:
        cells: the file name of each, as it stands in tracebacks, and its Python source.
        names: of the main module of this process.
    """
    flags = 0
    for name, source in cells:
        lines = source.splitlines(keepends=True)
        linecache.cache[name] = (len(source), None, lines, name)
        for statement in _definitions(source):
            flags |= _of_the_future(statement)
            _execute(ast.Module([statement], []), name, flags, names)
    names["__getattr__"] = _stand_ins("\n".join(source for _, source in cells))


def _execute(module: ast.Module, name: str, flags: int, names: dict[str, Any]) -> None:
    with contextlib.suppress(Exception):  # the notebook's own code may raise anything
        exec(compile(module, name, "exec", flags, dont_inherit=True), names)  # noqa: S102


def _definitions(source: str) -> list[ast.stmt]:
    try:
        statements = ast.parse(source).body
    except SyntaxError:
        return []
    found: list[ast.stmt] = []
    for each in statements:
        inner = _timed(each)
        found += _definitions(inner) if inner else [each] if _defines(each) else []
    return found


def _timed(node: ast.stmt) -> str:
    """The cell under `%%time`, which is executed as it stands."""
    call = node.value if isinstance(node, ast.Expr) else None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
        return ""
    given = [each.value for each in call.args if isinstance(each, ast.Constant)]
    timed = call.func.attr == "run_cell_magic" and given[:1] == ["time"]
    return "\n" + str(given[-1]) if timed else ""  # in the lines in which it stands


def _defines(node: ast.stmt) -> bool:
    if isinstance(node, ast.Try):
        return all(isinstance(each, (ast.Import, ast.ImportFrom)) for each in node.body)
    if isinstance(node, (ast.Assign, ast.AnnAssign)):
        return node.value is not None and not _computes(node.value)
    return isinstance(node, _DEFINITIONS)


def _computes(value: ast.expr) -> bool:
    if isinstance(value, ast.Lambda):
        return False
    return any(isinstance(each, _COMPUTES) and not _makes(each) for each in ast.walk(value))


def _makes(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    called = node.func.attr if isinstance(node.func, ast.Attribute) else node.func
    return (called.id if isinstance(called, ast.Name) else called) in _MAKERS


def _of_the_future(statement: ast.stmt) -> int:
    """What a cell imports from `__future__` holds for all cells after it."""
    if not isinstance(statement, ast.ImportFrom) or statement.module != "__future__":
        return 0
    flags = 0
    for each in statement.names:
        feature = getattr(__future__, each.name, None)
        flags |= feature.compiler_flag if feature else 0
    return flags


def _stand_ins(source: str) -> Callable[[str], Any]:
    """What the module says of a name that it has not.

    It fails when it is used, not when it is unpickled: the worker of a Pool would die at that,
    and the Pool wait for ever.
    """

    def stand_in(name: str) -> Any:
        if name.startswith("__") or not re.search(rf"\b{re.escape(name)}\b", source):
            raise AttributeError(name)

        def fail(*_: Any, **__: Any) -> Any:
            raise NameError(
                f"{name!r} is not known in a spawned process: it has the notebook's imports, "
                "functions, classes and constants, not what its cells compute; give it as an "
                "argument, or use multiprocessing.get_context('fork')"
            )

        def missing(_: Any, attribute: str) -> Any:
            if attribute.startswith("__"):
                raise AttributeError(attribute)
            return fail()

        def make(kind: type, *_: Any, **__: Any) -> Any:
            return object.__new__(kind)

        return type(name, (), {"__new__": make, "__init__": fail, "__getattr__": missing})

    return stand_in
