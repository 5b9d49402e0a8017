"""Comparisons that may be true, false, or not to be said, for a value is missing: None."""

from __future__ import annotations

import ast
import operator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_ORDERS: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


def compare(sign: ast.cmpop, left: Any, right: Any, *, presence: bool) -> bool | None:
    """One comparison; None where it can't be said. `presence`: it asks whether there is a value."""
    if presence or not (left is None or right is None):
        match sign:
            case ast.Eq() | ast.Is():
                return bool(left == right)
            case ast.NotEq() | ast.IsNot():
                return bool(left != right)
            case ast.In():
                return _is_in(left, right)
            case ast.NotIn():
                found = _is_in(left, right)
                return None if found is None else not found
            case _:
                order = _ORDERS[type(sign)]
                return bool(order(left, right)) if _can_be_ordered(left, right) else None
    return None


def _is_in(left: Any, right: Any) -> bool | None:
    if isinstance(right, str):
        return left in right if isinstance(left, str) else None
    return left in right if isinstance(right, list | tuple) else None


def _can_be_ordered(left: Any, right: Any) -> bool:
    both_texts = isinstance(left, str) and isinstance(right, str)
    return both_texts or (isinstance(left, int | float) and isinstance(right, int | float))


def both(found: Sequence[Any]) -> bool | None:
    """Whether all are true."""
    if any(one is False for one in found):
        return False
    return True if all(one is True for one in found) else None


def either(found: Sequence[Any]) -> bool | None:
    """Whether any is true."""
    if any(one is True for one in found):
        return True
    return False if all(one is False for one in found) else None
