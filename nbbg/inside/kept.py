"""The results that a run was asked to keep: variables of its notebook, one file each.

`<attempt>/results/NAME.json` where JSON holds the value exactly, else `NAME.pickle`. Both engines
call this inside the user's process after the last cell. Runs in the user's own interpreter:
standard library, Python 3.8.
"""

from __future__ import annotations

import json
import os
import pickle
import sys
from typing import TYPE_CHECKING, Any

from nbbg import files, paths
from nbbg.inside.hidden import Hidden

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

JSON, PICKLE = ".json", ".pickle"
_PROTOCOL = 4  # the newest that every Python since 3.4 reads
_EXACT = (type(None), bool, int, float, str)


def keep(namespace: Mapping[str, Any], names: Iterable[str], attempt: str) -> None:
    """Keep the variables of these names that there are.

    What can't be kept is left out, with a sentence on standard error: the run itself succeeded.

    Args:
        namespace: the notebook's variables.
        names: those asked for.
        attempt: the attempt's folder.
    """
    there = [name for name in names if name in namespace]
    if not there:
        return
    path = os.path.join(attempt, paths.RESULTS)
    files.make_folder(path)
    hidden = Hidden()
    with files.Folder(path) as folder:
        for name in there:
            _keep_one(folder, name, namespace[name], hidden)


def _keep_one(folder: files.Folder, name: str, value: Any, hidden: Hidden) -> None:
    try:
        suffix, data, kept = _encoded(value, hidden)
        folder.replace(name + suffix, kept)
    except Exception as error:  # noqa: BLE001 - a class's own __reduce__ may raise anything
        reason = f"{type(error).__name__}: {error}"
        sys.stderr.write(f"nbbg: the result {name!r} was not kept: {reason}\n")
        return
    if kept != data:
        sys.stderr.write(f"nbbg: the result {name!r} held a secret; `*` was kept in its place\n")


def _encoded(value: Any, hidden: Hidden) -> tuple[str, bytes, bytes]:
    """The file's suffix, the value's bytes, and the same without secrets."""
    try:
        if _is_exact(value):
            data = files.to_json(value)
            json.loads(data)  # an integer can have more digits than Python reads
            return JSON, data, files.to_json(hidden.in_json(value))
    except (RecursionError, ValueError):
        pass
    data = pickle.dumps(value, protocol=_PROTOCOL)
    return PICKLE, data, hidden.in_pickle(data)


def _is_exact(value: Any) -> bool:
    """Whether the value, and not merely an equal one, comes back from JSON."""
    if type(value) in _EXACT:
        return True
    if type(value) is list:
        return all(map(_is_exact, value))
    if type(value) is dict:
        return all(type(key) is str for key in value) and all(map(_is_exact, value.values()))
    return False
