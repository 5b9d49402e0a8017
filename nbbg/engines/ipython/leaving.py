"""The end of a process that was forked from a template: an interpreter's, without its tidying.

Python takes all modules apart at its end, object by object. In a fork each of those pages would be
copied first, which takes longer than a short run. So what may still be of use to somebody is done
(threads are waited for, `atexit`, what has been dropped and what the project's own modules hold is
collected, files are flushed), and the C library ends the process, with what C code has left to it;
without, where that is known to be of no use (see `libraries`).
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import io
import os
import sys
import threading
from typing import NoReturn

from nbbg.engines.ipython import libraries, trying

_C: ctypes.PyDLL = ctypes.PyDLL(None)  # holds the GIL: destructors may drop objects of Python's
_loads = -1  # how many libraries there were, where all are known to need no end


def look_at_libraries() -> None:
    """Before the forks: whether what is loaded now needs an end."""
    global _loads  # noqa: PLW0603 - of a process there is one
    trying.of_project()  # what it has to know of Python is found once, and not in each fork
    _loads = -1 if libraries.need_an_end() else libraries.loads()


def hush_threads() -> None:
    """Daemon threads are at work until the very end, when the names of the notebook are gone."""
    threading.excepthook = lambda _: None


def leave(code: int) -> NoReturn:
    """End this process with that exit code."""
    with contextlib.suppress(BaseException):  # an interrupt ends the waiting, and no more
        threading._shutdown()  # type: ignore[attr-defined] # noqa: SLF001 - as the interpreter does
    with contextlib.suppress(Exception):
        atexit._run_exitfuncs()  # noqa: SLF001 - the same
    with contextlib.suppress(Exception):
        _let_go_of_modules()
    gc.collect()
    for each in gc.get_objects():
        if isinstance(each, (io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom)):
            with contextlib.suppress(Exception):
                each.flush()
    if _loads == libraries.loads():
        _C.fflush(None)
        os._exit(code)
    _C.exit(code)
    raise AssertionError


def _let_go_of_modules() -> None:
    """The project's, for what they hold: a ZIP file is not one before it is closed."""
    if threading.active_count() == 1:  # another thread might import them anew
        for name in trying.of_project():
            sys.modules.pop(name)
