"""Which of the project's own modules the runs of an arm have imported, and whether they changed.

A run's engine leaves a hash of each in its attempt (`nbbg.inside.imported`). The index keeps one
digest a run, so that the modules are looked at only where two runs differ.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from nbbg import files, paths

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nbbg import model

NAMED = 3  # modules that a sentence names


def read(folder: files.Folder) -> dict[str, str]:
    """The modules that an attempt has recorded, path in the project to hash; none where not."""
    found: dict[str, Any] = {}
    with contextlib.suppress(ValueError, OSError):
        found = folder.read_json(paths.IMPORTED) or {}
    return {name: str(value) for name, value in found.items()}


def digest(folder: files.Folder) -> str:
    """What two attempts with the same modules have in common; empty where none are recorded."""
    found = read(folder)
    if not found:
        return ""
    import hashlib  # loads OpenSSL, which a reader of the index does without

    return hashlib.sha256(files.to_json(sorted(found.items()))).hexdigest()[:12]


def of_run(run: model.Run) -> dict[str, str]:
    """The modules that the newest attempt of a run has recorded."""
    with contextlib.suppress(OSError), files.Folder(run.folder) as folder:
        return read(folder)
    return {}


def changes(runs: Iterable[model.Run]) -> list[str]:
    """A sentence for each arm whose runs have imported several versions of a module."""
    seen: dict[str, dict[str, model.Run]] = {}
    for run in runs:
        if run.imported:
            seen.setdefault(run.arm.name, {}).setdefault(run.imported, run)
    found = []
    for arm, one_of_each in seen.items():
        if len(one_of_each) > 1 and (found_of := versions(one_of_each.values())):
            found.append(f"{arm}: its runs used {_said(found_of)}")
    return found


def versions(runs: Iterable[model.Run]) -> dict[str, dict[str, int]]:
    """Of each module with several versions, those, and a run that used it."""
    found: dict[str, dict[str, int]] = {}
    for run in runs:
        for name, value in of_run(run).items():
            found.setdefault(name, {}).setdefault(value, run.id)
    return {name: values for name, values in sorted(found.items()) if len(values) > 1}


def _said(found: dict[str, dict[str, int]]) -> str:
    named = [f"{len(used)} versions of {name}" for name, used in list(found.items())[:NAMED]]
    more = f" and several of {len(found) - NAMED} more" if len(found) > NAMED else ""
    one, other, *_ = next(iter(found.values())).values()
    return f"{', '.join(named)}{more}: nbbg diff {one} {other}"
