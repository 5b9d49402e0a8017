"""What a process must be before a notebook is executed in it, in the order in which it matters."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys

_FIGURES = "module://matplotlib_inline.backend_inline"


def set_signals() -> None:
    """As a terminal's foreground has them, but for SIGHUP; a crash leaves its stacks in the log."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    faulthandler.enable(2)


def set_paths(guest: str) -> None:
    """The notebook's folder comes after the standard library, as in Jupyter, the guest's last.

    So a `random.py` beside the notebook is not mistaken for Python's own.

    Args:
        guest: the folder with what of nbbg this interpreter can import.
    """
    sys.path[:] = [entry for entry in sys.path if entry != guest]
    if not getattr(sys.flags, "safe_path", False):
        installed = ("site-packages", "dist-packages")
        ends = [os.path.basename(entry) in installed for entry in sys.path]
        sys.path.insert(ends.index(True) if True in ends else 0, "")
    sys.path.append(guest)


def set_figures() -> None:
    """Figures are shown in the cell, unless the user chose another backend."""
    os.environ.setdefault("MPLBACKEND", _FIGURES)
