"""A run as its records tell it now: its newest attempt, its state, its metrics."""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nbbg import files, journal, model, paths
from nbbg.store import batches, endings, imported, policy, state
from nbbg.store.metrics import Metrics

if TYPE_CHECKING:
    from pathlib import Path

    from nbbg.store.place import Store

LONGEST = 4096  # bytes of what an event tells of a run
_KEPT = (
    *("host", "pid", "runner_pid", "gpu", "started_at", "ended_at"),
    *("cell", "cells", "resumed_after", "imported"),
)
_NOTHING = {**dict.fromkeys(_KEPT), "host": "", "gpu": "", "imported": ""}


def newest_attempt(run_folder: Path) -> int:
    """The number of the newest attempt; 0 where the run was never started."""
    try:
        names = os.listdir(run_folder)
    except FileNotFoundError:
        return 0
    return max((int(name) for name in names if name.isdigit()), default=0)


def new_attempt(store: Store, batch: int, run: int, number: int) -> Path:
    """Make the folder of an attempt, empty, which is what `queued` looks like.

    Its number is the caller's to say, as it saw the run: of two that want the same next attempt,
    one makes it.

    Raises:
        FileExistsError: another process has just made it.
    """
    folder = store.run(batch, run)
    files.make_folder(folder)
    path = folder / str(number)
    path.mkdir(files.FOLDER_MODE)
    path.chmod(files.FOLDER_MODE)  # whatever the umask
    files.fsync_folder(folder)
    if number == 1:
        files.fsync_folder(folder.parent)
    return path


def open_attempt(store: Store, batch: int, run: int) -> tuple[int, Path]:
    """The newest attempt, made where there is none; whoever makes it."""
    folder = store.run(batch, run)
    if not newest_attempt(folder):
        with contextlib.suppress(FileExistsError):
            new_attempt(store, batch, run, 1)
    number = newest_attempt(folder)
    return number, folder / str(number)


def planned(
    store: Store, batch: model.Batch, plan: model.Planned, attempt: int, stopped: str = ""
) -> model.Run:
    """A run as its plan tells it; `stopped` is who asked its batch to stop, if anybody."""
    folder = os.path.join(store.folder, paths.BATCHES, str(batch.id), paths.RUNS, str(plan.id))
    return model.Run(
        id=plan.id,
        batch=batch.id,
        arm=batch.arms[plan.arm],
        number=plan.number,
        seed=plan.seed,
        attempt=attempt,
        state=_waiting(stopped),
        executor=batch.executor,
        queued_at=batch.created_at,
        folder=os.path.join(folder, str(attempt)) if attempt else folder,
    )


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
    run = planned(store, batch, plan, 0, stopped)
    try:
        attempt = newest_attempt(store.run(batch.id, plan.id))
        if not attempt:
            return run
        run = read_attempt(planned(store, batch, plan, attempt), measured)
        if stopped and isinstance(run.state, model.Queued) and _waited_before(run, store):
            return replace(run, state=_waiting(stopped))
        return _or_again(run, batch, stopped)
    except OSError as error:
        return replace(run, state=model.Unknown(f"{run.folder} can't be read: {error.strerror}"))


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


def _waiting(stopped: str) -> model.RunState:
    if not stopped:
        return model.Queued()
    return model.Stopped(stopped, note="before it started", with_batch=True)


def needless(run: model.Run, why: str) -> model.Run:
    """A run that was never started, of a batch that was decided without it."""
    return replace(run, state=model.Stopped(why, with_batch=True, needless=True))


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
    return {
        "host": claim.host,
        "runner_pid": claim.runner.pid,
        "gpu": claim.gpu,
        "pid": engine.get("pid"),
        "started_at": journal.moment(claim.at),
        "ended_at": endings.at(folder, result) if ended else None,
        "cell": _count(cell.get("ordinal")),
        "cells": _count(begin.get("cells")),
        "imported": imported.digest(folder) if ended else "",
    }


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) else None


def to_json(run: model.Run) -> dict[str, Any]:
    """What the index keeps of a run that has ended; its arm and plan are kept elsewhere."""
    assert isinstance(run.state, model.Ended)  # noqa: S101 - the caller has looked
    return {
        "ending": endings.to_json(run.state),
        "metrics": dict(run.metrics),
        **{name: getattr(run, name) for name in _KEPT},
    }


def kept_of(attempt: files.Folder, ended: model.Ended) -> dict[str, Any] | None:
    """The same from the folder of its attempt; None where it is too long for an event."""
    metrics = Metrics()
    metrics.read_on(attempt)
    found = {**_facts(attempt, ended=True), "resumed_after": metrics.resumed_after}
    record = {"ending": endings.to_json(ended), "metrics": metrics.values, **_NOTHING, **found}
    return record if len(files.to_json(record)) <= LONGEST else None


def from_json(run: model.Run, record: dict[str, Any]) -> model.Run:
    """The run with what the index kept of it."""
    fields = {name: record[name] for name in ("metrics", *_KEPT) if name in record}
    return replace(run, state=endings.from_json(record["ending"]), **fields)
