"""`stores`: what clients have left on this machine, so that another one can take it over."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbbg import files, paths
from nbbg.store import plans, runs
from nbbg.store.place import Store

if TYPE_CHECKING:
    from collections.abc import Mapping


def carry_out(request: Mapping[str, Any]) -> dict[str, Any]:
    """Every client's store, with its batches."""
    root = Path(request["folder"])
    folder = root / paths.STORE / paths.FROM
    tokens = sorted(os.listdir(folder)) if folder.is_dir() else []
    return {"stores": {token: _told(Store(root, folder / token)) for token in tokens}}


def _told(store: Store) -> dict[str, Any]:
    client: dict[str, Any] = {}
    with contextlib.suppress(OSError, ValueError), files.Folder(store.folder) as opened:
        client = opened.read_json(paths.CLIENT) or {}
    return {"client": client, "batches": {n: _batch(store, n) for n in store.batch_numbers()}}


def _batch(store: Store, number: int) -> dict[str, int]:
    ids = [run.id for run in plans.read(store.batch(number) / paths.PLAN)]
    ended = 0
    for run in ids:
        folder = store.run(number, run)
        newest = runs.newest_attempt(folder)
        ended += bool(newest) and (folder / str(newest) / paths.RESULT).exists()
    return {"runs": len(ids), "ended": ended}
