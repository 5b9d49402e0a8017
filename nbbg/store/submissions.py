"""What of a batch was given to whom: `jobs/1.json` says what is about to be submitted, under a name
that no other job has, or to which host; and `jobs/1.id` as what it was taken. So a submission whose
answer was lost is found again by its name, and a host that was not reached is asked again.
"""

from __future__ import annotations

import bisect
import contextlib
import os
import re
import sys
import time
from typing import TYPE_CHECKING, Any

from nbbg import files, paths
from nbbg.classes import dataclass
from nbbg.errors import StoreError
from nbbg.store import locks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

_INTENT = re.compile(r"([1-9]\d*)\.json")

PATIENCE = 30.0  # seconds that one who hands over waits for another

Ranges = tuple[tuple[int, int], ...]  # first and last, both included


@dataclass(frozen=True)
class Submission:
    """Runs that were submitted together, as the tasks of one array."""

    number: int
    name: str  # of the job
    runs: Ranges
    base: int  # the run of array index 0
    job: str | None  # its id; empty: it was never taken; None: nobody knows yet
    to: str = ""  # the host that is to have them
    batch: str = ""  # the folder of their batch, for that host

    def __contains__(self, run: int) -> bool:
        return has(self.runs, run)

    @property
    def may_be_there(self) -> bool:
        """Whether it was taken; or not known not to have been, where somebody can be asked."""
        return bool(self.job) or (self.job is None and bool(self.to))

    def ticket(self, run: int) -> str:
        """What names a run to its executor: the id of its task, or its place on a host."""
        if self.to:
            return f"{self.batch}:{self.to}:{run}"
        return f"{self.job}_{run - self.base}"


def of(batch: Path) -> list[Submission]:
    """Every submission of a batch, in order; what can't be read is left out."""
    numbers = _numbers(batch)
    if not numbers:
        return []
    with files.Folder(batch / paths.JOBS) as folder:
        return [made for number in numbers if (made := _read(folder, number, str(batch)))]


def whole(batch: Path) -> list[Submission]:
    """The same for whoever deals runs anew: what can't be read may have been given to somebody.

    Raises:
        StoreError: one can't be read.
    """
    found = of(batch)
    read = {each.number for each in found}
    for number in _numbers(batch):
        if number not in read:
            message = f"{batch / paths.JOBS / str(number)}.json can't be read: who has which runs?"
            raise StoreError(message)
    return found


def intend(batch: Path, name: str, runs: Iterable[int], *, to: str = "", **more: Any) -> Submission:
    """Write down what is about to be submitted; its job's name ends with its number."""
    made = batch / paths.JOBS
    if not made.exists():
        files.make_folder(made)
        files.fsync_folder(batch)
    found, place = ranges(runs), str(batch) if to else ""
    with files.Folder(made) as folder:
        number = max((each.number for each in of(batch)), default=0)
        while True:
            number += 1
            each = Submission(number, f"{name}-{number}", found, found[0][0], None, to, place)
            record = {"name": each.name, "runs": found, "base": each.base, "at": time.time()}
            record |= {"to": to} if to else {}
            try:
                folder.write_once(f"{number}.json", files.to_json({**record, **more}))
            except FileExistsError:  # somebody was faster, or it can't be read
                continue
            return each


def learn(batch: Path, found: Path) -> None:
    """Take over what another record of the same batch knows more."""
    files.make_folder(batch / paths.JOBS)
    with files.Folder(found) as there, files.Folder(batch / paths.JOBS) as here:
        for name in os.listdir(found):
            data = there.read(name) if _INTENT.fullmatch(name) else None
            if data and not here.exists(name):
                with contextlib.suppress(FileExistsError):
                    here.write_once(name, data)


def settle(batch: Path, submission: Submission, job: str) -> None:
    """Write down what came of it: the job's id, or empty where there is no such job."""
    with files.Folder(batch / paths.JOBS) as folder, contextlib.suppress(FileExistsError):
        record = files.to_json({"job": job, "at": time.time()})
        folder.write_once(f"{submission.number}.id", record)


def host_of(submissions: Sequence[Submission], run: int) -> str:
    """The host that a run was dealt to last; empty where it was dealt to none."""
    return next((each.to for each in reversed(submissions) if each.job != "" and run in each), "")


@contextlib.contextmanager
def alone(batch: Path) -> Iterator[None]:
    """One at a time hands over: two would submit the same runs, of which one were in vain.

    Raises:
        EnvironmentFault: another command is at it for too long.
    """
    busy = f"b{batch.name} is being submitted by another command\ntry later"
    with (
        files.Folder(batch) as folder,
        locks.alone(folder, paths.SUPERVISOR_LOCK, PATIENCE, busy),
    ):
        yield


def newest(submissions: Sequence[Submission], run: int) -> Submission | None:
    """The last submission that a run was part of, and that was taken, or that a host may have."""
    return next((each for each in reversed(submissions) if each.may_be_there and run in each), None)


def ranges(runs: Iterable[int]) -> Ranges:
    """Ids as ranges, in order."""
    found: list[tuple[int, int]] = []
    for run in sorted(runs):
        if found and run == found[-1][1] + 1:
            found[-1] = (found[-1][0], run)
        else:
            found.append((run, run))
    return tuple(found)


def has(found: Ranges, run: int) -> bool:
    """Whether an id is in ranges."""
    index = bisect.bisect_right(found, (run, sys.maxsize)) - 1
    return index >= 0 and run <= found[index][1]


def each(found: Ranges) -> Iterator[int]:
    """The ids in ranges."""
    for first, last in found:
        yield from range(first, last + 1)


def _numbers(batch: Path) -> list[int]:
    try:
        names = os.listdir(batch / paths.JOBS)
    except FileNotFoundError:
        return []
    return sorted(int(match[1]) for name in names if (match := _INTENT.fullmatch(name)))


def _read(folder: files.Folder, number: int, batch: str) -> Submission | None:
    try:
        record = folder.read_json(f"{number}.json") or {}
        taken = folder.read_json(f"{number}.id")
        runs = tuple((int(first), int(last)) for first, last in record["runs"])
        job = None if taken is None else str(taken["job"])
        name, to = str(record["name"]), str(record.get("to", ""))
        return Submission(number, name, runs, int(record["base"]), job, to, batch if to else "")
    except (OSError, ValueError, KeyError, TypeError):
        return None
