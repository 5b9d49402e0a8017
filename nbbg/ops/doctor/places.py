"""Where the records are: the file system, its room, what it can, and who may take it away."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from nbbg import files, logs
from nbbg.ops.doctor.finding import NOTE, OK, PROBLEM, WARNING, Finding
from nbbg.store import database, filesystem, locks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbbg.ops.doctor.patient import Patient

LEAST, LITTLE = 100_000_000, 5_000_000_000  # bytes free
LEAST_FILES, LITTLE_FILES = 1_000, 20_000  # files that can still be made
SHARE = 0.05  # of the disk, under which little is too little
_ELSEWHERE = "set `store` to a folder on a local disk: NBBG_STORE=PATH, or in pyproject.toml"
_RULES = ("etc/tmpfiles.d", "run/tmpfiles.d", "usr/local/lib/tmpfiles.d", "usr/lib/tmpfiles.d")
_AGED = re.compile(r"^[dDeqQvCxX][!+-]*\s+(\S+)(?:\s+\S+){3}\s+~?([0-9]\S*)")


def store(patient: Patient) -> Iterator[Finding]:
    """Whether the store is ours, readable, and of a format that this nbbg knows."""
    if patient.refused:
        why, _, mend = patient.refused.partition("\n")
        yield Finding(PROBLEM, why, mend)
    elif not os.access(patient.records, os.W_OK | os.X_OK):
        mend = _ELSEWHERE
        if not _is_read_only(patient.records):
            mend = f"chmod u+rwx {patient.records}, or {mend}"
        yield Finding(PROBLEM, f"{patient.records} can't be written", mend)
    elif patient.store is None:
        yield Finding(OK, f"nothing was launched yet; records will be in {patient.records}")
    else:
        kind = filesystem.type_of(patient.records) or "file system not known"
        yield Finding(OK, f"{patient.records}, {kind}")


def network(patient: Patient) -> Iterator[Finding]:
    """Whether the records are on a network file system."""
    folder = patient.records
    if not filesystem.holds_off(folder):
        yield Finding(OK, "the records are on a disk of this machine")
        return
    kind = filesystem.type_of(folder)
    said = kind if filesystem.is_network(folder) else f"{kind}, by network_file_system"
    where = f"; the index is {database.path_of(patient.store)}" if patient.store else ""
    what = (
        f"the records are on a network file system ({said}): locks are not trusted, runs of other"
        f" machines are unknown here{where}"
    )
    yield Finding(WARNING, what, _ELSEWHERE)


def home(patient: Patient) -> Iterator[Finding]:
    """Whether the home folder is on the network: its loss ends interpreters that lie there."""
    path = Path(patient.environment.get("HOME") or Path.home())
    if path.is_dir() and filesystem.is_network(path):
        kind = filesystem.type_of(path)
        yield Finding(NOTE, f"{path} is on a network file system ({kind}); slots are kept in /tmp")
    else:
        yield Finding(OK, f"{path} is on a disk of this machine")


def locks_and_links(patient: Patient) -> Iterator[Finding]:
    """Whether the claim (a hard link) and the lock work where the records are: tried."""
    temporary = tempfile.TemporaryDirectory(prefix=".nbbg-doctor-", dir=patient.records)
    with temporary as name, files.Folder(name) as folder:
        try:
            folder.write_once("claim", b"")
        except OSError as error:
            what = f"hard links don't work in {patient.records}: {error.strerror}"
            yield Finding(PROBLEM, f"{what}; no run can be claimed", _ELSEWHERE)
            return
        if not _locks_work(folder) and not filesystem.holds_off(patient.records):
            what = f"locks don't work in {patient.records}: live runs would be called lost"
            yield Finding(PROBLEM, what, "network_file_system = true, or a local `store`")
            return
    yield Finding(OK, "hard links and locks work where the records are")


def _locks_work(folder: files.Folder) -> bool:
    """Whether a lock is held by one open file, seen by another, and gone when it is closed."""
    flags = os.O_RDWR | os.O_CREAT
    one, two = folder.open("lock", flags), folder.open("lock", flags)
    try:
        works = locks.take(one) and locks.is_held(two) and not locks.take(two)
        os.close(one)
        one = -1
        return works and not locks.is_held(two)
    except OSError:
        return False
    finally:
        for fd in (one, two):
            if fd >= 0:
                os.close(fd)


def index(patient: Patient) -> Iterator[Finding]:
    """Whether readings are kept, or every one begins anew."""
    if patient.store is None:
        return
    db = database.open_for(patient.store)
    try:
        path = db.execute("PRAGMA database_list").fetchone()[2]
    finally:
        db.close()
    if path:
        yield Finding(OK, path)
    else:
        what = "can't be kept; every command reads all records anew"
        mend = f"chmod u+rw {patient.store.folder}/index.db"
        yield Finding(WARNING, what, _ELSEWHERE if _is_read_only(patient.records) else mend)


def disk(patient: Patient) -> Iterator[Finding]:
    """Whether there is room for records, logs and outputs."""
    free = os.statvfs(patient.records)
    room, size = free.f_bavail * free.f_frsize, free.f_blocks * free.f_frsize
    what = f"{logs.megabytes(room)} free of {logs.megabytes(size)} in {patient.records}"
    mend = "make room: nbbg clean, or set `store` to another disk"
    if room < LEAST:
        yield Finding(PROBLEM, what, mend)
    elif room < LITTLE and room < SHARE * size:
        yield Finding(WARNING, what, mend)
    else:
        yield Finding(OK, what)


def inodes(patient: Patient) -> Iterator[Finding]:
    """Whether files can still be made: a run is some twenty of them."""
    free = os.statvfs(patient.records)
    what = f"{free.f_favail} more files can be made in {patient.records}"
    mend = "remove what is many: nbbg clean, caches, old environments"
    if not free.f_files:  # such as btrfs, which does not count them
        yield Finding(OK, "the file system has no limit on their number")
    elif free.f_favail < LEAST_FILES:
        yield Finding(PROBLEM, what, mend)
    elif free.f_favail < LITTLE_FILES:
        yield Finding(WARNING, what, mend)
    else:
        yield Finding(OK, what)


def temporary(patient: Patient) -> Iterator[Finding]:
    """Whether the records are in a folder that is emptied by age, or with the machine."""
    folder = patient.records.resolve()
    aged = [(path, age) for path, age in _aged(patient) if folder.is_relative_to(path)]
    if aged:
        path, age = aged[0]
        what = f"{folder} is in {path}, where systemd-tmpfiles removes what is older than {age}"
        yield Finding(PROBLEM, what, f"move the project, or: {_keep(folder)}")
    elif filesystem.type_of(folder) in ("tmpfs", "ramfs"):
        yield Finding(WARNING, f"{folder} is in memory: a reboot takes the records", _ELSEWHERE)
    elif folder.is_relative_to(tempfile.gettempdir()):
        what = f"{folder} is in a folder for temporary files, which many machines empty"
        yield Finding(WARNING, what, "move the project")
    else:
        yield Finding(OK, "the records are in no folder that is emptied by itself")


def _aged(patient: Patient) -> list[tuple[str, str]]:
    """The folders that systemd-tmpfiles empties, with the age; of two files of a name the first."""
    if not (patient.machine / "run/systemd/system").is_dir():
        return []
    names: dict[str, Path] = {}
    for folder in reversed(_RULES):
        names.update({path.name: path for path in (patient.machine / folder).glob("*.conf")})
    lines = (line for path in names.values() for line in path.read_text().splitlines())
    found = [match.groups() for line in lines if (match := _AGED.match(line))]
    return [(path, age) for path, age in found if "%" not in path]


def _keep(folder: Path) -> str:
    return f"echo 'x {folder}' | sudo tee /etc/tmpfiles.d/nbbg.conf"


def _is_read_only(folder: Path) -> bool:
    return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
