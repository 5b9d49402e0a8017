"""`nbbg resume --at-boot`, and what that has started at boot: `nbbg resume --after-boot FOLDER`."""

from __future__ import annotations

import os
import time
from pathlib import Path

from nbbg import process
from nbbg.cli import ids, output
from nbbg.errors import EnvironmentFault
from nbbg.index import Index
from nbbg.ops import again, project
from nbbg.ops.booting import resuming, setting_up


def set_up(way: str) -> int:
    """Set up, or take away; 1 where something is left to a person."""
    where = project.here()
    done = setting_up.take_away(where) if way == setting_up.OFF else setting_up.set_up(where, way)
    for line in done.said:
        print(line)
    for line in done.left:
        output.say(line)
    return 1 if done.left else 0


def after_boot(folder: str) -> int:
    """Resume what the boot took away; its log must tell a person all that it did."""
    stamp = time.strftime("%Y-%m-%d %H:%M:%S")
    print(f"{stamp}  boot {process.boot_id()}: {folder}", flush=True)
    if not Path(folder).is_dir():
        gone = f"{folder} is gone; nothing was resumed"
        raise EnvironmentFault(
            f"{gone}\nif it was moved, there: nbbg resume --at-boot; {_clear(folder)}"
        )
    os.chdir(folder)
    where = project.here()
    if not where.store.exists():
        print("nothing was launched here")
        return 0
    with Index(where.store) as index:
        planned = resuming.plan(where, index)
        for missing in again.missing_secrets(where, index, planned.runs):
            print(f"set at launch, and not at boot (.env is a place for it): {missing}")
        started = resuming.go_on(where, index, planned)
    for why in index.unreadable.values():
        print(f"left: {why}")
    _tell(planned, started)
    return 0


def _tell(planned: resuming.Plan, started: again.Started) -> None:
    if started.batches:
        names = ", ".join(batch.name for batch in started.batches)
        runs = f"{ids.runs(run.id for run in started.runs)} of " if started.runs else ""
        print(f"going on: {runs}{names}")
    else:
        print("going on: nothing")
    for run in planned.twice:
        print(f"left: run {run.id}, lost with the machine twice in a row: nbbg resume {run.id}")
    for name, why in planned.held.items():
        print(f"left: {name}, {why}: nbbg resume {name}")


def _clear(folder: str) -> str:
    from nbbg.store import shared

    name = f"nbbg-resume-{shared.short_name(folder)}"
    return f"to have this no more: remove {name} (crontab -e, or ~/.config/systemd/user)"
