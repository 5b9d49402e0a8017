"""One attempt from its claim to its result. `carry_out` names the steps."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbbg import files, journal, model, paths, process
from nbbg.engines import commands
from nbbg.errors import NbbgError
from nbbg.runner import environment, outcome
from nbbg.runner.pane import Pane
from nbbg.runner.stopping import Stopping
from nbbg.store import batches, endings, locks, place, plans, runs, state

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

POLL = 0.25  # seconds between two looks for `stop.json`
SWEEP = 2.0  # seconds that leftovers of a finished run get between SIGTERM and SIGKILL


@dataclass(frozen=True)
class Work:
    """What the attempt is about."""

    batch_folder: Path
    batch: model.Batch
    run: model.Run
    environment: dict[str, str]
    marker: str
    lock: int  # descriptor


@dataclass(frozen=True)
class Finish:
    """How the engine's process ended."""

    status: int  # negative: a signal
    max_rss: int = 0  # bytes
    cpu_seconds: float = 0.0
    out_of_memory: bool = False




def carry_out(path: Path, engine: Callable[[files.Folder, Work], Finish] | None = None) -> int:
    """Claim the attempt, execute its notebook, write how it ended; 0 when it succeeded, else 1.

    Whoever does not get the claim leaves without a word: another runner has it.
    """
    with files.Folder(path) as folder:
        marker = os.urandom(16).hex()
        lock = _claim(folder, marker)
        if lock is None:
            return 0
        if engine is None:
            _stand_alone(folder)
        started = time.time()
        try:
            work = _prepare(path, folder, marker, lock)
            finish = _unless_stopped(folder, work, engine or _execute)
            record = outcome.of(folder, work.batch_folder, work.batch, work.run, finish)
        except (NbbgError, OSError, ValueError, KeyError) as error:
            failed = model.Failed(None, f"it could not be started: {error}")
            record = endings.to_json(failed)
        record = {**record, "started_at": started, "ended_at": time.time()}
        folder.remove(paths.ENVIRONMENT)  # put there for a second runner, which got no claim
        _write_result(folder, record)
        os.close(lock)
        return 0 if record["state"] == model.Succeeded.word else 1


def _claim(folder: files.Folder, marker: str) -> int | None:
    """The descriptor of the lock that is now ours, or None where the attempt is somebody's."""
    lock = folder.open(paths.LOCK, os.O_RDWR | os.O_CREAT)
    me = process.identity(os.getpid())
    assert me is not None
    status = os.fstat(lock)
    claim = model.Claim(
        runner=me,
        host=process.host(),
        boot=process.boot_id(),
        namespace=process.pid_namespace(),
        lock_device=status.st_dev,
        lock_inode=status.st_ino,
        marker=marker,
        at=time.time(),
    )
    try:
        if not locks.take(lock):
            raise FileExistsError
        state.write_claim(folder, claim)
    except FileExistsError:
        os.close(lock)
        return None
    return lock


def _stand_alone(folder: files.Folder) -> None:
    """What only a process of its own does: no hang-up ends it, signals ask it to stop."""
    process.become_subreaper()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def ask(number: int, _: object) -> None:
        with contextlib.suppress(OSError):
            batches.put_stop(folder, f"{signal.Signals(number).name} to its runner")

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, ask)
    os.chdir("/")


def _prepare(path: Path, folder: files.Folder, marker: str, lock: int) -> Work:
    batch_folder = path.parents[2]
    batch = batches.read_folder(batch_folder)
    plan = plans.find(batch_folder / paths.PLAN, int(path.parent.name))
    store = place.of_batch(batch_folder)
    run = runs.planned(store, batch, plan, int(path.name))
    base = folder.read_json(paths.ENVIRONMENT)
    folder.remove(paths.ENVIRONMENT)
    files.make_folder(path.parent / paths.CHECKPOINT)
    files.make_folder(path / paths.RESULTS)
    given = environment.for_run(os.environ if base is None else base, batch, run)
    given[paths.MARKER] = marker
    folder.write_once(paths.ENGINE, files.to_json(_for_engine(batch_folder, batch, run, lock)))
    return Work(batch_folder, batch, run, given, marker, lock)


def _for_engine(
    batch_folder: Path, batch: model.Batch, run: model.Run, lock: int
) -> dict[str, Any]:
    arm = run.arm
    return {
        "notebook": str(batch_folder / arm.frozen),
        "path": arm.notebook,
        "params": dict(arm.params),
        "lock_fd": lock,
        "results": list(batch.results),
        "engine": arm.engine,
        "python": arm.python,
        "kernel": arm.kernel,
        "guest": str(batch_folder / paths.GUEST),
    }


def _unless_stopped(
    folder: files.Folder, work: Work, engine: Callable[[files.Folder, Work], Finish]
) -> Finish:
    """Start the engine, but for a stop that was asked for before the claim."""
    with files.Folder(work.batch_folder) as batch:
        asked = batch.read_json(paths.STOP)
    if asked and asked.get("how") != batches.AFTER_RUN:
        batches.put_stop(folder, asked["by"])
    return Finish(0) if folder.exists(paths.STOP) else engine(folder, work)


def _execute(folder: files.Folder, work: Work) -> Finish:
    import subprocess

    log = folder.open(paths.LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    cells = folder.open(paths.CELLS, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    kills = process.oom_kills()
    program = subprocess.Popen(  # noqa: S603 - an argv list of our own
        commands.argv(work.run.arm.engine, work.run.arm.python, work.batch_folder, Path(folder.path)),
        cwd=work.run.arm.cwd,
        env=work.environment,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        pass_fds=[work.lock],
        start_new_session=True,
    )
    os.close(log)
    engine = process.identity(program.pid) or model.Identity(program.pid, 0)
    record = {"pid": engine.pid, "start_time": engine.start_time, "engine": work.run.arm.engine}
    journal.Journal(cells).write("engine", **record)
    os.close(cells)
    _watch(folder, work, engine)
    process.end_tree([os.getpid()], work.marker, engine.pid, min(SWEEP, work.batch.grace))
    _, waited, usage = os.wait4(engine.pid, 0)
    status = program.returncode = os.waitstatus_to_exitcode(waited)
    outcome.hide_secrets(folder, work.environment)
    return Finish(
        status,
        max_rss=usage.ru_maxrss * (1024 if process.LINUX else 1),
        cpu_seconds=round(usage.ru_utime + usage.ru_stime, 3),
        out_of_memory=status == -signal.SIGKILL and process.oom_kills() > kills,
    )


def _watch(folder: files.Folder, work: Work, engine: model.Identity) -> None:
    """Wait until the engine is dead, carrying out a stop when one is asked for."""
    stopping = Stopping(folder, engine, work.marker, work.batch.grace)
    pane = Pane(folder)
    watch = process.Watch(engine)
    while not process.reap_others(engine.pid):
        watch.wait(POLL)
        pane.show()
        stopping.step(time.monotonic())
    watch.close()
    pane.show()


def _write_result(folder: files.Folder, record: Mapping[str, Any]) -> None:
    """Write `result.json`, however long the disk stays full; the lock is held meanwhile."""
    data = json.dumps(record).encode()
    while True:
        try:
            folder.write_once(paths.RESULT, data)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ENOMEM):
                raise
            time.sleep(1)
        else:
            return
