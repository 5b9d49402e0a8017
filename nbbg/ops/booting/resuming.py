"""What is done at boot: what the boot took away goes on, and what was lost twice is left.

The count is in the records. An attempt that was lost with the machine gets `resumed-at-boot.json`,
and the attempt after it comes by itself; if that one is lost with the machine too, perhaps it ends
the machine, and a person must have a look.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING

from nbbg import files, model, paths, process
from nbbg.classes import dataclass, field
from nbbg.ops import again, deciding, steer
from nbbg.store import state

if TYPE_CHECKING:
    from nbbg.index import Index
    from nbbg.ops.again import Started
    from nbbg.ops.project import Project

BY = "the resume at boot"


@dataclass
class Plan:
    """What goes on, and what is left, with the reason."""

    runs: list[model.Run] = field(default_factory=list)
    batches: list[model.Batch] = field(default_factory=list)
    twice: list[model.Run] = field(default_factory=list)
    held: dict[str, str] = field(default_factory=dict)  # batch -> why


def plan(project: Project, index: Index) -> Plan:
    """What the boot took away of this machine's batches that nobody had stopped or paused."""
    found = Plan()
    for batch in index.batches():
        counts = index.counts(batch.id)
        looks = deciding.awaits_look(index, batch)
        if batch.host != process.host() or not (looks or _is_open(counts)):
            continue
        if why := _held(project, index, batch):
            found.held[batch.name] = why
            continue
        lost = [
            run
            for run in index.open()
            if run.batch == batch.id and isinstance(run.state, model.Lost) and _with_machine(run)
        ]
        found.twice += [run for run in lost if _came_at_boot(run)]
        found.runs += [run for run in lost if not _came_at_boot(run)]
        if (looks or counts.get(model.Queued.word)) and batch not in found.batches:
            found.batches.append(batch)
    return found


def go_on(project: Project, index: Index, planned: Plan) -> Started:
    """Count, then start.

    Raises:
        UsageError: the exit file of a batch is there.
    """
    for run in planned.runs:
        _count(run)
    return again.start_again(project, index, planned.runs, by=BY, also=planned.batches)


def _is_open(counts: dict[str, int]) -> bool:
    return bool(counts.keys() & {*model.AT_WORK, model.Lost.word, model.Stopped.word})


def _held(project: Project, index: Index, batch: model.Batch) -> str:
    """Who holds a batch, which is a person's to take back; nothing where nobody does."""
    if by := index.stopped_by(batch.id):
        return f"stopped by {by}"
    course = steer.course(project, batch)
    if course.paused_at:
        return f"paused by {course.paused_by}"
    if batch.exit_file and os.path.exists(batch.exit_file):
        return f"the exit file {batch.exit_file} is there"
    return ""


def _with_machine(run: model.Run) -> bool:
    """Whether an attempt was lost with an earlier boot, and not during this one."""
    with files.Folder(run.folder) as attempt, contextlib.suppress(ValueError, KeyError):
        if claim := state.read_claim(attempt):
            return not state.is_here(claim)
        ticket = attempt.read_json(paths.TICKET) or {}
        return bool(ticket.get("boot") != process.boot_id())
    return False


def _came_at_boot(run: model.Run) -> bool:
    before = os.path.join(os.path.dirname(run.folder), str(run.attempt - 1), paths.BOOTED)
    return os.path.exists(before)


def _count(run: model.Run) -> None:
    record = {"boot": process.boot_id(), "at": time.time()}
    with files.Folder(run.folder) as attempt, contextlib.suppress(FileExistsError):
        attempt.write_once(paths.BOOTED, files.to_json(record))
