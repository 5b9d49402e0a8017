"""The engine's process: started, waited for, stopped when somebody asks, its leftovers ended."""

from __future__ import annotations

import contextlib
import os
import signal
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from nbbg import journal, model, paths, process
from nbbg.engines import commands
from nbbg.runner import hiding
from nbbg.runner.pane import Pane
from nbbg.runner.stopping import Stopping
from nbbg.runner.work import Exit

if TYPE_CHECKING:
    import subprocess

    from nbbg.files import Folder
    from nbbg.runner.work import Work

POLL = 0.25  # seconds between two looks for `stop.json`
SWEEP = 2.0  # seconds that leftovers of a finished run get between SIGTERM and SIGKILL


def execute(folder: Folder, work: Work) -> Exit:
    """Carry the engine through, whatever happens around it.

    Raises:
        OSError: it can't be started; nothing of it lives then.
    """
    program = _start(folder, work)
    who = process.identity(program.pid) or model.Identity(program.pid, 0)
    kills = process.oom_kills()
    stopping = Stopping(folder, who, work.marker, work.batch.grace)
    try:
        _introduce(folder, work, who)
        kills = _watch(folder, who, stopping)
    except Exception:  # noqa: BLE001 - the engine works on, and its end is waited for all the same
        traceback.print_exc()
        _wait_out(program.pid)
    at = time.time()
    process.end_tree([os.getpid()], work.marker, who.pid, min(SWEEP, work.batch.grace))
    _, waited, usage = os.wait4(program.pid, 0)
    program.returncode = os.waitstatus_to_exitcode(waited)
    with contextlib.suppress(OSError):
        hiding.hide_secrets(folder, work.environment)
    return Exit(
        program.returncode,
        at,
        interrupted_at=stopping.began_at,
        max_rss=usage.ru_maxrss * (1024 if process.LINUX else 1),
        cpu_seconds=round(usage.ru_utime + usage.ru_stime, 3),
        out_of_memory=program.returncode == -signal.SIGKILL and process.oom_kills() > kills,
    )


def _start(folder: Folder, work: Work) -> subprocess.Popen[bytes]:
    import subprocess

    log = folder.open(paths.LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        return subprocess.Popen(
            _argv(folder, work),
            cwd=work.run.arm.cwd,
            env=work.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[work.lock],
            start_new_session=True,
        )
    finally:
        os.close(log)


def _argv(folder: Folder, work: Work) -> list[str]:
    arm = work.run.arm
    return commands.argv(arm.engine, arm.python, work.batch_folder, Path(folder.path))


def _introduce(folder: Folder, work: Work, who: model.Identity) -> None:
    cells = folder.open(paths.CELLS, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    record = {"pid": who.pid, "start_time": who.start_time, "engine": work.run.arm.engine}
    journal.Journal(cells).write("engine", **record)
    os.close(cells)


def _watch(folder: Folder, who: model.Identity, stopping: Stopping) -> int:
    """Wait until the engine is dead; how often the kernel had killed for memory shortly before."""
    pane = Pane(folder)
    watch = process.Watch(who)
    kills = before = process.oom_kills()
    while not process.reap_others(who.pid):
        kills, before = before, process.oom_kills()
        watch.wait(POLL)
        pane.show()
        stopping.step(time.monotonic())
    watch.close()
    pane.show()
    return kills


def _wait_out(pid: int) -> None:
    """Wait until the engine is dead, without collecting it."""
    while not process.reap_others(pid):
        time.sleep(POLL)
