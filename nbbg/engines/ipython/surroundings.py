"""What a process must be before a notebook is executed in it, in the order in which it matters."""

from __future__ import annotations

import builtins
import faulthandler
import getpass
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from nbbg.engines.spec import Spec

_FIGURES = "module://matplotlib_inline.backend_inline"


def set_signals() -> None:
    """As a terminal's foreground has them, but for SIGHUP; a crash leaves its stacks in the log."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    faulthandler.enable(2)


def set_paths(spec: Spec) -> None:
    """The notebook's folder comes first, as in Jupyter, and the guest folder last."""
    sys.path[:] = [entry for entry in sys.path if entry != spec.guest]
    if not getattr(sys.flags, "safe_path", False):
        sys.path.insert(0, "")
    sys.path.append(spec.guest)
    sys.argv = [spec.path]


def set_figures() -> None:
    """Figures are shown in the cell, unless the user chose another backend."""
    os.environ.setdefault("MPLBACKEND", _FIGURES)


def refuse_input() -> None:
    """Nobody is there to type; waiting would be for ever."""
    builtins.input = _refuse
    getpass.getpass = _refuse


def refuse_debugger() -> None:
    """`breakpoint()` says where it can stop, unless the user chose what it does."""
    if not os.environ.get("PYTHONBREAKPOINT"):
        sys.breakpointhook = _refuse_breakpoint


def _refuse_breakpoint(*_: Any, **__: Any) -> NoReturn:
    raise RuntimeError(
        "breakpoint() in a background run: nobody is there to type; debug it in your terminal with "
        "`nbbg run NOTEBOOK --executor inline`, or set PYTHONBREAKPOINT=0 to pass over it"
    )


def _refuse(*_: Any, **__: Any) -> NoReturn:
    raise EOFError(
        "nobody is there to type an answer in a background run; make it a parameter: assign it in "
        "a cell tagged `parameters`, and give it with `nbbg run -p NAME=VALUE`"
    )
