"""Imports in a fork of a template: what an import may not do, if runs shall start with it done.

A run that is forked from a process that has imported a module must be as one that imports it
itself. So a module is left out that prints, opens files, changes what a process has, starts threads
or comes from the project; the fork that has tried it is thrown away.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
import os
import random
import resource
import signal
import sys
import sysconfig
import tempfile
import threading
import time
import warnings
from typing import TYPE_CHECKING, Any, Iterable, Iterator

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec

LIMIT = 60  # seconds for one import
_SETTLING = 0.2  # seconds for the threads of a pool to end
# What scikit-learn sets for OpenMP; given to every fork as the import would.
_HARMLESS = frozenset(("KMP_DUPLICATE_LIB_OK", "KMP_INIT_AT_FORK"))
_INSTALLED = ("site-packages", "dist-packages")
_OURS = ("nbbg", "__main__", "__mp_main__", "sitecustomize", "usercustomize")


class BadImportError(Exception):
    """An import did what it may not; the text says what."""


class Process:
    """What a process has, to be compared with what it has later.

    Args:
        guest: the folder with what of nbbg this interpreter can import.
        left_out: modules that are not to be imported, by whatever.
    """

    def __init__(self, guest: str, left_out: Iterable[str] = ()) -> None:
        self._left_out = set(left_out)
        self._roots = (*_standard(), *installed(), guest)
        self._modules = set(sys.modules)
        self._threads = native_threads()
        self._calls = _Calls()
        self._state = self._seen()

    def import_it(self, name: str) -> None:
        """Import a module, or leave one alone that can't be found or imported.

        Raises:
            BadImportError: it was imported, and did what it may not.
        """
        if name in sys.modules or not self.may_import(name):
            return
        signal.alarm(LIMIT)  # its default is the end of this process
        try:
            with self._calls.noted():
                importlib.import_module(name)
        except Exception:  # noqa: BLE001, S110 - the run that imports it says it
            pass
        except BaseException as error:
            raise BadImportError(f"its import ends with {type(error).__name__}") from error
        finally:
            signal.alarm(0)
        self.check()

    def may_import(self, name: str) -> bool:
        """Whether it is a library: of the standard library, or installed."""
        top = name.partition(".")[0]
        if top in _OURS:
            return False
        known = sys.modules.get(top)
        try:
            found: Any = known.__spec__ if known else importlib.util.find_spec(top)
        except (ImportError, ValueError, AttributeError):
            return False
        return found is not None and self._is_library(found)

    def why_missing(self, name: str) -> str:
        """Why a module that was tried is not there."""
        return "its import fails" if self.may_import(name) else "no such module is installed"

    def check(self) -> None:
        """Compare.

        Raises:
            BadImportError: something is not as it was.
        """
        new = [name for name in sys.modules if name not in self._modules]
        if not new:
            return
        self._modules.update(new)
        for what, before, now in zip(_WHAT, self._state, self._seen()):
            if before != now:
                raise BadImportError(what)
        self._calls.check()
        for name in new:
            if name in self._left_out:
                raise BadImportError(f"it imports {name}, which is left out")
            spec = getattr(sys.modules.get(name), "__spec__", None)
            if spec is not None and not self._is_library(spec):
                raise BadImportError(f"it imports {name}, which is not installed")
        self._check_threads()

    def _check_threads(self) -> None:
        """A pool that ends at a fork, and begins anew when it is needed, is no danger: OpenBLAS."""
        if native_threads() <= self._threads:
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pid = os.fork()
        if not pid:
            os._exit(0)
        os.waitpid(pid, 0)
        deadline = time.monotonic() + _SETTLING
        while native_threads() > self._threads:
            if time.monotonic() > deadline:
                raise BadImportError("it starts threads")
            time.sleep(0.001)

    def _is_library(self, spec: ModuleSpec) -> bool:
        if spec.origin in ("built-in", "frozen"):
            return True
        if spec.origin and spec.has_location:
            return self._lies_in_roots([spec.origin])
        places = spec.submodule_search_locations
        return self._lies_in_roots(places) if places is not None else True

    def _lies_in_roots(self, files: Iterable[str]) -> bool:
        return all(any(file.startswith(root + os.sep) for root in self._roots) for file in files)

    @staticmethod
    def end_children() -> None:
        """What an import has started is of no use."""
        for pid in _children().split():
            os.kill(int(pid), signal.SIGKILL)

    @staticmethod
    def _seen() -> tuple[Any, ...]:
        mask = os.umask(0)
        os.umask(mask)
        return (
            [os.fstat(fd).st_size for fd in (1, 2)],
            sorted(os.listdir("/proc/self/fd")),
            {name: value for name, value in os.environ.items() if name not in _HARMLESS},
            os.getcwd(),
            mask,
            _caught_signals(),
            [resource.getrlimit(each) for each in _LIMITS],
            threading.active_count(),
            _children(),
            sys.argv[:],
            (os.sched_getaffinity(0), os.getpriority(os.PRIO_PROCESS, 0)),
        )


class _Calls:
    """What is called at an import, and is seen in nothing else that is compared."""

    def __init__(self) -> None:
        self._folders: list[str] = []
        self._seeds = False

    @contextlib.contextmanager
    def noted(self) -> Iterator[None]:
        """Note them meanwhile."""
        make, seed = tempfile.mkdtemp, random.seed

        def make_and_note(*args: Any, **more: Any) -> str:
            self._folders.append(make(*args, **more))
            return self._folders[-1]

        def seed_and_note(*args: Any, **more: Any) -> None:
            self._seeds = True
            seed(*args, **more)

        tempfile.mkdtemp, random.seed = make_and_note, seed_and_note  # type: ignore[assignment]
        try:
            yield
        finally:
            tempfile.mkdtemp, random.seed = make, seed

    def check(self) -> None:
        """Look whether what was done is a matter of each process."""
        if any(os.path.exists(each) for each in self._folders):
            raise BadImportError("it leaves a temporary folder, which the first run would remove")
        if self._seeds:
            raise BadImportError("it seeds random numbers")


_FORK_SAFE = (b"jemalloc_bg_thd",)  # it locks before a fork, and is off after it: pyarrow has one
_SETS = (b"SigIgn", b"SigCgt", b"SigBlk")
_OF_THREADS = 0b11 << 31  # 32 and 33
_LIMITS = [getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")]
_WHAT = (
    "it prints when it is imported",
    "it leaves files or sockets open",
    "it changes the environment",
    "it changes the working folder",
    "it changes the umask",
    "it handles signals",
    "it changes limits",
    "it starts threads",
    "it starts processes",
    "it changes sys.argv",
    "it changes its CPUs or its priority",
)


def installed() -> list[str]:
    """The folders with installed packages."""
    return [each for each in sys.path if os.path.basename(each) in _INSTALLED]


def of_project() -> list[str]:
    """The modules that are loaded and are neither installed, nor Python's or nbbg's."""
    roots = (*_standard(), *installed())
    known = [(name, getattr(module, "__dict__", None)) for name, module in sys.modules.items()]
    files = {name: found.get("__file__") for name, found in known if found}
    ours = (name for name in files if name.partition(".")[0] not in _OURS)
    return [name for name in ours if files[name] and not str(files[name]).startswith(roots)]


@functools.lru_cache(maxsize=None)
def _standard() -> frozenset[str]:
    """The folders of the standard library; in a bare process this takes as long as a short run."""
    found = {os.path.dirname(os.__file__)}
    found.update(path for name in ("stdlib", "platstdlib") if (path := sysconfig.get_path(name)))
    return frozenset(found)


def _caught_signals() -> list[int]:
    """Which are ignored, caught or blocked; not the two that the C library keeps for threads."""
    with open("/proc/self/status", "rb") as file:
        sets = [line.split()[1] for line in file if line.startswith(_SETS)]
    return [int(each, 16) & ~_OF_THREADS for each in sets]


def native_threads() -> int:
    """How many there are, but for those that are known to be no danger to a fork."""
    return sum(_name_of(thread) not in _FORK_SAFE for thread in os.listdir("/proc/self/task"))


def _name_of(thread: str) -> bytes:
    with contextlib.suppress(OSError), open(f"/proc/self/task/{thread}/comm", "rb") as file:
        return file.read().strip()
    return b""


def _children() -> bytes:
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", "rb") as file:
            return file.read()
    except OSError:  # not every kernel has it
        return b""
