"""A run as its records tell it now: its newest attempt, its state, its metrics."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from typing import TYPE_CHECKING, Any

from nbbg import faults, files, journal, model, paths, process
from nbbg.classes import replace
from nbbg.errors import StoreError
from nbbg.store import batches, endings, imported, policy, results, sizes, state
from nbbg.store.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from nbbg.store.place import Store

JUMP = 2.0  # seconds by which two clocks differ when one was set
LONGEST = 4096  # bytes of what an event tells of a run
_KEPT = (
    *("host", "pid", "runner_pid", "gpu", "started_at", "ended_at"),
    *("cell", "cells", "resumed_after", "imported", "scalars", "others", "bytes", "cleaned_at"),
)
_NOTHING = {**dict.fromkeys(_KEPT), "host": "", "gpu": "", "imported": "", "others": ()}


def newest_attempt(run_folder: Path) -> int:
    """The number of the newest attempt; 0 where the run was never started.

    Raises:
        OSError: its folder, or that of the run, is a link: nbbg makes none, and follows none.
    """
    _refuse_link(run_folder)
    try:
        names = os.listdir(run_folder)
    except FileNotFoundError:
        return 0
    newest = max((int(name) for name in names if files.is_number(name)), default=0)
    if newest:
        _refuse_link(run_folder / str(newest))
    return newest


def _refuse_link(folder: Path) -> None:
    if os.path.islink(folder):
        raise OSError(errno.ELOOP, "it is a link", str(folder))


def new_attempt(store: Store, batch: int, run: int, number: int) -> Path:
    """Make the folder of an attempt, empty, which is what `queued` looks like.

    Its number is the caller's to say, as it saw the run: of two that want the same next attempt,
    one makes it.

    Raises:
        FileExistsError: another process has just made it.
        StoreError: the run's files were cleaned away.
    """
    folder = store.run(batch, run)
    files.make_folder(folder)
    path = folder / str(number)
    faults.step("before", "attempt")
    path.mkdir(files.FOLDER_MODE)
    path.chmod(files.FOLDER_MODE)  # whatever the umask
    if os.path.exists(folder / paths.CLEANED):  # looked for after: see store/cleaned.py
        path.rmdir()
        message = f"run {run} was cleaned: it can't be started again\nanother: the launch again"
        raise StoreError(message)
    files.fsync_folder(folder)
    if number == 1:
        files.fsync_folder(folder.parent)
    faults.step("after", "attempt")
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
    try:
        arm = batch.arms[plan.arm]
    except KeyError as error:
        message = f"{store.batch(batch.id)} can't be read: no arm {plan.arm!r}, of run {plan.id}"
        raise StoreError(message) from error
    return model.Run(
        id=plan.id,
        batch=batch.id,
        arm=arm,
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
            return _or_cleaned(store, batch, plan, run)
        run = read_attempt(planned(store, batch, plan, attempt), measured)
        if stopped and isinstance(run.state, model.Queued) and _waited_before(run, store):
            return replace(run, state=_waiting(stopped))
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


def to_json(run: model.Run) -> dict[str, Any]:
    """What the index keeps of a run that has ended; its arm and plan are kept elsewhere."""
    assert isinstance(run.state, model.Ended | model.Lost)  # noqa: S101 - the caller has looked
    return {
        "ending": endings.to_json(run.state),
        "metrics": dict(run.metrics),
        "spans": run.spans,
        **{name: getattr(run, name) for name in _KEPT},
    }


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


def from_json(run: model.Run, record: dict[str, Any]) -> model.Run:
    """The run with what the index kept of it."""
    fields = {name: record[name] for name in ("metrics", *_KEPT) if name in record}
    with contextlib.suppress(AttributeError, TypeError):  # of a damaged record
        spans = record.get("spans", {}).items()
        fields["spans"] = {name: model.Span(*span) for name, span in spans}
    return replace(run, state=endings.from_json(record["ending"]), **fields)
