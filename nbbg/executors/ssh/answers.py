"""What a host answers, before anything of it is believed: names, words and numbers as they must be.

A host may be broken, or somebody else's by now: what it says names no file but its own records.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from nbbg import model, paths
from nbbg.errors import EnvironmentFault

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from nbbg.store.hosts import Host
    from nbbg.store.submissions import Ranges

FACTS = (paths.PROCESS, paths.STOP, paths.LIMIT)
_ATTEMPT = re.compile(r"[1-9][0-9]{0,17}/[1-9][0-9]{0,8}")
_WRONG = (KeyError, TypeError, ValueError, AttributeError)


def looked(host: Host, answer: Mapping[str, Any], numbers: Collection[int]) -> dict[str, Any]:
    """What was said of those batches that were asked about.

    Raises:
        EnvironmentFault: it can't be read.
    """
    try:
        found = answer["batches"]
        return {str(n): _batch(found[str(n)]) for n in numbers if str(n) in found}
    except _WRONG as error:
        raise _unreadable(host, error) from error


def ranges(host: Host, found: Any) -> Ranges:
    """Ids as ranges, in order.

    Raises:
        EnvironmentFault: they can't be read.
    """
    try:
        return _ranges(found)
    except _WRONG as error:
        raise _unreadable(host, error) from error


def _unreadable(host: Host, error: Exception) -> EnvironmentFault:
    said = f"{type(error).__name__}: {error}"[:200]
    return EnvironmentFault(f"{host.name}: its answer can't be read: {said}")


def _ranges(found: Any) -> Ranges:
    return tuple(sorted((int(first), int(last)) for first, last in found))


def _batch(found: Mapping[str, Any]) -> dict[str, Any]:
    if "fault" in found:
        return {"fault": str(found["fault"])}
    return {
        "attempts": {_name(name): _attempt(each) for name, each in found["attempts"].items()},
        "words": {int(run): _told(*word) for run, word in found["words"].items()},
        "waiting": _ranges(found["waiting"]),
        "stopped": str(found["stopped"]),
        "paused": bool(found["paused"]),
        "supervised": bool(found["supervised"]),
    }


def _name(name: str) -> str:
    if not _ATTEMPT.fullmatch(name):
        raise ValueError(f"{name!r} is no attempt")
    return name


def _told(word: str, reason: str) -> model.Told:
    return model.Told(model.Word(word), str(reason))


def _attempt(found: Mapping[str, Any]) -> dict[str, bytes]:
    """Its facts by name, the result among them."""
    facts = {name: _bytes(found["facts"][name]) for name in FACTS if name in found["facts"]}
    return {**facts, paths.RESULT: _bytes(found["result"])} if "result" in found else facts


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")
