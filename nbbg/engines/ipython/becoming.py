"""What a fork of a template becomes: for the process table, and for whoever draws random numbers.

A process is found by its words and by the marker in its environment, which the kernel shows as they
were when the program began. So both are written over, in this process's own memory. Linux alone.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import sys
from typing import TYPE_CHECKING, Iterable, Mapping, Sequence

from nbbg import paths

if TYPE_CHECKING:
    from types import ModuleType

_PARENT_ENDS = 1  # PR_SET_PDEATHSIG
_ARGUMENTS, _ENVIRONMENT = 45, 47  # fields of /proc/self/stat, from the state on


def rename(argv: Sequence[str]) -> None:
    """Be in the process table as if this process had been started with these words.

    Raises:
        OSError: there is no room for them.
    """
    first, last = _range(_ARGUMENTS)
    words = b"".join(os.fsencode(word) + b"\0" for word in argv)
    if len(words) > last - first:
        raise OSError(f"no room for {argv}")
    _write(first, words.ljust(last - first, b"\0"))
    sys.orig_argv[:] = argv  # of Python 3.10 and later, as all of this


def mark(marker: str) -> None:
    """Be found by the marker of a run.

    Raises:
        OSError: this process was not started as a template.
    """
    first, last = _range(_ENVIRONMENT)
    with open("/proc/self/environ", "rb") as file:
        at = (b"\0" + file.read()).find(b"\0" + os.fsencode(paths.SPARE) + b"=")
    entry = os.fsencode(f"{paths.MARKER}={marker}")
    if at < 0 or len(marker) != paths.MARKER_LENGTH or first + at + len(entry) > last:
        raise OSError("no room for a marker")
    _write(first + at, entry)


def set_own(names: Iterable[str], environment: Mapping[str, str]) -> None:
    """Of these variables, have exactly those with a value."""
    for name in names:
        if name in environment:
            os.environ[name] = environment[name]
        else:
            os.environ.pop(name, None)


def end_with_parent() -> None:
    """Be killed when the parent ends, in whatever state this process is."""
    _prctl(_PARENT_ENDS, signal.SIGKILL)


def outlive_parent() -> None:
    """The opposite."""
    _prctl(_PARENT_ENDS, 0)


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def reseed() -> None:
    """Draw other random numbers than every other fork, as a process that begins.

    Python's `random` sees to that by itself.
    """
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "default_generator"):
        torch.default_generator.seed()
    processes = sys.modules.get("multiprocessing.process")
    if processes is not None:  # the key by which a process knows its own children
        processes.current_process().authkey = os.urandom(32)


def close_all(kept: Sequence[int]) -> None:
    """Close every file but the three standard ones and these."""
    for name in os.listdir("/proc/self/fd"):
        fd = int(name)
        if fd > 2 and fd not in kept:  # noqa: PLR2004 - the standard ones
            try:
                os.close(fd)
            except OSError:  # that of the listing itself
                continue


def put(files: Sequence[int], numbers: Sequence[int]) -> list[int]:
    """Have the last of these files under those numbers; the numbers of the first, for a while."""
    free = max((2, *numbers)) + 1
    high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, free) for fd in files]
    for fd in files:
        os.close(fd)
    first = len(files) - len(numbers)
    for fd, number in zip(high[first:], numbers):
        os.dup2(fd, number, inheritable=False)
        os.close(fd)
    return high[:first]


def _range(field: int) -> tuple[int, int]:
    with open("/proc/self/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    return int(fields[field]), int(fields[field + 1])


def _write(address: int, data: bytes) -> None:
    fd = os.open("/proc/self/mem", os.O_WRONLY | os.O_CLOEXEC)
    try:
        if os.pwrite(fd, data, address) != len(data):
            raise OSError("it can't be written")
    finally:
        os.close(fd)


def ours() -> dict[str, ModuleType]:
    """The modules of nbbg that are loaded."""
    names = [name for name in sys.modules if name.partition(".")[0] == "nbbg"]
    return {name: sys.modules[name] for name in names}


def exchange(out: Iterable[str], into: Mapping[str, ModuleType]) -> None:
    """Have other modules loaded than those."""
    for name in out:
        sys.modules.pop(name, None)
    sys.modules.update(into)


def reset_signals() -> None:
    """As a program that begins has them; the engine sets the rest."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
