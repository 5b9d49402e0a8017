"""Which of the project's own modules a run has imported, with a hash of each: `imported.json`.

Written when the notebook has ended, from `sys.modules`: a few stats and reads for the project's own
files, nothing for a notebook that has none. What was changed after the run began has a `*` after
its hash: what the run imported may have been the text before.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import sys
from typing import TYPE_CHECKING

from nbbg import files, paths

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST = 2000  # modules
CHANGED = "*"
_INSTALLED = ("site-packages", "dist-packages", paths.STORE)


def note(folder: files.Folder, newest: str = "") -> None:
    """Record them in an attempt's folder; what can't be read is left out.

    Args:
        folder: of the attempt.
        newest: a module that was imported when none of the project's was; empty: it is not known.
    """
    found = dict(_own(newest))
    if not found:
        return
    with contextlib.suppress(OSError):
        began = os.stat(paths.ENGINE, dir_fd=folder.fd).st_mtime_ns
        known = {name: _hash(file, began) for name, file in sorted(found.items())[:MOST]}
        folder.overwrite(paths.IMPORTED, files.to_json({k: v for k, v in known.items() if v}))


def note_all(folder: files.Folder) -> None:
    """Record the names of all that is loaded, in the order of their imports: for warm starts."""
    with contextlib.suppress(OSError):
        folder.overwrite(paths.MODULES, files.to_json({"modules": list(sys.modules)}))


def since(newest: str) -> Iterator[str]:
    """The modules that were imported after that one, the last first; all, where it is gone."""
    return itertools.takewhile(lambda name: name != newest, reversed(sys.modules))


def _own(newest: str) -> Iterator[tuple[str, str]]:
    """The modules that lie in the project: path in it, and file."""
    root, tree = os.environ.get(paths.PROJECT), os.environ.get(paths.TREE)
    places = [place + os.sep for place in (tree, root) if place]
    for module in [sys.modules[name] for name in since(newest)]:
        file = getattr(module, "__dict__", {}).get("__file__")
        if not isinstance(file, str):
            continue
        for place in places:
            if file.startswith(place):
                name = file[len(place) :]
                if not any(part in _INSTALLED for part in name.split(os.sep)):
                    yield name, file
                break


def _hash(file: str, began: int) -> str:
    import hashlib

    try:
        with open(file, "rb") as opened:
            changed = os.fstat(opened.fileno()).st_mtime_ns > began
            short = hashlib.sha256(opened.read()).hexdigest()[:16]
    except OSError:
        return ""
    return short + CHANGED * changed
