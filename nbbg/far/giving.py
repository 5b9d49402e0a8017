"""`give-back`: runs that were never started here are not started any more, and may go elsewhere.

Whoever has the claim of a run starts it: it is claimed, and ended at once, so that no supervisor
and no runner here can. What was faster stays here.
"""

from __future__ import annotations

import contextlib
import json
import time
from typing import TYPE_CHECKING, Any

from nbbg import files, model, paths
from nbbg.far import places
from nbbg.store import batches, claims, endings, plans, runs, state, submissions

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from nbbg.store.place import Store

GIVEN_BACK = "given back to be run elsewhere"
_GIVEN = ".given-{}.json"  # beside the batches, which may not be here yet


def carry_out(request: Mapping[str, Any]) -> dict[str, Any]:
    """Give back those of the runs that were not started; also those given back before."""
    store, number = places.of(request), int(request["batch"])
    if not store.batches.exists():
        return {"given": request["runs"]}
    with places.alone(store, number):
        known: set[int] = set()
        if store.batch(number).exists():
            places.refuse_other(store, number, request.get("made"))
            places.keep_deals(store.batch(number), request.get("deals", {}))
            known = {run.id for run in plans.read(store.batch(number) / paths.PLAN)}
        wanted = submissions.each(request["runs"])
        given = [run for run in wanted if run not in known or _give_back(store, number, run)]
        _mark(store, number, given, int(request.get("until", 0)))
    return {"given": submissions.ranges(given)}


def marks(store: Store, number: int) -> dict[int, int]:
    """The runs of a batch that were given back, with the client's last deal as it stood then.

    A `take` that knows of no later deal was on its way meanwhile, and comes too late.
    """
    with files.Folder(store.batches) as folder:
        record = folder.read_json(_GIVEN.format(number)) or {}
    return {int(run): int(until) for run, until in record.items()}


def _mark(store: Store, number: int, given: Collection[int], until: int) -> None:
    if given:
        found = {**marks(store, number), **dict.fromkeys(given, until)}
        with files.Folder(store.batches) as folder:
            folder.replace(_GIVEN.format(number), files.to_json(found))


def is_given_back(attempt: files.Folder) -> bool:
    """Whether an attempt was none, but given back; also where whoever did that was ended halfway.

    Raises:
        ValueError: its claim can't be read.
    """
    result = attempt.read(paths.RESULT)
    if result is not None:
        return says_given_back(result)
    claim = state.read_claim(attempt)
    return claim is not None and not claim.marker


def says_given_back(result: bytes) -> bool:
    """Whether the result of an attempt says that it was none."""
    with contextlib.suppress(ValueError):
        return GIVEN_BACK.encode() in result and json.loads(result).get("by") == GIVEN_BACK
    return False


def _give_back(store: Store, number: int, run: int) -> bool:
    attempt, path = runs.open_attempt(store, number, run)
    with files.Folder(path) as folder:
        if (result := folder.read(paths.RESULT)) is not None:
            return says_given_back(result)
        if attempt > 1 or not _claim(folder):
            return False
        ended = model.Stopped(GIVEN_BACK)
        record = {**endings.to_json(ended), "started_at": time.time(), "ended_at": time.time()}
        folder.write_once(paths.RESULT, files.to_json(record))
        folder.remove(paths.ENVIRONMENT)
    batches.add_event(store, number, "ended", run, attempt, state=ended.word)
    return True


def _claim(folder: files.Folder) -> bool:
    try:
        state.write_claim(folder, claims.mine())
    except FileExistsError:
        return is_given_back(folder)
    return True
