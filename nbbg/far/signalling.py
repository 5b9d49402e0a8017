"""`signal`: send a signal to the runner of a run, if it lives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbbg import files, process
from nbbg.far import places
from nbbg.store import runs, state

if TYPE_CHECKING:
    from collections.abc import Mapping


def carry_out(request: Mapping[str, Any]) -> dict[str, Any]:
    """Send it."""
    folder = places.of(request).run(int(request["batch"]), int(request["run"]))
    if attempt := runs.newest_attempt(folder):
        with files.Folder(folder / str(attempt)) as opened:
            claim = state.read_claim(opened)
        if claim and claim.boot == process.boot_id() and process.alive(claim.runner):
            process.send(claim.runner, int(request["signal"]))
    return {}
