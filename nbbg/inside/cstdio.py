"""What C code prints with `printf`, which C's own library keeps to itself in front of a file.

Unbuffered, it stands in the log at once and in the right cell, is not lost with a SIGKILL, and is
not printed a second time by a child that was forked with a full buffer.
"""

from __future__ import annotations

import contextlib

_UNBUFFERED = 2  # _IONBF of glibc, musl and macOS


def unbuffer() -> None:
    """Have C's standard output written as it is printed, where there is a way."""
    with contextlib.suppress(ImportError, OSError, ValueError, AttributeError):
        import ctypes

        library = ctypes.CDLL(None)
        stdout = ctypes.c_void_p.in_dll(library, "stdout")
        library.setvbuf(stdout, None, _UNBUFFERED, ctypes.c_size_t(0))
