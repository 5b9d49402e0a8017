"""What the machine does to processes: at logout, in a container, by its limits, with its clock."""

from __future__ import annotations

import contextlib
import getpass
import os
import resource
import shutil
import subprocess
import tempfile
import time
from typing import TYPE_CHECKING

from nbbg import process
from nbbg.ops.booting import systemd
from nbbg.ops.doctor.finding import NOTE, OK, PROBLEM, WARNING, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbbg.ops.doctor.patient import Patient

OF_THE_MACHINE = "4026531836"  # the pid namespace that the kernel makes first
INITS = frozenset(
    (
        *("systemd", "init", "tini", "tini-static", "dumb-init", "docker-init", "catatonit"),
        *("s6-svscan", "runit", "runsvdir", "openrc-init", "busybox", "procd", "launchd"),
    )
)
_YES = ("1", "yes", "true", "on", "y", "t")
_LOGIND = ("usr/lib/systemd", "run/systemd", "etc/systemd")  # the last goes first
SKEW, LARGE_SKEW = 2.0, 60.0  # seconds
AGO = 1_700_000_000.0  # seconds since the epoch: before there was this program
ANSWER = 2.0  # seconds that timedatectl may take
FULL = 0.9
GIB = 2**30
# Each limit: what it is called, how little is too little, how little is odd, its sentence.
_LIMITS = (
    (resource.RLIMIT_NOFILE, "-n", 128, 1024, "files can be open at once"),
    (resource.RLIMIT_AS, "-v", GIB, 8 * GIB, "bytes of memory may a process have"),
    (resource.RLIMIT_DATA, "-d", GIB, 8 * GIB, "bytes of data may a process have"),
    (resource.RLIMIT_FSIZE, "-f", 100_000_000, 10**10, "bytes may a file have"),
    (resource.RLIMIT_CPU, "-t", 10**9, 10**9, "seconds of processor time end a process"),
)
SPARE = 64  # processes


def logout(patient: Patient) -> Iterator[Finding]:
    """Whether logging out ends the runs.

    Lingering alone does not help what was started in the session: it must be the user manager's.
    """
    user = _user()
    if not systemd.is_here(patient.machine):
        yield Finding(OK, "no systemd here that would end your processes at logout")
    elif not _kills(patient, user):
        yield Finding(OK, "logging out ends nothing (KillUserProcesses is off)")
    elif _of_the_manager(patient) and systemd.lingers(user, patient.machine):
        yield Finding(OK, "KillUserProcesses is on; this is outside of the session, and lingers")
    else:
        what = "systemd ends your processes when you log out (KillUserProcesses=yes)"
        mend = f"loginctl enable-linger {user}, then: systemd-run --user --scope nbbg run ..."
        yield Finding(PROBLEM, what, mend)


def _kills(patient: Patient, user: str) -> bool:
    said = {"KillUserProcesses": "no", "KillExcludeUsers": "root", "KillOnlyUsers": ""}
    for text in _logind(patient):
        for line in text.splitlines():
            name, equals, value = line.partition("=")
            if equals and name.strip() in said:
                said[name.strip()] = value.strip()
    only = said["KillOnlyUsers"].split()
    meant = user in only if only else user not in said["KillExcludeUsers"].split()
    return meant and said["KillUserProcesses"].lower() in _YES


def _logind(patient: Patient) -> list[str]:
    """The files of logind's settings, the one that counts most last."""
    main = [patient.file(f"{folder}/logind.conf") for folder in _LOGIND]
    parts = {
        path.name: path
        for folder in _LOGIND
        for path in (patient.machine / folder / "logind.conf.d").glob("*.conf")
    }
    return [*main, *(parts[name].read_text(errors="replace") for name in sorted(parts))]


def _of_the_manager(patient: Patient) -> bool:
    return "/user@" in patient.file("proc/self/cgroup")


def init(_: Patient) -> Iterator[Finding]:
    """Whether pid 1 is one that stays, and collects dead processes."""
    name = process.name(1).decode(errors="replace")
    if process.pid_namespace() in ("", OF_THE_MACHINE) or name in INITS:
        yield Finding(OK, f"pid 1 is {name or 'not to be seen'}")
        return
    dead = process.zombies_of(1)
    left = f", and has left {dead} dead processes" if dead else ""
    what = f"a container whose pid 1 is {name}: all runs end when that ends{left}"
    yield Finding(WARNING, what, "start the container with an init that stays: docker run --init")


