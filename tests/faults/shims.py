"""What a preloaded library makes a program see: another time, a file system without links or locks.

Each is a few lines of C, compiled once a session, and named in LD_PRELOAD.
"""

from __future__ import annotations

import contextlib
import functools
import os
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long shift(void) { /* seconds, in the file that TEST_CLOCK names: all see a change at once */
    static volatile long *at;
    if (!at) {
        int fd = open(getenv("TEST_CLOCK"), O_RDONLY | O_CLOEXEC);
        at = fd < 0 ? 0 : mmap(0, sizeof *at, PROT_READ, MAP_SHARED, fd, 0);
        if (fd >= 0) close(fd);
        if (!at || at == MAP_FAILED) { at = 0; return 0; }
    }
    return *at;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int code = real(clock, now);
    int wall = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
    if (!code && wall) now->tv_sec += shift();
    return code;
}
int gettimeofday(struct timeval *now, void *zone) {
    struct timespec found;
    clock_gettime(CLOCK_REALTIME, &found);
    now->tv_sec = found.tv_sec, now->tv_usec = found.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *at) {
    struct timespec found;
    clock_gettime(CLOCK_REALTIME, &found);
    if (at) *at = found.tv_sec;
    return found.tv_sec;
}
"""

WITHOUT_LINKS = r"""
#include <errno.h>
int link(const char *from, const char *to) { errno = EPERM; return -1; }
int linkat(int a, const char *from, int b, const char *to, int flags) { errno = EPERM; return -1; }
"""

WITHOUT_LOCKS = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/file.h>

static int do_fcntl(const char *name, int fd, int what, void *more) {
    int (*real)(int, int, ...) = dlsym(RTLD_NEXT, name);
    int locks = what == F_OFD_SETLK || what == F_OFD_GETLK || what == F_SETLK;
    if (locks) { errno = ENOLCK; return -1; }
    return real(fd, what, more);
}
int fcntl(int fd, int what, ...) {
    va_list list; va_start(list, what); void *more = va_arg(list, void *); va_end(list);
    return do_fcntl("fcntl", fd, what, more);
}
int fcntl64(int fd, int what, ...) {
    va_list list; va_start(list, what); void *more = va_arg(list, void *); va_end(list);
    return do_fcntl("fcntl64", fd, what, more);
}
int flock(int fd, int what) { errno = ENOLCK; return -1; }
"""


@functools.cache
def compiled(source: str) -> Path:
    """The library made of that source; it goes with this process."""
    folder = Path(_folder().name)
    path = folder / f"shim{len(os.listdir(folder))}.so"
    words = ["cc", "-shared", "-fPIC", "-O1", "-w", "-o", str(path), "-x", "c", "-", "-ldl"]
    subprocess.run(words, input=source, text=True, check=True)
    return path


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="shims")


class Clock:
    """The clock on the wall of those whose environment has `environment`; it starts right."""

    def __init__(self, file: Path) -> None:
        self._file = file
        file.write_bytes(bytes(8))
        self.environment = {"LD_PRELOAD": str(compiled(CLOCK)), "TEST_CLOCK": str(file)}

    def shift(self, seconds: int) -> None:
        """Set it so far from the right time."""
        with self._file.open("r+b") as file:
            file.write(seconds.to_bytes(8, "little", signed=True))


@contextlib.contextmanager
def a_clock(folder: Path) -> Iterator[Clock]:
    """A clock that a test may set."""
    yield Clock(folder / "clock")
