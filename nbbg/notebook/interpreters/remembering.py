"""What interpreters have answered, so that the next launch need not start one to ask again.

An answer holds as long as the interpreter's file and every folder that it imports from are as
they were: pip changes a folder whenever it installs, upgrades or removes. It is kept in the user's
cache folder; one that can't be read or written is asked for anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from typing import TYPE_CHECKING, Any

from nbbg import files
from nbbg.notebook.interpreters.places import VENV, cache

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_MATTER = ("PYTHON", "LD_", "DYLD_")  # what begins so decides what an interpreter finds


def recall(python: str, environment: Mapping[str, str]) -> dict[str, Any] | None:
    """The answer of an interpreter that is still as it was then."""
    try:
        kept = json.loads((_folder(environment) / _name(python, environment)).read_bytes())
        seen = all(_state(path) == state for path, state in kept["seen"].items())
        answer: dict[str, Any] = kept["answer"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return answer if seen else None


def keep(
    python: str, environment: Mapping[str, str], answer: Mapping[str, Any], path: Sequence[str]
) -> None:
    """Keep an answer.

    Args:
        python: the interpreter's path.
        environment: in which it was asked.
        answer: anything that JSON can hold.
        path: the interpreter's `sys.path`.
    """
    prefix = os.path.dirname(os.path.dirname(python))
    places = (python, os.path.realpath(python), os.path.join(prefix, VENV), *path)
    record = {"answer": answer, "seen": {place: _state(place) for place in places}}
    folder = _folder(environment)
    with contextlib.suppress(OSError):
        files.make_folder(folder)
        with files.Folder(folder) as opened:
            opened.replace(_name(python, environment), files.to_json(record))


def places(python: str, environment: Mapping[str, str]) -> list[str]:
    """Where an interpreter imports from, as it has answered, and more; none where it has not."""
    try:
        kept = json.loads((_folder(environment) / _name(python, environment)).read_bytes())
        return [str(place) for place in kept["seen"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _state(path: str) -> list[int] | None:
    """What changes when a file is replaced, or a folder gets or loses an entry."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return [status.st_dev, status.st_ino, status.st_mtime_ns]


def _folder(environment: Mapping[str, str]) -> Path:
    return cache(environment) / "interpreters"


def _name(python: str, environment: Mapping[str, str]) -> str:
    words = [python, *sorted(f"{k}={v}" for k, v in environment.items() if k.startswith(_MATTER))]
    return hashlib.sha256("\0".join(words).encode("utf-8", "surrogateescape")).hexdigest()[:24]
