"""Which of the project's own modules the runs of an arm have imported, and whether they changed.

A run's engine leaves a hash of each in its attempt (`nbbg.inside.imported`). The index keeps one
digest a run, so that the modules are looked at only where two runs differ.
"""

from __future__ import annotations

import contextlib
import hashlib
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
    return hashlib.sha256(files.to_json(sorted(found.items()))).hexdigest()[:12] if found else ""


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
        if len(one_of_each) > 1 and (counts := _versions(one_of_each.values())):
            found.append(f"{arm}: its runs used {_said(counts)}")
    return found


def _versions(runs: Iterable[model.Run]) -> dict[str, int]:
    """How many versions of each module they used, where it is more than one."""
    versions: dict[str, set[str]] = {}
    for run in runs:
        for name, value in of_run(run).items():
            versions.setdefault(name, set()).add(value)
    return {name: len(values) for name, values in sorted(versions.items()) if len(values) > 1}


def _said(counts: dict[str, int]) -> str:
    named = [f"{count} versions of {name}" for name, count in list(counts.items())[:NAMED]]
    more = len(counts) - len(named)
    return ", ".join(named) + (f" and several of {more} more" if more else "")
