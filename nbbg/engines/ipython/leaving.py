"""The end of a process that was forked from a template: an interpreter's, without its tidying.

Python takes all modules apart at its end, object by object. In a fork each of those pages would be
copied first, which takes longer than a short run. So what may still be of use to somebody is done
(threads are waited for, `atexit`, what has been dropped is collected, files are flushed), and the C
library ends the process, with what C code has left to it.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import io
import threading
from typing import NoReturn

_C: ctypes.PyDLL = ctypes.PyDLL(None)  # holds the GIL: destructors may drop objects of Python's


def leave(code: int) -> NoReturn:
    """End this process with that exit code."""
    with contextlib.suppress(Exception):
        threading._shutdown()  # type: ignore[attr-defined] # noqa: SLF001 - as the interpreter does
    with contextlib.suppress(Exception):
        atexit._run_exitfuncs()  # noqa: SLF001 - the same
    gc.collect()
    for each in gc.get_objects():
        if isinstance(each, (io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom)):
            with contextlib.suppress(Exception):
                each.flush()
    _C.exit(code)
    raise AssertionError
