"""One attempt from its claim to its result. `carry_out` names the steps."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

from nbbg import faults, files, model, paths, process
from nbbg.errors import NbbgError
from nbbg.runner import engine, environment, opening, requeue, scratch, seating
from nbbg.runner.work import Exit, Place, Work, batch_in, locate
from nbbg.store import batches, claims, endings, locks, requests, state
from nbbg.store.slots import Seat

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


_PASSES = (*files.FULL, errno.EIO, errno.ENOMEM, errno.EMFILE, errno.ENFILE)
PATIENCE = 2.0  # seconds
FAULTS = (NbbgError, OSError, ValueError, KeyError)


def carry_out(
    path: Path,
    execute: Callable[[files.Folder, Work], Exit] | None = None,
    fork: engine.Fork | None = None,
) -> int:
    """Claim the attempt, execute its notebook, write how it ended; 0 when it succeeded, else 1.

    Whoever does not get the claim leaves without a word: another runner has it.

    Args:
        path: the attempt's folder.
        execute: instead of an engine's process of its own.
        fork: what makes that process, where this one was forked from a template.
    """
    with files.Folder(path) as folder:
        marker = os.urandom(16).hex()
        if execute is None:
            _stand_alone(folder)
        try:
            order = _order(folder)
        except ValueError as error:  # half of it, of a supervisor that was killed: not claimed
            sys.stderr.write(f"{folder.path}: {error}\n")
            return 1
        seat, fault = _seat(path, folder, marker, order)
        lock = _claim(folder, marker, seat)
        if lock is None:
            seat.leave()
            return 0
        started, up = time.time(), process.up()
        try:
            if fault:
                raise fault
            work = _prepare(path, folder, marker, lock, seat, order)
            end = _unless_stopped(folder, work, execute or engine.by(fork))
        except FAULTS as error:
            record = endings.to_json(model.Failed(None, f"it could not be started: {error}"))
            try_again = None
            seat.leave()
        else:
            from nbbg.runner import outcome  # imported while the engine was starting

            seat.leave()
            record, try_again = outcome.of(folder, end), outcome.with_notebook
            if given := work.environment.get(paths.SCRATCH_DIR, ""):
                record = scratch.bring(given, path, record)
        record = _timed(record, started, up)
        folder.remove(paths.ENVIRONMENT)  # put there for a second runner, which got no claim
        task = _next_task(path, folder, record)
        _write_result(folder, record, try_again)
        os.close(lock)
        if task:
            requeue.ask(task)
        return 0 if record["state"] == model.Succeeded.word else 1


def _timed(record: Mapping[str, Any], started: float, up: float) -> dict[str, Any]:
    """With how long it took: until its end, and not until its notebook was written."""
    ended = record.get("ended_at", time.time())
    late = max(0.0, time.time() - ended)
    seconds = round(max(0.0, process.up() - up - late), 3)
    return {"ended_at": ended, **record, "started_at": started, "seconds": seconds}


def _order(folder: files.Folder) -> dict[str, Any]:
    """What the supervisor asks for; what a second one is writing this moment is waited for.

    Raises:
        ValueError: it is never whole.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return folder.read_json(paths.ENVIRONMENT) or {}
        except ValueError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _seat(
    path: Path, folder: files.Folder, marker: str, order: Mapping[str, Any]
) -> tuple[Seat, Exception | None]:
    """The run's slots, or why there can't be any, which is said when the attempt is ours."""
    try:
        given = order.get("environment", os.environ)
        since = order.get("decided_at", time.time())
        return seating.take(folder, batch_in(path.parents[2]), given, since, marker), None
    except FAULTS as error:
        return Seat(), error


def _claim(folder: files.Folder, marker: str, seat: Seat) -> int | None:
    """The descriptor of the lock that is now ours, or None where the attempt is somebody's."""
    lock = folder.open(paths.LOCK, os.O_RDWR | os.O_CREAT)
    claim = claims.mine(marker, lock, seat.gpu, seat.names)
    faults.step("before", "lock")
    if locks.take(lock):
        faults.step("after", "lock")
        with contextlib.suppress(FileExistsError):
            state.write_claim(folder, claim)
            return lock
    os.close(lock)
    return None


