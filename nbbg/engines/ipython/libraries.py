"""Which C libraries are loaded, and whether the end of a process is anything to them.

At the end of a process the C library calls what libraries have left to it: HDF5 writes its files,
MPI says goodbye. Of many libraries it is known that nothing but memory is given back, which takes a
tenth of a short run. Where only such are loaded, an engine that was forked ends without.
"""

from __future__ import annotations

import ctypes
import os
import re

# Of an interpreter, of its packages, and of the system.
_EXTENSION = re.compile(r".*/lib-dynload/[^/]+\.so")
_PACKAGE = re.compile(
    r".*/(site|dist)-packages/(numpy|scipy|pandas|sklearn|scikit_learn|matplotlib|PIL|pillow)"
    r"(\.libs)?/.*"
)
_SYSTEM = re.compile(
    r"(.*/)?(ld-linux|linux-vdso|libpython|libc|libm|libdl|libpthread|librt|libutil|libgcc_s"
    r"|libstdc\+\+|libz|libbz2|liblzma|libzstd|libffi|libssl|libcrypto|libsqlite3|libexpat|libuuid"
    r"|libcrypt|libgfortran|libquadmath|libgomp)[-.\w]*\.so[.\d]*"
)


class _Loaded(ctypes.Structure):
    """`struct dl_phdr_info`."""

    _fields_ = [  # type: ignore[mutable-override] # as ctypes has it
        ("address", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("headers", ctypes.c_void_p),
        ("count", ctypes.c_uint16),
        ("adds", ctypes.c_ulonglong),
    ]


_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(_Loaded), ctypes.c_size_t, ctypes.c_void_p
)


# Once: each has a class of its own, which a template, that collects no garbage, would keep.
_C = ctypes.CDLL(None)


def loads() -> int:
    """How many libraries this process has ever loaded."""
    return _iterate(only_first=True)[0]


def need_an_end() -> bool:
    """Whether there may be one among those that are loaded to which the end is something."""
    return any(not _is_harmless(name) for name in _iterate()[1])


def _iterate(*, only_first: bool = False) -> tuple[int, list[str]]:
    adds, names = 0, []

    def take(found: ctypes._Pointer[_Loaded], _size: int, _data: int | None) -> int:
        nonlocal adds
        adds = found.contents.adds
        names.append(os.fsdecode(found.contents.name or b""))
        return int(only_first)

    _C.dl_iterate_phdr(_CALLBACK(take), None)
    return adds, names


def _is_harmless(name: str) -> bool:
    if not name:  # the program itself
        return True
    return any(each.fullmatch(name) for each in (_EXTENSION, _PACKAGE, _SYSTEM))
