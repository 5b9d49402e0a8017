"""The engine's process: started, waited for, stopped when somebody asks, its leftovers ended.

What is needed after the start alone is imported then, while the engine itself is starting.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbbg import faults, journal, model, paths, process
from nbbg.engines import commands
from nbbg.errors import EnvironmentFault
from nbbg.runner.work import Exit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from nbbg.files import Folder
    from nbbg.runner.guard import Guard
    from nbbg.runner.stopping import Stopping
    from nbbg.runner.trimming import Trimming
    from nbbg.runner.work import Work

    # argv, working folder, environment, descriptor of the log, descriptors to be kept; returns
    # the pid, or 0 and why there is none.
    Fork = Callable[[Sequence[str], str, Mapping[str, str], int, tuple[int, ...]], tuple[int, str]]

POLL = 0.25  # seconds between two looks for `stop.json`
SWEEP = 2.0  # seconds that leftovers of a finished run get between SIGTERM and SIGKILL
_AT_THE_END = ("nbbg.runner.outcome", "nbbg.runner.hiding", "nbbg.runner.stacks")
_AND_OF_A_KERNEL = ("nbbg.engines.kernel.spawn",)


def by(fork: Fork | None) -> Callable[[Folder, Work], Exit]:
    """What executes an attempt, with an engine that is forked where that can be."""
    return functools.partial(execute, fork=fork)


def execute(folder: Folder, work: Work, fork: Fork | None = None) -> Exit:
    """Carry the engine through, whatever happens around it.

    Raises:
        EnvironmentFault: it can't be started; nothing of it lives then.
    """
    faults.step("before", "spawn")
    pid, how = _start(folder, work, fork)
    faults.step("after", "spawn")
    from nbbg.runner.guard import Guard
    from nbbg.runner.stopping import Stopping
    from nbbg.runner.trimming import Trimming

    who = process.identity(pid) or model.Identity(pid, 0)
    kills = process.oom_kills()
    guard = None
    stopping = Stopping(folder, who, work.marker, work.batch.grace)
    try:
        _introduce(folder, work, who, how)
        guard = Guard(folder, who, work)
        trimming = Trimming(folder, work.batch.log_max)
        _load_the_rest(work)
        kills = _watch(folder, who, stopping, guard, trimming)
    except Exception:  # noqa: BLE001 - the engine works on, and its end is waited for all the same
        import traceback

        traceback.print_exc()
        _wait_out(pid)
    at = time.time()
    faults.step("after", "exit")
    if not process.is_alone_with(pid):
        process.end_tree([os.getpid()], work.marker, who.pid, min(SWEEP, work.batch.grace))
    _, waited, usage = os.wait4(pid, 0)
    code = os.waitstatus_to_exitcode(waited)
    _tidy(folder, work, code)
    return Exit(
        code,
        at,
        interrupted=stopping.in_time,
        max_rss=usage.ru_maxrss * (1024 if process.LINUX else 1),
        limit=guard.limit if guard else None,
        limit_at=guard.limit_at if guard else 0.0,
        cpu_seconds=round(usage.ru_utime + usage.ru_stime, 3),
        out_of_memory=code == -signal.SIGKILL and process.oom_kills() > kills,
    )


def _load_the_rest(work: Work) -> None:
    """Now, and not when it is needed: nbbg may be upgraded while the run is at work."""
    more = _AND_OF_A_KERNEL if work.run.arm.engine == "kernel" else ()
    for name in (*_AT_THE_END, *more):
        importlib.import_module(name)


def _tidy(folder: Folder, work: Work, code: int) -> None:
    """See to what the engine leaves in files; none of it keeps the ending from being written."""
    from nbbg.runner import hiding, stacks

    with contextlib.suppress(OSError):
        hiding.hide_secrets(folder, work.environment)
        stacks.remove_empty(folder)
    with contextlib.suppress(OSError):
        if work.run.arm.engine == "kernel" and code:
            from nbbg.engines.kernel import spawn

            spawn.remove_left(folder.where())


def _start(folder: Folder, work: Work, fork: Fork | None) -> tuple[int, dict[str, Any]]:
    """The engine's pid, and how it came to be."""
    argv, arm, cold = _argv(folder, work), work.run.arm, work.cold
    log = folder.open(paths.LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        if fork:
            pid, cold = fork(argv, arm.cwd, work.environment, log, work.held)
            if pid:
                return pid, {"warm": True}
        return _spawn(argv, work, log), {"cold": cold} if cold else {}
    except OSError as error:
        raise _cannot_start(error, arm) from error
    finally:
        os.close(log)


def _spawn(argv: Sequence[str], work: Work, log: int) -> int:
    return process.spawn_within(argv, work.run.arm.cwd, work.environment, log, work.held)


def _cannot_start(error: OSError, arm: model.Arm) -> EnvironmentFault:
    """What is gone, or wrong, since the launch."""
    if not os.path.isdir(arm.cwd):
        return EnvironmentFault(f"the notebook's folder {arm.cwd} is gone")
    if arm.python and not os.path.exists(arm.python):
        return EnvironmentFault(f"its interpreter {arm.python} is gone; choose one with --python")
    return EnvironmentFault(f"{arm.python}: {error.strerror}")


def _argv(folder: Folder, work: Work) -> list[str]:
    arm = work.run.arm
    return commands.argv(
        arm.engine, arm.python, work.batch_folder, Path(folder.path), script=arm.script
    )


def _introduce(folder: Folder, work: Work, who: model.Identity, how: Mapping[str, Any]) -> None:
    cells = folder.open(paths.CELLS, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    record = {"pid": who.pid, "start_time": who.start_time, "engine": work.run.arm.engine}
    writing = journal.Journal(cells)
    writing.write("engine", **record, **how)
    if work.run.arm.log_only:
        from nbbg.runner import plain

        writing.write("begin", cells=len(plain.cell_lines(work)))
    os.close(cells)


def _watch(
    folder: Folder, who: model.Identity, stopping: Stopping, guard: Guard, trimming: Trimming
) -> int:
    """Wait until the engine is dead; how often the kernel had killed for memory shortly before."""
    from nbbg.runner.pane import Pane

    pane = Pane(folder)
    watch = process.Watch(who)
    nap = POLL
    kills = before = process.oom_kills()
    while not process.reap_others(who.pid):
        kills, before = before, process.oom_kills()
        watch.wait(nap)
        pane.show()
        now = time.monotonic()
        if not stopping.begun:
            stopping.over = guard.step(now)
        stopping.step(now)
        nap = min(POLL, trimming.step(now))
    trimming.step(time.monotonic())
    watch.close()
    pane.show()
    return kills


def _wait_out(pid: int) -> None:
    """Wait until the engine is dead, without collecting it."""
    while not process.reap_others(pid):
        time.sleep(POLL)
