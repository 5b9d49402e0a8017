"""The state of an attempt, derived from its facts and one lock at every reading, never stored.

The order is the promise: what the result says; else what the claim and its lock say; else the
ticket; else a stop; else it is queued. What can't be read is `unknown` and named.
"""

from __future__ import annotations

import contextlib
import math
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbbg import files, journal, model, paths, process
from nbbg.errors import StoreError
from nbbg.store import endings, filesystem, locks, requests

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import UnionType

    from nbbg.files import Folder


_NAMES: dict[str, type | UnionType] = {"pid": int, "start_time": int}
_CLAIM: dict[str, type | UnionType] = {
    **dict.fromkeys(("host", "boot", "namespace", "marker"), str),
    **dict.fromkeys(("lock_device", "lock_inode"), int),
    "at": int | float,
}
_LATER = {"machine": "", "gpu": "", "slots": [], "up": 0.0}  # what older claims lack
_KINDS: dict[str, type | UnionType] = {"machine": str, "gpu": str, "slots": list, "up": int | float}
_TICKET: dict[str, type | UnionType] = {"host": str, "boot": str}
_LIMIT: dict[str, type | UnionType] = {"limit": int | float, "at": int | float, "what": str}


def derive(attempt: Folder) -> model.RunState:
    """The state of an attempt, now."""
    try:
        return _derive(attempt)
    except (ValueError, TypeError, AttributeError, OverflowError, StoreError, OSError) as error:
        return model.Unknown(f"a record in {attempt.path} can't be read: {error}")


def read_claim(attempt: Folder) -> model.Claim | None:
    """Who runs this attempt; None where nobody has claimed it."""
    record = attempt.read_json(paths.PROCESS)
    if record is None:
        return None
    record = {**_LATER, **record}
    _check(paths.PROCESS, record, _NAMES | _CLAIM | _KINDS)
    runner = model.Identity(record["pid"], record["start_time"])
    known = {name: record[name] for name in _CLAIM}
    return model.Claim(
        runner=runner,
        machine=record["machine"],
        gpu=record["gpu"],
        slots=tuple(map(str, record["slots"])),
        up=record["up"],
        **known,
    )


def write_claim(attempt: Folder, claim: model.Claim) -> None:
    """Claim an attempt.

    Raises:
        FileExistsError: somebody has claimed it.
    """
    record = {
        "pid": claim.runner.pid,
        "start_time": claim.runner.start_time,
        "machine": claim.machine,
        "gpu": claim.gpu,
        "slots": claim.slots,
        "up": claim.up,
        **{name: getattr(claim, name) for name in _CLAIM},
    }
    attempt.write_once(paths.PROCESS, files.to_json(record))


def is_here(claim: model.Claim) -> bool:
    """Whether the processes of a claim, if they live, can be seen from here."""
    seen = (claim.boot, claim.namespace)
    return seen == (process.boot_id(), process.pid_namespace())


def is_copy(attempt: Folder, claim: model.Claim) -> bool:
    """Whether the records were copied: the lock is another one than the claim's, and what lives of
    the attempt has nothing here open. That is the original's, and not to be touched from here.
    """
    try:
        found = os.stat(paths.LOCK, dir_fd=attempt.fd, follow_symlinks=False)
    except OSError:
        return False
    same = (found.st_dev, found.st_ino) == (claim.lock_device, claim.lock_inode)
    if same or not is_here(claim) or filesystem.holds_off(attempt.path):
        return False
    # A backup that was put back may have replaced the lock of a run that lives.
    here = _identities(attempt)
    opened = [process.opened(who.pid) for who in members(attempt) if process.alive(who)]
    return not any(each is None or each & here for each in opened)


def _identities(folder: Folder) -> set[tuple[int, int]]:
    """Device and inode of a folder, and of what is in it."""
    found = [os.fstat(folder.fd)]
    for name in os.listdir(folder.fd):
        with contextlib.suppress(FileNotFoundError):
            found.append(os.stat(name, dir_fd=folder.fd, follow_symlinks=False))
    return {(status.st_dev, status.st_ino) for status in found}


def members(attempt: Folder) -> list[model.Identity]:
    """The processes that the records of an attempt name: its runner, its engine, its submitter's.

    Those that live hold the attempt; the others are gone. What can't be read names nobody.
    """
    records = []
    for name in (paths.PROCESS, paths.TICKET):
        with contextlib.suppress(ValueError):
            records.append(attempt.read_json(name))
    records.append(journal.first(journal.read_head(attempt, paths.CELLS), "engine"))
    return [
        model.Identity(record["pid"], record["start_time"])
        for record in records
        if record and record.keys() >= {"pid", "start_time"}
    ]


