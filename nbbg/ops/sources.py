"""Where the parameters of a launch come from: `-f` files, in order, and `-p` over them.

A file's shape says what it means; here a mapping of names to values is one set of parameters.
What is asked for comes out as a list of sets, one arm each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbbg.errors import UsageError
from nbbg.ops import asked

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nbbg.ops.paramfiles import Node


def sets(files: Iterable[str], given: Iterable[str]) -> list[dict[str, Any]]:
    """The sets of parameters that a launch asks for, at least one.

    Args:
        files: the paths after `-f`; a later file's values win.
        given: the texts after `-p`, which win over every file.

    Raises:
        UsageError: a file or a text can't be read as parameters, with the place.
    """
    over = asked.pairs(given)
    params: dict[str, Any] = {}
    for path in files:
        params.update(_of_file(path))
    return [{**params, **over}]


def _of_file(path: str) -> Mapping[str, Any]:
    from nbbg.ops import paramfiles  # loads a parser of YAML

    return _one_set(paramfiles.read(path))


def _one_set(node: Node) -> dict[str, Any]:
    """A mapping of names to values."""
    if not isinstance(node.value, dict):
        what = "a list" if isinstance(node.value, list) else f"the value {node.value!r}"
        raise UsageError(f"{node.where}: {what}; parameters are names with values: lr: 0.1")
    for name, value in node.value.items():
        if not name.isidentifier():
            raise UsageError(f"{value.where}: {name!r} can't be the name of a parameter")
    found: dict[str, Any] = node.data
    return found
