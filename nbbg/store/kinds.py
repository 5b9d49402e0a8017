"""Whether the values of a record are of the types that its fields have: damage is named early."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from nbbg.classes import fields

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import UnionType

BEYOND = 1 << 62  # no number in a record is as large: SQLite holds 64 bits
_KINDS: dict[str, type | UnionType] = {
    "int": int,
    "float": int | float,
    "str": str,
    "bool": bool,
    **dict.fromkeys(("Mapping[str, Any]", "Mapping[str, str]", "Mapping[str, str | None]"), dict),
}


def check(of: type, values: Mapping[str, Any]) -> None:
    """Refuse values that can't be meant, or not be calculated with.

    Args:
        of: a dataclass of the model.
        values: by the names of its fields; those that are missing are left to it.

    Raises:
        ValueError: one is of another type, or beyond all bounds.
    """
    for name, kind in _fields(of):
        if name in values and not _is_of(kind, values[name]):
            raise ValueError(f"{name!r} can't be {values[name]!r}")


@functools.cache
def _fields(of: type) -> list[tuple[str, type | UnionType]]:
    known = ((field.name, _KINDS.get(str(field.type))) for field in fields(of))
    return [(name, kind) for name, kind in known if kind]


def _is_of(kind: type | UnionType, value: Any) -> bool:
    limited = not isinstance(value, int | float) or -BEYOND < value < BEYOND
    return isinstance(value, kind) and limited
