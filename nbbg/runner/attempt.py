"""One attempt from its claim to its result. `carry_out` names the steps."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import time
from typing import TYPE_CHECKING, Any

from nbbg import files, model, paths, process
from nbbg.errors import NbbgError
from nbbg.runner import engine, environment, opening, requeue, seating
from nbbg.runner.work import Exit, Place, Work, locate
from nbbg.store import batches, endings, locks, state
from nbbg.store.slots import Seat

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


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
        seat, fault = _seat(path, folder, marker)
        lock = _claim(folder, marker, seat)
        if lock is None:
            seat.leave()
            return 0
        started = time.time()
        try:
            if fault:
                raise fault
            work = _prepare(path, folder, marker, lock, seat)
            end = _unless_stopped(folder, work, execute or engine.by(fork))
        except FAULTS as error:
            record = endings.to_json(model.Failed(None, f"it could not be started: {error}"))
            seat.leave()
        else:
            from nbbg.runner import outcome  # imported while the engine was starting

            seat.leave()
            record = outcome.of(folder, end)
        record = {"ended_at": time.time(), **record, "started_at": started}
        folder.remove(paths.ENVIRONMENT)  # put there for a second runner, which got no claim
        task = _next_task(path, folder, record)
        _write_result(folder, record)
        os.close(lock)
        if task:
            requeue.ask(task)
        return 0 if record["state"] == model.Succeeded.word else 1


def _seat(path: Path, folder: files.Folder, marker: str) -> tuple[Seat, Exception | None]:
    """The run's slots, or why there can't be any, which is said when the attempt is ours."""
    try:
        order = folder.read_json(paths.ENVIRONMENT) or {}
        given = order.get("environment", os.environ)
        since = order.get("decided_at", time.time())
        return seating.take(
            folder, batches.read_folder(path.parents[2]), given, since, marker
        ), None
    except FAULTS as error:
        return Seat(), error


def _claim(folder: files.Folder, marker: str, seat: Seat) -> int | None:
    """The descriptor of the lock that is now ours, or None where the attempt is somebody's."""
    lock = folder.open(paths.LOCK, os.O_RDWR | os.O_CREAT)
    me = process.identity(os.getpid())
    assert me is not None  # noqa: S101 - this process lives
    status = os.fstat(lock)
    claim = model.Claim(
        runner=me,
        host=process.host(),
        machine=process.machine(),
        boot=process.boot_id(),
        namespace=process.pid_namespace(),
        lock_device=status.st_dev,
        lock_inode=status.st_ino,
        marker=marker,
        at=time.time(),
        gpu=seat.gpu,
        slots=seat.names,
    )
    if locks.take(lock):
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


def _prepare(path: Path, folder: files.Folder, marker: str, lock: int, seat: Seat) -> Work:
    at = locate(path)
    order = folder.read_json(paths.ENVIRONMENT) or {}
    folder.remove(paths.ENVIRONMENT)
    files.make_folder(path.parent / paths.CHECKPOINT)
    files.make_folder(path / paths.RESULTS)
    given = environment.for_run(order.get("environment", os.environ), at.batch, at.run, seat.gpu)
    given[paths.MARKER] = marker
    if at.run.arm.log_only:
        from nbbg.runner import plain

        given["PYTHONPATH"] = plain.path(at, given)
    given.update(environment.of_project(at.batch_folder, at.batch, given))
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
        asked = batch.read_json(paths.STOP) or {}
    if asked.get("how") == batches.NOW and asked["at"] >= work.decided_at:
        batches.put_stop(folder, asked["by"])
    return Exit(0, time.time()) if folder.exists(paths.STOP) else execute(folder, work)


def _write_result(folder: files.Folder, record: Mapping[str, Any]) -> None:
    """Write `result.json`, however long the disk stays full; the lock is held meanwhile."""
    data = json.dumps(record).encode()
    while True:
        try:
            folder.write_once(paths.RESULT, data)
        except OSError as error:
            if error.errno not in (*files.FULL, errno.EIO, errno.ENOMEM):
                raise
            time.sleep(1)
        else:
            return
