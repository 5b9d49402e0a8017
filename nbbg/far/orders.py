"""What a client has decided about a batch since: stops, changes; done here once each.

Times are this machine's: the client's clock may differ, and what came first is decided by them.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

from nbbg import files, paths
from nbbg.store import batches, runs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from nbbg.store.place import Store


def apply(store: Store, number: int, orders: Mapping[str, Any], *, lifts: bool = False) -> None:
    """Do what was decided.

    Args:
        store: of the batch.
        number: its own.
        orders: `stop` of the whole batch or null, `stops` by run, `changes` by number.
        lifts: whether a stop of the whole batch that the client has not any more is taken back;
            only whoever resumes says so.
    """
    folder = store.batch(number)
    _change(folder, orders.get("changes", {}))
    if stop := orders.get("stop"):
        batches.ask_to_stop(folder, stop["by"], after_run=stop["how"] == batches.AFTER_RUN)
    elif lifts:
        batches.take_back_stop(store, number)
    for run, stop in orders.get("stops", {}).items():
        _stop(store, number, int(run), int(stop["attempt"]), stop["by"])


def _change(folder: Path, changes: Mapping[str, Any]) -> None:
    if not changes:
        return
    files.make_folder(folder / paths.CHANGES)
    with files.Folder(folder / paths.CHANGES) as opened:
        for name in sorted(changes, key=int):
            record = files.to_json({**changes[name], "at": time.time()})
            if not opened.exists(f"{int(name)}.json"):
                with contextlib.suppress(FileExistsError):
                    opened.write_once(f"{int(name)}.json", record)


def _stop(store: Store, number: int, run: int, attempt: int, by: str) -> None:
    """Stop that attempt, and what would follow on an earlier one by itself."""
    newest = runs.newest_attempt(store.run(number, run))
    if newest > attempt:
        return
    batches.add_event(store, number, "stopped", run, newest or 1)
    _, path = runs.open_attempt(store, number, run)
    batches.ask_to_stop(path, by)
