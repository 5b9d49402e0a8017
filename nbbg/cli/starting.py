"""How a run was started, warm or cold, and where its time went: for `nbbg show`."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbbg import files, paths
from nbbg.classes import asdict
from nbbg.cli import table
from nbbg.store import spent

if TYPE_CHECKING:
    from nbbg import model

_PARTS = ("waiting", "starting", "importing", "cells")
_SHORT = 10.0  # seconds, which are shown with two places


def fields(run: model.Run) -> list[tuple[str, str]]:
    """Lines with their names; a value is empty where there is nothing to say."""
    found = spent.of(run, time.time())
    parts = ((name, getattr(found, name)) for name in _PARTS)
    said = ", ".join(f"{name} {_duration(value)}" for name, value in parts if value is not None)
    return [("start", _start(run, found)), ("time", said if found.warm is not None else "")]


def document(run: model.Run) -> dict[str, Any]:
    """The same as JSON."""
    return asdict(spent.of(run, time.time()))


def _start(run: model.Run, found: spent.Spent) -> str:
    if found.cold:
        return f"cold: {found.cold}"
    if not found.warm:
        return ""
    left_out = _left_out(run).items()
    return "warm" + "".join(f"; not {name}: {why}" for name, why in left_out)


def _left_out(run: model.Run) -> dict[str, str]:
    """What the template of a run has not imported, and why."""
    batch = Path(run.folder).parents[2]
    with contextlib.suppress(OSError, ValueError, AttributeError), files.Folder(batch) as folder:
        known = (folder.read_json(paths.WARM) or {}).get(run.arm.python, {})
        return {str(name): str(why) for name, why in known.get("left_out", {}).items()}
    return {}


def _duration(seconds: float) -> str:
    return f"{seconds:.2f}s" if seconds < _SHORT else table.duration(seconds)
