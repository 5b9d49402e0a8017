"""A run as its plan tells it, the folders of its attempts, and what the index keeps of it."""

from __future__ import annotations

import contextlib
import errno
import os
from typing import TYPE_CHECKING, Any

from nbbg import faults, files, model, paths
from nbbg.classes import replace
from nbbg.errors import StoreError
from nbbg.store import endings

if TYPE_CHECKING:
    from pathlib import Path

    from nbbg.store.place import Store

KEPT = (  # of a run that has ended
    *("host", "pid", "runner_pid", "gpu", "started_at", "ended_at"),
    *("cell", "cells", "resumed_after", "imported", "scalars", "others", "bytes", "cleaned_at"),
)


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
        state=waiting(stopped),
        executor=batch.executor,
        queued_at=batch.created_at,
        folder=os.path.join(folder, str(attempt)) if attempt else folder,
    )


def waiting(stopped: str) -> model.RunState:
    """The state of a run that was never started; `stopped` is who asked its batch to stop."""
    if not stopped:
        return model.Queued()
    return model.Stopped(stopped, note="before it started", with_batch=True)


def needless(run: model.Run, why: str) -> model.Run:
    """A run that was never started, of a batch that was decided without it."""
    return replace(run, state=model.Stopped(why, with_batch=True, needless=True))


def to_json(run: model.Run) -> dict[str, Any]:
    """What the index keeps of a run that has ended; its arm and plan are kept elsewhere."""
    assert isinstance(run.state, model.Ended | model.Lost)  # noqa: S101 - the caller has looked
    return {
        "ending": endings.to_json(run.state),
        "metrics": dict(run.metrics),
        "spans": run.spans,
        **{name: getattr(run, name) for name in KEPT},
    }


def from_json(run: model.Run, record: dict[str, Any]) -> model.Run:
    """The run with what the index kept of it."""
    fields = {name: record[name] for name in ("metrics", *KEPT) if name in record}
    with contextlib.suppress(AttributeError, TypeError):  # of a damaged record
        spans = record.get("spans", {}).items()
        fields["spans"] = {name: model.Span(*span) for name, span in spans}
    return replace(run, state=endings.from_json(record["ending"]), **fields)
