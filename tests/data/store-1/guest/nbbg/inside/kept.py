"""The results that a run was asked to keep: variables of its notebook, one file each.

`<attempt>/results/NAME.json` where JSON holds the value exactly, else `NAME.pickle`; beside the
pickle of a number that wraps another (NumPy's) also a `.json`, which everybody may read. What can't
be kept leaves its reason in `NAME.left-out`. Both engines call `keep` inside the user's process
after the last cell. Runs in the user's own interpreter: standard library, Python 3.8.
"""

from __future__ import annotations

import contextlib
import json
import numbers
import os
import pickle
import sys
import time
from typing import TYPE_CHECKING, Any

from nbbg import files, paths
from nbbg.inside import values
from nbbg.inside.hidden import Hidden

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import BinaryIO

JSON, PICKLE, LEFT_OUT = ".json", ".pickle", ".left-out"
FIRST_WORD, NEXT_WORD = 5.0, 30.0  # seconds until a long pickling says how far it is
_PROTOCOL = 5  # of Python 3.8; large arrays are written without a copy of them
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
    hidden = Hidden()
    try:
        files.make_folder(path)
        with files.Folder(path) as folder:
            for name in there:
                _keep_one(folder, name, namespace[name], hidden)
    except OSError as error:
        sys.stderr.write(f"nbbg: results were not kept: {error}\n")


def load(path: str) -> Any:
    """The value that a pickle holds; for those who trust who wrote it: it can execute anything.

    Raises:
        ValueError: it can't be loaded in this interpreter; the sentence says why.
    """
    name = os.path.basename(path)
    name = name[: -len(PICKLE)] if name.endswith(PICKLE) else name
    try:
        with open(path, "rb") as file:
            return _Unpickler(file).load()
    except _OfTheNotebookError as error:
        raise ValueError(
            f"the result {name} needs the class {error}, which the notebook itself defines\n"
            "to load it elsewhere, put the class into a module, or keep what it is made of"
        ) from None
    except ImportError as error:
        raise ValueError(
            f"the result {name} needs what {sys.executable} does not have: {error}"
        ) from error
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise ValueError(f"the result {name} can't be loaded: {reason}") from error


class _OfTheNotebookError(Exception):
    """A pickle needs what lives in the `__main__` of the notebook."""


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module == "__main__":  # which is another one here, and may have one of that name
            raise _OfTheNotebookError(name)
        return super().find_class(module, name)


def _keep_one(folder: files.Folder, name: str, value: Any, hidden: Hidden) -> None:
    try:
        exact = _exactly(value)
        if exact is not None:
            shown = files.to_json(hidden.in_json(value))
            folder.replace(name + JSON, shown)
            if shown != exact:
                _tell_hidden(name)
            return
        folder.replace_by(name + PICKLE, lambda file: _pickle(value, file, name, hidden))
        number = _as_number(value)
        if number is not None:
            folder.replace(name + JSON, number)
    except Exception as error:  # noqa: BLE001 - a class's own __reduce__ may raise anything
        reason = str(hidden.in_json(f"{type(error).__name__}: {error}"))
        sys.stderr.write(f"nbbg: the result {name!r} was not kept: {reason}\n")
        with contextlib.suppress(OSError):  # of a full disk, or a name too long for a file
            folder.replace(name + LEFT_OUT, reason.encode("utf-8", "replace"))


def _pickle(value: Any, file: BinaryIO, name: str, hidden: Hidden) -> None:
    writer = _Writer(file, name, hidden)
    pickle.dump(value, writer, protocol=_PROTOCOL)
    if writer.has_hidden:
        _tell_hidden(name)


def _tell_hidden(name: str) -> None:
    sys.stderr.write(f"nbbg: the result {name!r} held a secret; `*` was kept in its place\n")


class _Writer:
    """A file without secrets, which says now and then how much was written to it.

    pickle writes a text in one piece, so a secret is never cut in two.
    """

    def __init__(self, file: BinaryIO, name: str, hidden: Hidden) -> None:
        self.has_hidden = False
        self._file = file
        self._name = name
        self._hidden = hidden
        self._size = 0
        self._next = time.monotonic() + FIRST_WORD

    def write(self, data: bytes) -> int:
        """Write all of it."""
        if self._hidden.values:
            given, data = data, self._hidden.in_pickle(bytes(data))
            self.has_hidden = self.has_hidden or data != given
        written = self._file.write(data)
        self._size += written
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + NEXT_WORD
            size = f"{self._size / 1e6:,.0f} MB so far"
            sys.stderr.write(f"nbbg: keeping the result {self._name!r}: {size}\n")
        return written


def _exactly(value: Any) -> bytes | None:
    """The JSON that holds the value, and not merely an equal one; None where there is none."""
    try:
        if _is_exact(value):
            data = files.to_json(value)
            json.loads(data)  # an integer can have more digits than Python reads
            return data
    except (RecursionError, ValueError):
        pass
    return None


def _as_number(value: Any) -> bytes | None:
    """The JSON of a number that wraps another, such as NumPy's and torch's; None for all else."""
    is_scalar = getattr(value, "shape", None) == () and hasattr(value, "item")
    if not is_scalar and not isinstance(value, numbers.Real):
        return None
    try:
        return files.to_json(values.plain(value))
    except Exception:  # noqa: BLE001 - it is kept already; this is for reading it at a glance
        return None


def _is_exact(value: Any) -> bool:
    """Whether the value, and not merely an equal one, comes back from JSON."""
    if type(value) in _EXACT:
        return True
    if type(value) is list:
        return all(map(_is_exact, value))
    if type(value) is dict:
        return all(type(key) is str for key in value) and all(map(_is_exact, value.values()))
    return False
