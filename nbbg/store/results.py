"""The files that a run's named results lie in, and those of them that a table has room for."""

from __future__ import annotations

import json
import os
from typing import Any

from nbbg import paths
from nbbg.classes import dataclass

JSON, PICKLE, LEFT_OUT = "json", "pickle", "left out"
_KINDS = {paths.KEPT_JSON: JSON, paths.KEPT_PICKLE: PICKLE, paths.KEPT_LEFT_OUT: LEFT_OUT}
_SCALARS = (bool, int, float, str)
_LONGEST = 1000  # bytes of a value that is in tables, as JSON


@dataclass(frozen=True)
class Result:
    """One named result of an attempt, as its files tell it."""

    name: str
    kind: str  # "json", "pickle" or "left out"
    path: str
    json_path: str = ""  # what may be read of it without trust; of a pickled number too


def of_attempt(attempt: str) -> list[Result]:
    """The named results in the folder of an attempt, by name."""
    folder = os.path.join(attempt, paths.RESULTS)
    if os.path.islink(folder):  # nbbg makes none, and follows none
        return []
    try:
        names = set(os.listdir(folder))
    except OSError:
        return []
    found = (_result(folder, name, names) for name in sorted(names) if not name.startswith("."))
    return [one for one in found if one]


def scalars(attempt: str) -> tuple[dict[str, Any], list[str]]:
    """The numbers, bools and short texts among them; and of the others name and kind."""
    values: dict[str, Any] = {}
    others: list[str] = []
    for one in of_attempt(attempt):
        value = _scalar(one.json_path)
        if value is None:
            others.append(f"{one.name} ({one.kind})")
        else:
            values[one.name] = value
    return values, others


def _result(folder: str, file: str, names: set[str]) -> Result | None:
    name, suffix = os.path.splitext(file)
    readable = name + paths.KEPT_JSON
    if suffix not in _KINDS or (file == readable and name + paths.KEPT_PICKLE in names):
        return None
    path, json_path = os.path.join(folder, file), os.path.join(folder, readable)
    if os.path.islink(path) or os.path.islink(json_path):
        return None
    return Result(name, _KINDS[suffix], path, json_path if readable in names else "")


def _scalar(path: str) -> Any:
    """The value in a file; None where it is none for a table, or can't be read."""
    if not path:
        return None
    try:
        with open(path, "rb") as file:
            data = file.read(_LONGEST + 1)
        value = json.loads(data) if len(data) <= _LONGEST else None
    except (OSError, ValueError, RecursionError):
        return None
    return value if isinstance(value, _SCALARS) else None
