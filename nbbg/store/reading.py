"""A run as its folder tells it now: the state of its newest attempt, its metrics, its times."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from nbbg import files, journal, model, paths, process
from nbbg.classes import replace
from nbbg.errors import StoreError
from nbbg.store import batches, endings, imported, policy, results, runs, sizes, state
from nbbg.store.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbbg.store.place import Store

JUMP = 2.0  # seconds by which two clocks differ when one was set
LONGEST = 4096  # bytes of what an event tells of a run
_NOTHING = {**dict.fromkeys(runs.KEPT), "host": "", "gpu": "", "imported": "", "others": ()}


def read(
    store: Store,
    batch: model.Batch,
    plan: model.Planned,
    stopped: str = "",
    measured: dict[str, Metrics] | None = None,
) -> model.Run:
    """A run as the facts of its newest attempt tell it.

    Args:
        store: where it lies.
        batch: its batch.
        plan: its line of the plan.
        stopped: who asked its batch to stop, if anybody.
        measured: what a reader that looks again keeps: the metrics so far, by attempt.
    """
    run = runs.planned(store, batch, plan, 0, stopped)
    try:
        attempt = runs.newest_attempt(store.run(batch.id, plan.id))
        if not attempt:
            return _or_cleaned(store, batch, plan, run)
        run = read_attempt(runs.planned(store, batch, plan, attempt), measured)
        if stopped and isinstance(run.state, model.Queued) and _waited_before(run, store):
            return replace(run, state=runs.waiting(stopped))
        return _or_again(run, batch, stopped)
    except OSError as error:
        where = os.path.join(run.folder, str(error.filename or ""))
        return replace(run, state=model.Unknown(f"{where} can't be read: {error.strerror}"))


def _or_cleaned(store: Store, batch: model.Batch, plan: model.Planned, run: model.Run) -> model.Run:
    from nbbg.store import cleaned  # which writes what is read here

    try:
        return cleaned.read(store, run, plan, batch)
    except (ValueError, KeyError, TypeError, AttributeError, StoreError) as error:
        return replace(run, state=model.Unknown(f"{run.folder} can't be read: {error}"))


def _or_again(run: model.Run, batch: model.Batch, stopped: str) -> model.Run:
    """The run; queued, where another attempt follows on this one by itself."""
    again = policy.again(batch, run.attempt, run.state, run.folder, run.ended_at)
    if again is None or stopped:
        return replace(run, again=again)
    return model.Run(
        *(run.id, run.batch, run.arm, run.number, run.seed, run.attempt, model.Queued(again)),
        *(run.executor, run.queued_at, run.folder),
        again=again,
    )


def _waited_before(run: model.Run, store: Store) -> bool:
    """Whether a run was queued before its batch was stopped: its empty folder was made then."""
    return os.stat(run.folder).st_mtime <= batches.stop_of(store.batch(run.batch))[1]


def read_attempt(run: model.Run, measured: dict[str, Metrics] | None = None) -> model.Run:
    """The run with everything that the folder of its attempt says."""
    metrics = ({} if measured is None else measured).setdefault(run.folder, Metrics())
    with files.Folder(run.folder) as folder:
        found = state.derive(folder)
        if isinstance(found, model.Queued):
            return run
        metrics.read_on(folder)
        facts = _facts(folder, ended=isinstance(found, model.Ended))
        return replace(
            run,
            state=found,
            **facts,
            metrics=dict(metrics.values),
            spans=dict(metrics.spans),
            resumed_after=metrics.resumed_after,
        )


def _facts(folder: files.Folder, *, ended: bool) -> dict[str, Any]:
    try:
        claim = state.read_claim(folder)
        result = folder.read_json(paths.RESULT) or {}
    except (ValueError, KeyError, TypeError, OSError):
        return {}
    if claim is None:
        return {}
    head = journal.read_head(folder, paths.CELLS)
    engine = journal.first(head, "engine") or {}
    cell = journal.find_last(folder, paths.CELLS, "cell") or {}
    begin = journal.first(head, "begin") or {}
    ended_at = endings.at(folder, result) if ended else None
    return {
        "host": claim.host,
        "runner_pid": claim.runner.pid,
        "gpu": claim.gpu,
        "pid": engine.get("pid"),
        "started_at": _started_at(claim, result, ended_at),
        "ended_at": ended_at,
        "cell": _count(cell.get("ordinal")),
        "cells": _count(begin.get("cells")),
        "imported": imported.digest(folder) if ended else "",
        **(_named(folder) if ended else {}),
        "bytes": sizes.of(os.path.dirname(folder.where())) if ended else None,
    }


def _named(folder: files.Folder) -> dict[str, Any]:
    values, others = results.scalars(folder.where())
    return {"scalars": values, "others": others}


def _started_at(
    claim: model.Claim, result: Mapping[str, Any], ended_at: float | None
) -> float | None:
    """When it began, by the clock as it stood at the end, or stands now.

    A clock that was set in between is told by one that nobody sets: durations are right.
    """
    told = journal.moment(claim.at)
    seconds = result.get("seconds") if ended_at else None
    if told and isinstance(seconds, int | float) and ended_at:
        counted = ended_at - seconds
    elif told and claim.up and not ended_at and state.is_here(claim):
        counted = time.time() - (process.up() - claim.up)
    else:
        return told
    return counted if abs(counted - told) > JUMP else told


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) else None


def kept_of(attempt: files.Folder, ended: model.Ended) -> dict[str, Any] | None:
    """The same from the folder of its attempt; None where it is too long for an event."""
    metrics = Metrics()
    metrics.read_on(attempt)
    found = {**_facts(attempt, ended=True), "resumed_after": metrics.resumed_after}
    record = {"ending": endings.to_json(ended), "metrics": metrics.values, **_NOTHING, **found}
    for kept in ({**record, "spans": metrics.spans}, record):
        if len(files.to_json(kept)) <= LONGEST:
            return kept
    return None