def is_held(attempt: Folder) -> bool:
    """Whether anything holds the lock of an attempt, however that has ended."""
    claim = read_claim(attempt)
    return claim is not None and bool(_lock_is_held(attempt, claim))


def engine_of(attempt: Folder) -> model.Identity | None:
    """The engine's process; None where it was not started."""
    record = journal.first(journal.read_head(attempt, paths.CELLS), "engine")
    return model.Identity(record["pid"], record["start_time"]) if record else None


def put_limit(attempt: Folder, limit: model.TimedOut, at: float) -> None:
    """Write down that a limit of time is over; a second one changes nothing."""
    record = {"what": limit.what, "limit": limit.limit, "cell": limit.cell, "at": at}
    with contextlib.suppress(FileExistsError):
        attempt.write_once(paths.LIMIT, files.to_json(record))


def limit_of(attempt: Folder) -> tuple[model.TimedOut | None, float]:
    """The limit of time that was over, and when; None and 0 where none was."""
    record = attempt.read_json(paths.LIMIT)
    if record is None:
        return None, 0.0
    _check(paths.LIMIT, record, _LIMIT)
    limit = float(record["limit"])
    if not math.isfinite(limit):
        raise ValueError(f"{paths.LIMIT}: a limit can't be {limit}")
    told = model.TimedOut(limit, record.get("cell"), str(record["what"]))
    return told, float(record["at"])


def _check(name: str, record: Mapping[str, Any], wanted: Mapping[str, type | UnionType]) -> None:
    for key, kind in wanted.items():
        if not isinstance(record.get(key), kind):
            raise ValueError(f"{name}: it has no {key!r}")  # noqa: TRY004 - of what is in the file


def _quiet(attempt: Folder) -> model.Quiet | None:
    """What the runner has noticed: its event is the last, for whatever happens comes after it."""
    event = journal.last(attempt, paths.CELLS) or {}
    if event.get("event") != journal.QUIET or event.get("since") is None:
        return None
    seconds = max(0.0, time.time() - float(event["since"]))
    return model.Quiet(seconds, event.get("ordinal"), tuple(event.get("halted") or ()))


def _derive(attempt: Folder) -> model.RunState:
    if ended := _result(attempt):
        return ended
    if claim := read_claim(attempt):
        return _claimed(attempt, claim)
    ticket = attempt.read_json(paths.TICKET)
    if ticket is not None:
        return _submitted(attempt, ticket)
    asked, _ = requests.stop_of(attempt)
    if not asked:
        return model.Queued()
    return _dealt(attempt) or model.Stopped(asked, note="before it started")


def _dealt(attempt: Folder) -> model.RunState | None:
    """Of a run that was asked to stop, and that a host has: there it may have begun, and ended."""
    if not _was_carried(attempt) or attempt.exists(paths.UNBEGUN):
        return None
    from nbbg.store import hearsay, hosts, submissions

    path = Path(attempt.where())
    batch = path.parents[2]
    host = submissions.host_of(submissions.of(batch), int(path.parent.name))
    if not host or hosts.given_up(batch.parents[1], host)[1]:
        return None
    told = hearsay.of(path)
    if told and told.word is model.Word.RUNNING:
        return model.Running(stopping=True)
    more = f"; {told.reason}" if told and told.reason else ""
    return model.Unknown(f"asked to stop, once {host} is reached{more}")


def _result(attempt: Folder) -> model.Ended | None:
    record = attempt.read_json(paths.RESULT)
    try:
        return None if record is None else endings.from_json(record)
    except StoreError as error:
        raise StoreError(f"{paths.RESULT}: {error}") from error


def _claimed(attempt: Folder, claim: model.Claim) -> model.RunState:
    if _was_carried(attempt):
        return _elsewhere(attempt, f"it runs on {claim.host}")
    if claim.boot != process.boot_id():
        if process.is_this_machine(claim.host, claim.machine):
            return _of_another_boot(attempt, claim)
        return _elsewhere(attempt, f"it runs on {claim.host}")
    if is_copy(attempt, claim):
        return _over(attempt) or model.Lost("its records were copied while it ran")
    held = _lock_is_held(attempt, claim)
    if held is None:
        if claim.namespace != process.pid_namespace():
            return model.Unknown("its lock and its process can't be seen from here")
        held = any(process.alive(who) for who in members(attempt))
    if held:
        # From another pid namespace the runner can't be seen; it is not said to be dead then.
        runner_alive = not is_here(claim) or process.alive(claim.runner)
        stopping = attempt.exists(paths.STOP) or attempt.exists(paths.LIMIT)
        no_room = runner_alive and attempt.exists(paths.NO_ROOM)
        return model.Running(stopping, runner_alive, _quiet(attempt), no_room)
    return _over(attempt) or model.Lost("every process of it ended without a word")


