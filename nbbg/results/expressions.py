"""Conditions over the columns of results: `--where 'lr < 0.1 and state == "succeeded"'`.

Comparisons, `in`, `and`, `or`, `not` and parentheses over columns, numbers, texts and lists of
them; a name with odd characters stands in backticks. It is Python's grammar, of which only these
parts are taken: nothing is called, and nothing of the notebook is looked up. A run that has no
value in a column does not match, whichever way it is asked, unless by `lr == None`; neither does
the order of a text and a number.
"""

from __future__ import annotations

import ast
import math
import re
import warnings
from collections import Counter
from typing import TYPE_CHECKING, Any, NoReturn

from nbbg.errors import UsageError
from nbbg.results import rows, truth

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from nbbg import model

    Lookup = Callable[[str], Any]

LONGEST = 10_000  # characters
SOME = 12  # columns that are named
EXAMPLE = """such as: --where 'lr < 0.1 and state == "succeeded"'"""
_QUOTED = re.compile(r"""("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|`([^`]+)`""")
_MARK = "\ua66e"  # begins a name that stood in backticks; a letter that nobody types
_CONSTANTS = {"nan": math.nan, "inf": math.inf, "true": True, "false": False}
_WORDS = (bool, int, float, str, type(None))


class Expression:
    """A condition that was understood.

    Attributes:
        text: as it was typed.
        names: the columns that it asks for.
        compared_with: those of them that another column is compared with: likely texts.

    Raises:
        UsageError: it makes no sense; the message points at the place.
    """

    def __init__(self, text: str) -> None:
        self.text = text.strip()
        self.names: list[str] = []
        self.compared_with: set[str] = set()
        self._quoted: list[str] = []
        self._plain = _QUOTED.sub(self._unquote, self.text)
        self._tree = self._parse(self._plain).body
        self._check(self._tree)
        if not _is_condition(self._tree):
            self._refuse("this is no condition", self._tree)

    def holds(self, lookup: Lookup) -> bool | None:
        """Whether it is true of a run; None where that can't be said, for a value is missing."""
        found = self._value(self._tree, lookup)
        return found if isinstance(found, bool) else None

    def _unquote(self, found: re.Match[str]) -> str:
        """A name in backticks as one that Python takes, of the same length where it is long enough.

        Texts stay as they are.
        """
        if found[1]:
            return found[1]
        self._quoted.append(found[2])
        return f"{_MARK}{len(self._quoted) - 1}".ljust(len(found[0]), "_")

    def _parse(self, plain: str) -> ast.Expression:
        if len(plain) > LONGEST:
            raise UsageError(f"--where: longer than {LONGEST:,} characters")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # such as SyntaxWarning: "is" with a literal
                return ast.parse(plain, mode="eval")
        except SyntaxError as error:
            what = "for equality type ==" if _means_equality(plain) else error.msg
            self._refuse_at(what, (error.offset or 1) - 1)
        except (ValueError, RecursionError, MemoryError) as error:
            self._refuse_at(f"can't be understood: {error}", 0)

    def _check(self, node: ast.expr) -> None:
        """Take in the names, and refuse what is no part of a condition."""
        if isinstance(node, ast.Name | ast.Attribute):
            self._check_name(node)
            return
        if isinstance(node, ast.BinOp):
            self._refuse("a name with such characters stands in `backticks`", node)
        if not _is_allowed(node):
            self._refuse("only comparisons, in, and, or, not can be used", node)
        if isinstance(node, ast.Compare) and isinstance(node.left, ast.Name | ast.Attribute):
            self._take_right(node.comparators)
        joined = isinstance(node, ast.BoolOp) or _is_not(node)
        for each in ast.iter_child_nodes(node):
            if isinstance(each, ast.expr):
                self._check(each)
                if joined and not _is_condition(each):
                    self._refuse("this is no condition", each)

    def _take_right(self, nodes: Iterable[ast.expr]) -> None:
        for node in nodes:
            parts = node.elts if isinstance(node, ast.List | ast.Tuple | ast.Set) else [node]
            self.compared_with.update(
                self._name(each) for each in parts if isinstance(each, ast.Name)
            )

    def _check_name(self, node: ast.Name | ast.Attribute) -> None:
        name = self._name(node)
        if name not in _CONSTANTS:
            self.names.append(name)

    def _name(self, node: ast.expr) -> str:
        """The column that is meant: `params.lr` is one name."""
        if isinstance(node, ast.Attribute):
            return f"{self._name(node.value)}.{self._as_typed(node.attr)}"
        if not isinstance(node, ast.Name):
            self._refuse("only names have parts", node)
        return self._as_typed(node.id)

    def _as_typed(self, word: str) -> str:
        return self._quoted[int(word[1:].rstrip("_"))] if word.startswith(_MARK) else word

    def _value(self, node: ast.expr, lookup: Lookup) -> Any:
        match node:
            case ast.BoolOp():
                found = [self._value(each, lookup) for each in node.values]
                return truth.either(found) if isinstance(node.op, ast.Or) else truth.both(found)
            case ast.UnaryOp(op=ast.Not()):
                found = self._value(node.operand, lookup)
                return not found if isinstance(found, bool) else None
            case ast.UnaryOp():
                value = self._value(node.operand, lookup)
                return -value if isinstance(node.op, ast.USub) else value
            case ast.Compare():
                return self._compared(node, lookup)
            case ast.List() | ast.Tuple() | ast.Set():
                return [self._value(each, lookup) for each in node.elts]
            case ast.Constant():
                return node.value
            case _:
                name = self._name(node)
                return _CONSTANTS[name] if name in _CONSTANTS else lookup(name)

    def _compared(self, node: ast.Compare, lookup: Lookup) -> bool | None:
        left, found = self._value(node.left, lookup), []
        asked = _is_none(node.left)
        for sign, each in zip(node.ops, node.comparators, strict=True):
            right = self._value(each, lookup)
            found.append(truth.compare(sign, left, right, presence=asked or _is_none(each)))
            left, asked = right, _is_none(each)
        return truth.both(found)

    def _refuse(self, what: str, node: ast.expr) -> NoReturn:
        before = self._plain.encode()[: node.col_offset]  # which counts bytes
        self._refuse_at(what, len(before.decode(errors="replace")))

    def _refuse_at(self, what: str, place: int) -> NoReturn:
        rest = self.text[place:] or "its end"
        raise UsageError(f"--where {self.text!r}: {what}, at: {rest}\n{EXAMPLE}")


