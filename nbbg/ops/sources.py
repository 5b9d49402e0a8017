"""Where the parameters of a launch come from: `-f` files, in order, and `-p` over them.

A file's shape says what it means: see `shapes`. Every source is combined with every set of those
before it, and its values win.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbbg.errors import UsageError
from nbbg.ops import asked, shapes
from nbbg.ops.shapes import PLAIN, Given

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from nbbg.ops.paramfiles import Node
    from nbbg.ops.shapes import Profile


def read(files: Iterable[str]) -> list[Node]:
    """What the files hold.

    Raises:
        UsageError: one can't be read, with the place.
    """
    return [_node(path) for path in files]


def sets(
    files: Iterable[str | Node], given: Iterable[str], *, product: bool = False
) -> list[Given]:
    """The sets of parameters that a launch asks for, at least one.

    Args:
        files: the paths after `-f`, or what they hold; a later file's values win.
        given: the texts after `-p`, which win over every file.
        product: every combination of lists, instead of side by side.

    Raises:
        UsageError: a file or a text can't be read as parameters, with the place.
    """
    over = typed(given, product=product)
    found = [PLAIN]
    for file in files:
        found = _together(found, of_file(file, product=product))
    return _together(found, over)


def typed(given: Iterable[str], *, product: bool = False) -> list[Given]:
    """The sets that the texts after `-p` ask for, at least one.

    Raises:
        UsageError: one can't be read, or lists of values have several lengths.
    """
    values = asked.pairs(given)
    lists = {name: found for name, found in values.items() if len(found) > 1}
    rest = {name: found[0] for name, found in values.items() if name not in lists}
    if not lists:
        return [Given(rest)]
    hint = "make them so; or --product for every combination"
    rows = shapes.combined(lists, product=product, where="-p", hint=hint)
    return [Given({name: {**rest, **row}[name] for name in values}) for row in rows]


def of_file(file: str | Node, *, product: bool = False) -> list[Given]:
    """The sets that a file holds.

    Raises:
        UsageError: it can't be read, or is no file of sets.
    """
    return shapes.sets(_node(file) if isinstance(file, str) else file, product=product)


def of_python(params: Any, *, product: bool = False) -> list[Given]:
    """The sets that a Python caller gives: a dict, a list of dicts, or the path of a file.

    Raises:
        UsageError: it is nothing of the kind.
    """
    import os

    from nbbg.ops import paramfiles

    if isinstance(params, (str, os.PathLike)):
        return of_file(os.fspath(params), product=product)
    if not params and isinstance(params, dict):
        return [PLAIN]
    node = paramfiles.of_data(params, "params")
    return shapes.sets(node, product=product, broadcast=True)


def profiles(nodes: Sequence[Node]) -> list[Profile]:
    """The profiles that files hold; none where they hold sets of parameters.

    Raises:
        UsageError: some do and some don't.
    """
    found = [shapes.profiles(node) for node in nodes]
    with_none = [node for node, there in zip(nodes, found, strict=True) if not there]
    if with_none and any(found):
        raise UsageError(f"-f {with_none[0].file}: holds no profiles, and another file does")
    return [profile for there in found for profile in there]


def _node(path: str) -> Node:
    from nbbg.ops import paramfiles  # it takes time, and most launches have no file

    return paramfiles.read(path)


def _together(before: Sequence[Given], later: Sequence[Given]) -> list[Given]:
    varies = differing([given.params for given in later])
    return [one.over(other, varies=varies) for one in before for other in later]


def differing(sets: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names whose values are not the same in all sets."""
    names = dict.fromkeys(name for one in sets for name in one)
    return [name for name in names if len({_told(one, name) for one in sets}) > 1]


def _told(params: Mapping[str, Any], name: str) -> str:
    return repr(params[name]) if name in params else ""