def _of_another_boot(attempt: Folder, claim: model.Claim) -> model.RunState:
    """Over; unless on a network a machine of the same name and id (a clone) may run it still."""
    from nbbg.store import hearsay

    if ended := _result(attempt):
        return ended
    if filesystem.holds_off(attempt.path):
        if claim.at > process.booted_at():
            return model.Unknown(f"it runs on another machine that is called {claim.host} too")
        if time.time() - _last_sign(attempt) < hearsay.GRACE:
            return model.Unknown(
                f"it was at work on {claim.host} within the last {hearsay.GRACE:.0f} s"
            )
    return _over(attempt) or model.Lost("the machine was restarted while it ran")


def _last_sign(attempt: Folder) -> float:
    """When its log or journal was last written, by the clock of the file's server."""
    last = 0.0
    for name in (paths.LOG, paths.CELLS):
        with contextlib.suppress(FileNotFoundError):
            last = max(last, os.stat(name, dir_fd=attempt.fd).st_mtime)
    return last


def _over(attempt: Folder) -> model.RunState | None:
    """What is told by the records of an attempt of which nothing lives; not to be asked before."""
    if ended := _result(attempt):
        return ended
    end = journal.find_last(attempt, paths.CELLS, "end")
    (by, at), (limit, limit_at) = requests.stop_of(attempt), limit_of(attempt)
    around = endings.Circumstances(by, at, limit=limit, limit_at=limit_at)
    if end is None:  # a stop may have had to kill an engine that heard nothing
        return around.asked(math.inf, noticed=True)
    return endings.from_journal(end, around, "its runner was killed")


def _lock_is_held(attempt: Folder, claim: model.Claim) -> bool | None:
    """Whether the claim's own lock is held; None where the lock can't be trusted."""
    try:
        fd = attempt.open(paths.LOCK, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        status = os.fstat(fd)
        same = (status.st_dev, status.st_ino) == (claim.lock_device, claim.lock_inode)
        if not same or filesystem.holds_off(attempt.path):
            return None
        return locks.is_held(fd)
    finally:
        os.close(fd)


def _was_carried(attempt: Folder) -> bool:
    """Whether these records are a copy of those on another machine, or on this one elsewhere.

    A claim has its lock beside it, which never travels.
    """
    batch = Path(attempt.where()).parents[2]
    return not attempt.exists(paths.LOCK) and (batch / paths.JOBS).exists()


def _elsewhere(attempt: Folder, where: str) -> model.RunState:
    """What can't be seen from here: what its executor said of it, else unknown."""
    from nbbg.store import hearsay

    told = hearsay.of(Path(attempt.where()))
    if told is None or told.word is model.Word.UNKNOWN:
        why = told.reason if told and told.reason else "which can't be asked from here"
        return model.Unknown(f"{where}, {why}")
    if told.word is model.Word.QUEUED:
        return model.Submitted(told.reason)
    if told.word is model.Word.RUNNING:
        return model.Running(attempt.exists(paths.STOP) or attempt.exists(paths.LIMIT))
    return _result(attempt) or _gone(attempt, where, told)


def _gone(attempt: Folder, where: str, told: model.Told) -> model.RunState:
    """Its executor knows nothing of it any more, and there is no result; that may travel."""
    from nbbg.store import hearsay

    more = f": {told.reason}" if told.reason else ""
    if time.time() - told.since < hearsay.GRACE:
        return model.Unknown(f"{where}, and is over there{more}; its result may be on the way")
    asked, _ = requests.stop_of(attempt)
    if asked and not attempt.exists(paths.PROCESS):
        return model.Stopped(asked, note="before it started")
    return _over(attempt) or model.Lost(f"{where}, and is gone there without a word{more}")


def _submitted(attempt: Folder, ticket: Mapping[str, Any]) -> model.RunState:
    _check(paths.TICKET, ticket, {"host": str})
    seen = process.is_this_machine(ticket["host"], ticket.get("machine", ""))
    if not seen or "pid" not in ticket:  # it was given to a scheduler, or to another machine
        return _elsewhere(attempt, f"it was carried to {ticket['host']}")
    _check(paths.TICKET, ticket, _NAMES | _TICKET)
    same_boot = ticket["boot"] == process.boot_id()
    if same_boot and process.alive(model.Identity(ticket["pid"], ticket["start_time"])):
        return model.Submitted((attempt.read_json(paths.WAITING) or {}).get("for", ""))
    if claim := read_claim(attempt):  # made between the two looks
        return _claimed(attempt, claim)
    asked, _ = requests.stop_of(attempt)
    if asked:
        return model.Stopped(asked, note="before it started")
    return model.Lost("never started: its runner ended before it claimed the run")
