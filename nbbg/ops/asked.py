"""How many runs, and values as they are typed: `--runs +20`, `-p lr=1e-3`. Pure."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any

from nbbg.classes import dataclass
from nbbg.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

_WORDS = {"True": True, "False": False, "None": None, "nan": math.nan, "inf": math.inf}
_WORDS["-inf"] = -math.inf

_MARKS = re.compile(r'"(?:[^"\\]|\\.)*"|[][{},]')  # quoted, or a bracket, a brace, a comma


@dataclass(frozen=True)
class Target:
    """How many runs: `--runs 20` all of 1..20, `--runs +20` so many more, without it one more."""

    count: int = 1
    more: bool = True
    first: int = 0  # the number to begin with; 0: what follows from the others


def target(runs: int | str | None) -> Target:
    """What `--runs` says.

    Raises:
        UsageError: it is no number of 1 or more.
    """
    if runs is None:
        return Target()
    match = re.fullmatch(r"(\+?)([0-9]{1,9})", str(runs).strip())
    count = int(match[2]) if match else 0
    if match is None or count < 1:
        message = f"--runs {runs}: a number of 1 or more, or +K for K more"
        raise UsageError(message)
    return Target(count, more=bool(match[1]))


def typed(text: str) -> Any:
    """The value of `-p name=TEXT`: JSON, or True, False, None, nan, inf; all else is text."""
    if text in _WORDS:
        return _WORDS[text]
    try:
        return json.loads(text, parse_constant=_not_json)
    except (ValueError, RecursionError):
        return text


def several(name: str, text: str) -> list[Any]:
    """The values of `-p name=TEXT`: one, or those between its commas.

    What is JSON as a whole is one value, so `a=[1,2]` and `a="1,2"` are; a comma within quotes or
    brackets separates nothing.

    Raises:
        UsageError: there is nothing before, between or after its commas.
    """
    parts = _parts(text)
    if len(parts) == 1:
        return [typed(text)]
    if not all(part.strip() for part in parts):
        import shlex

        shown = shlex.quote(f"{name}={json.dumps(text)}")
        message = f"-p {name}={text}: commas separate values, and one is empty\nas text: -p {shown}"
        raise UsageError(message)
    return [typed(part.strip()) for part in parts]


def pairs(given: Iterable[str]) -> dict[str, list[Any]]:
    """What the texts after `-p`, each NAME=VALUE or NAME=VALUE,VALUE, say: values by name.

    Raises:
        UsageError: one is no such text, or a name is given twice.
    """
    params: dict[str, list[Any]] = {}
    for text in given:
        name, equals, value = text.partition("=")
        name = name.strip()
        if not equals or not name.isidentifier():
            message = f"-p {text}: NAME=VALUE, such as -p lr=0.1"
            raise UsageError(message)
        if name in params:
            message = f"-p {name} is given twice"
            raise UsageError(message)
        params[name] = several(name, value)
    return params


def _parts(text: str) -> list[str]:
    """What stands between the commas that are neither in quotes nor in brackets."""
    parts, start, depth = [], 0, 0
    for mark in _MARKS.finditer(text):
        depth += (mark[0] in "[{") - (mark[0] in "]}")
        if mark[0] == "," and depth == 0:
            parts.append(text[start : mark.start()])
            start = mark.end()
    return [*parts, text[start:]]


def _not_json(name: str) -> None:
    raise ValueError(name)
