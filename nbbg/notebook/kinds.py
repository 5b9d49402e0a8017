"""Whether a value fits what a parameter is declared to be: an annotation, or else its default.

An annotation is read, never executed: `int`, `float | None`, `Optional[str]`, `list[int]`,
`dict[str, float]`, `Literal["adam", "sgd"]` and their like. What can't be judged without
executing something (a class of the notebook's own, `Path`) takes every value. Pure.
"""

from __future__ import annotations

import ast
import enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


class Fit(enum.Enum):
    """How well a value fits."""

    GOOD = enum.auto()
    ODD = enum.auto()  # worth a word
    BAD = enum.auto()


# JSON has lists alone, so a set is given as one.
_LISTS = frozenset(
    (
        *("list", "List", "Sequence", "MutableSequence", "Iterable", "Collection", "Container"),
        *("set", "Set", "frozenset", "FrozenSet", "AbstractSet", "deque", "Deque"),
    )
)
_TUPLES = frozenset(("tuple", "Tuple"))
_DICTS = frozenset(("dict", "Dict", "Mapping", "MutableMapping", "OrderedDict", "defaultdict"))
_INSIDE = frozenset(("Annotated", "Final", "ClassVar", "Required", "NotRequired"))


def of_annotation(annotation: ast.expr | None, value: Any) -> bool:
    """Whether a value is what an annotation says; True where that can't be told."""
    match annotation:
        case ast.Constant(value=None):
            return value is None
        case ast.Constant(value=str() as text):
            return of_annotation(parsed(text), value)
        case ast.BinOp(op=ast.BitOr(), left=left, right=right):
            return of_annotation(left, value) or of_annotation(right, value)
        case ast.Subscript(value=of, slice=inner):
            items = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            return _of_generic(_name(of), items, value)
        case ast.Name() | ast.Attribute():
            return _of_name(_name(annotation), value)
        case _:
            return True


def of_default(default: ast.expr | None, value: Any) -> Fit:
    """How well a value fits where only a default is known; None always does, and fits all.

    Wrong is what would hardly ever work: text, a list or a dict for a number or a bool, and
    anything else for a list or a dict. Where text is the default ("auto"), all is possible.
    """
    wanted = literal(default)
    if value is None or wanted is None:
        return Fit.GOOD
    is_kind, want_kind = _kind(value), _kind(wanted)
    if is_kind == want_kind:
        return Fit.GOOD
    soft = want_kind == "text" or {is_kind, want_kind} == {"number", "bool"}
    return Fit.ODD if soft else Fit.BAD


def parsed(text: str) -> ast.expr | None:
    """An annotation in its text form; None where it is none."""
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        return None


def literal(default: ast.expr | None) -> Any:
    """The value of a default that is written out; None for every other."""
    try:
        return None if default is None else ast.literal_eval(default)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def kind_of(default: ast.expr | None) -> str:
    """The type of a default that is written out, as Python names it; else nothing."""
    value = literal(default)
    return "" if value is None else type(value).__name__


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float, complex)):
        return "number"
    if isinstance(value, (list, tuple, set)):
        return "list"
    return "dict" if isinstance(value, dict) else "text"


def _name(node: ast.expr) -> str:
    """`List` of `typing.List`."""
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


_SIMPLE: Mapping[str, Callable[[Any], bool]] = {
    "int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "float": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "bool": lambda value: isinstance(value, bool),
    "str": lambda value: isinstance(value, str),
    "None": lambda value: value is None,
}


def _of_name(name: str, value: Any) -> bool:
    if name in _SIMPLE:
        return _SIMPLE[name](value)
    if name in ("complex", "Number", "Real"):
        return _SIMPLE["float"](value)
    if name in _LISTS or name in _TUPLES:
        return isinstance(value, list)
    return isinstance(value, dict) if name in _DICTS else True


def _of_generic(name: str, items: Sequence[ast.expr], value: Any) -> bool:
    if name == "Literal":
        return any(_is_choice(item, value) for item in items)
    if name in ("Optional", "Union"):
        is_none = name == "Optional" and value is None
        return is_none or any(of_annotation(item, value) for item in items)
    if name in _INSIDE:
        return of_annotation(items[0], value)
    if name in _TUPLES:
        return isinstance(value, list) and _of_tuple(items, value)
    if name in _LISTS:
        return isinstance(value, list) and all(of_annotation(items[0], one) for one in value)
    if name in _DICTS:
        inner = value.values() if isinstance(value, dict) else ()
        return isinstance(value, dict) and all(of_annotation(items[-1], one) for one in inner)
    return True


def _is_choice(item: ast.expr, value: Any) -> bool:
    if not isinstance(item, (ast.Constant, ast.UnaryOp)):
        return True  # a name: an enumeration's member, or an alias
    wanted = literal(item)
    return type(wanted) is type(value) and bool(wanted == value)


def _of_tuple(items: Sequence[ast.expr], value: list[Any]) -> bool:
    if isinstance(items[-1], ast.Constant) and items[-1].value is ...:
        return all(of_annotation(items[0], one) for one in value)
    both = zip(items, value, strict=False)
    return len(items) == len(value) and all(of_annotation(item, one) for item, one in both)