def limits(_: Patient) -> Iterator[Finding]:
    """Whether a limit of this shell, which runs inherit, is low."""
    found = [each for limit in _LIMITS if (each := _limit(*limit))]
    found += filter(None, (_of_processes(), _of_cores()))
    yield from found or [Finding(OK, "no limit of this shell (ulimit -a) is low")]


def _limit(number: int, flag: str, least: int, low: int, sentence: str) -> Finding | None:
    soft, hard = resource.getrlimit(number)
    if soft == resource.RLIM_INFINITY or soft >= low:
        return None
    most = "unlimited" if hard == resource.RLIM_INFINITY else hard
    more = f"ulimit -S {flag} {most}" if hard != soft else "ask whoever runs the machine"
    what = f"{soft} {sentence} (ulimit {flag})"
    return Finding(PROBLEM if soft < least else WARNING, what, f"{more}, then launch")


def _of_processes() -> Finding | None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    if soft == resource.RLIM_INFINITY or os.geteuid() == 0:
        return None
    mine = process.threads_of(os.geteuid())
    if soft - mine >= SPARE:
        return None
    what = f"of {soft} processes and threads that you may have, {mine} are there (ulimit -u)"
    return Finding(PROBLEM, what, "end some, or raise it: ulimit -S -u ...")


def _of_cores() -> Finding | None:
    soft, _ = resource.getrlimit(resource.RLIMIT_CORE)
    if soft == 0:
        return None
    what = "a crash may write a core file as large as the run's memory (ulimit -c)"
    return Finding(NOTE, what, "ulimit -c 0")


def memory(patient: Patient) -> Iterator[Finding]:
    """What memory a cgroup leaves to the runs; over it the kernel kills."""
    most, used, where = _tightest(patient)
    if most is None:
        yield Finding(OK, "no cgroup limits the memory")
        return
    what = f"{used / GIB:.1f} of {most / GIB:.1f} GiB are used in the cgroup {where}"
    if used > FULL * most:
        mend = "fewer at a time: nbbg jobs BATCH 1; or raise memory.max"
        yield Finding(WARNING, f"{what}; over it the kernel kills", mend)
    else:
        yield Finding(OK, what)


def _tightest(patient: Patient) -> tuple[int | None, int, str]:
    own = patient.file("proc/self/cgroup").rpartition("0::")[2].strip()
    place = own.strip("/")
    tightest: int | None = None
    used, where = 0, ""
    while True:
        base = f"sys/fs/cgroup/{place}" if place else "sys/fs/cgroup"
        most, now = (patient.file(f"{base}/memory.{name}").strip() for name in ("max", "current"))
        if most.isdigit() and now.isdigit() and (tightest is None or int(most) < tightest):
            tightest, used, where = int(most), int(now), f"/{place}"
        if not place:
            return tightest, used, where
        place = place.rpartition("/")[0]


def clock(patient: Patient) -> Iterator[Finding]:
    """Whether the clock is right as far as can be told, and the file system's agrees."""
    now = time.time()
    with tempfile.TemporaryFile(dir=patient.records, prefix=".nbbg-doctor-") as file:
        file.write(b".")
        file.flush()
        skew = os.fstat(file.fileno()).st_mtime - now
    if now < AGO or process.booted_at() > now + SKEW:
        yield Finding(PROBLEM, f"the clock says {time.ctime(now)}", "sudo timedatectl set-ntp true")
    elif abs(skew) > SKEW:
        level = PROBLEM if abs(skew) > LARGE_SKEW else WARNING
        what = f"the clock of the file system is {skew:+.0f} s from this machine's"
        yield Finding(level, what, "set both by NTP: sudo timedatectl set-ntp true")
    elif _is_synchronised(patient) is False:
        what = "nothing keeps the clock right (timedatectl: not synchronised)"
        yield Finding(WARNING, what, "sudo timedatectl set-ntp true")
    else:
        yield Finding(OK, "the file system's clock and this machine's agree")


def _is_synchronised(patient: Patient) -> bool | None:
    """What timedatectl says; None where it can't be asked."""
    if not systemd.is_here(patient.machine) or shutil.which("timedatectl") is None:
        return None
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        argv = ["timedatectl", "show", "--property=NTPSynchronized", "--value"]
        done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=ANSWER)
        return done.stdout.strip() == "yes"
    return None


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return str(os.getuid())