def matching(
    runs: Iterable[model.Run],
    expressions: Sequence[str],
    tell: Callable[[str], object] | None = None,
) -> list[model.Run]:
    """The runs of which every one of the conditions is true.

    Args:
        runs: all of them.
        expressions: the conditions; none: all runs match.
        tell: is given a sentence about runs that don't match for a value that they have not.

    Raises:
        UsageError: a condition makes no sense, or asks for a column that no run has.
    """
    left = list(runs)
    understood = [Expression(text) for text in expressions]
    getters = {name: _getter(name, one, left) for one in understood for name in one.names if left}
    tell = tell or _not_at_all
    for one in understood:
        missing: Counter[str] = Counter()
        left = [run for run in left if _holds(one, run, getters, missing)]
        for name, count in missing.items():
            tell(f"{_runs(count)} no {name}: not among those with {one.text}")
    return left


def _holds(
    one: Expression,
    run: model.Run,
    getters: Mapping[str, Callable[[model.Run], Any]],
    missing: Counter[str],
) -> bool:
    found = one.holds(lambda name: getters[name](run))
    if found is None:
        missing.update({name for name in one.names if getters[name](run) is None})
    return found is True


def _getter(name: str, one: Expression, runs: list[model.Run]) -> Callable[[model.Run], Any]:
    found = rows.getter(name, runs)
    if found:
        return found
    names = rows.known(runs)
    import difflib

    alike = difflib.get_close_matches(name, names, 1)
    meant = f"; did you mean {alike[0]}?" if alike else ""
    if name in one.compared_with:
        meant = f'; if it is a text: "{name}"'
    more = ", ..." if names[SOME:] else ""
    there = ", ".join([*alike, *(each for each in names if each not in alike)][:SOME])
    message = f"--where {one.text!r}: no run has a column {name}{meant}"
    raise UsageError(f"{message}\nthere are {there}{more}")


def _not_at_all(_: str) -> None:
    """Nobody is told."""


def _runs(count: int) -> str:
    return "1 run has" if count == 1 else f"{count} runs have"


def _means_equality(text: str) -> bool:
    return re.search(r"(?<![=!<>])=(?!=)", text) is not None


def _is_condition(node: ast.expr) -> bool:
    """Whether it may be true; a name may be a bool's."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, bool)
    of_kind = isinstance(node, ast.Compare | ast.BoolOp | ast.Name | ast.Attribute)
    return of_kind or _is_not(node)


def _is_not(node: ast.expr) -> bool:
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)


def _is_allowed(node: ast.expr) -> bool:
    """Whether it is part of a condition, whatever is in it."""
    match node:
        case ast.Constant():
            return isinstance(node.value, _WORDS)
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=ast.Constant(value=int() | float())):
            return True
        case _:
            kinds = ast.BoolOp | ast.Compare | ast.List | ast.Tuple | ast.Set
            return isinstance(node, kinds) or _is_not(node)


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None