def _stand_alone(folder: files.Folder) -> None:
    """What only a process of its own does: no hang-up ends it, signals ask it to stop."""
    process.become_subreaper()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, it would hide the engine's end
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def ask(number: int, _: object) -> None:
        with contextlib.suppress(OSError):
            batches.put_stop(folder, _who(number))

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, ask)
    if opening.JOB in os.environ:
        signal.signal(signal.SIGUSR1, ask)
    os.chdir("/")


def _who(number: int) -> str:
    """Who has sent that signal, for the record."""
    if opening.JOB not in os.environ:
        return f"{signal.Signals(number).name} to its runner"
    return opening.TIME_LIMIT if number == signal.SIGUSR1 else opening.CANCELLED


def _next_task(path: Path, folder: files.Folder, record: Mapping[str, Any]) -> str:
    """What of a scheduler's is to go on with the run; empty where nothing is."""
    if opening.JOB not in os.environ:
        return ""
    return requeue.prepare(path, folder, record)


def _prepare(
    path: Path,
    folder: files.Folder,
    marker: str,
    lock: int,
    seat: Seat,
    order: Mapping[str, Any],
) -> Work:
    at = locate(path)
    with contextlib.suppress(ValueError):  # then the first holds
        order = folder.read_json(paths.ENVIRONMENT) or order
    folder.remove(paths.ENVIRONMENT)
    files.make_folder(path.parent / paths.CHECKPOINT)
    files.make_folder(path / paths.RESULTS)
    given = environment.for_run(order.get("environment", os.environ), at.batch, at.run, seat.gpu)
    given[paths.MARKER] = marker
    if at.run.arm.log_only:
        from nbbg.runner import plain

        given["PYTHONPATH"] = plain.path(at, given)
    given.update(environment.of_project(at.batch_folder, at.batch, given))
    if at.batch.scratch:
        given[paths.SCRATCH_DIR] = scratch.make(at.batch.scratch, path, given)
    told = {**_for_engine(at, lock, seat), "note_modules": bool(order.get("note_modules"))}
    folder.write_once(paths.ENGINE, files.to_json(told))
    decided_at = order.get("decided_at", time.time())
    held = (lock, *seat.held)
    cold = str(order.get("cold", ""))
    return Work(at.batch_folder, at.batch, at.run, given, marker, held, decided_at, cold)


def _for_engine(at: Place, lock: int, seat: Seat) -> dict[str, Any]:
    arm = at.run.arm
    return {
        "notebook": str(at.batch_folder / arm.frozen),
        "path": arm.notebook,
        "params": dict(arm.params),
        "injected": arm.injected,
        "lock_fd": lock,
        "slot_fds": seat.held,
        "results": list(at.batch.results or arm.results),
        "engine": arm.engine,
        "python": arm.python,
        "kernel": arm.kernel,
        "guest": str(at.batch_folder / paths.GUEST),
        "allow_errors": at.batch.allow_errors,
    }


def _unless_stopped(
    folder: files.Folder, work: Work, execute: Callable[[files.Folder, Work], Exit]
) -> Exit:
    """Start the engine, but for a stop that was asked for before the claim.

    The batch's own stop counts when it came after the decision to start this run.
    """
    with files.Folder(work.batch_folder) as batch:
        asked = requests.stop_request(batch) or {}
    if asked.get("how") == batches.NOW and asked["at"] >= work.decided_at:
        batches.put_stop(folder, asked["by"])
    return Exit(0, time.time()) if folder.exists(paths.STOP) else execute(folder, work)


def _write_result(
    folder: files.Folder,
    record: dict[str, Any],
    try_again: Callable[[files.Folder, dict[str, Any]], dict[str, Any]] | None,
) -> None:
    """Write `result.json`, however long the disk stays full; the lock is held meanwhile.

    What could not be written before it, for want of space, is tried again with it.
    """
    while True:
        try:
            folder.write_once(paths.RESULT, json.dumps(record).encode())
        except OSError as error:
            if error.errno not in _PASSES:
                raise
            if files.is_full(error):
                with contextlib.suppress(OSError):
                    os.close(folder.open(paths.NO_ROOM, os.O_WRONLY | os.O_CREAT))
            time.sleep(1)
            record = try_again(folder, record) if try_again else record
        else:
            with contextlib.suppress(OSError):
                folder.remove(paths.NO_ROOM)
            return
