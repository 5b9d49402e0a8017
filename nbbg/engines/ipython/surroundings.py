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

_DEBUG = "`nbbg run --executor inline`"
_FIGURES = "module://matplotlib_inline.backend_inline"


def set_signals() -> None:
    """As a terminal's foreground has them, but for SIGHUP; a crash leaves its stacks in the log."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    faulthandler.enable(2)


def set_paths(spec: Spec) -> None:
    """The notebook's folder comes after the standard library, as in Jupyter, the guest's last.

    So a `random.py` beside the notebook is not mistaken for Python's own.
    """
    sys.path[:] = [entry for entry in sys.path if entry != spec.guest]
    if not getattr(sys.flags, "safe_path", False):
        installed = ("site-packages", "dist-packages")
        ends = [os.path.basename(entry) in installed for entry in sys.path]
        sys.path.insert(ends.index(True) if True in ends else 0, "")
    sys.path.append(spec.guest)
    sys.argv = [spec.path]


def set_figures() -> None:
    """Figures are shown in the cell, unless the user chose another backend."""
    os.environ.setdefault("MPLBACKEND", _FIGURES)


def refuse_input() -> None:
    """Nobody is there to type; waiting would be for ever."""
    builtins.input = _refuse
    getpass.getpass = _refuse
    if "PYTHONBREAKPOINT" not in os.environ:
        sys.breakpointhook = _pass_by


def _refuse(*_: Any, **__: Any) -> NoReturn:
    """Raise what a kernel raises that has nobody before it; pdb does not take it for an answer."""
    from IPython.core.error import StdinNotImplementedError

    raise StdinNotImplementedError(
        "nobody is there to type an answer in a background run; make it a parameter: assign it in "
        "a cell tagged `parameters`, and give it with `nbbg run -p NAME=VALUE`; to debug, run it "
        f"in this terminal: {_DEBUG}"
    )


def _pass_by(*_: Any, **__: Any) -> None:
    """A forgotten `breakpoint()` does not end a night's work; said once."""
    sys.breakpointhook = _pass_by_silently
    sys.stderr.write(f"nbbg: breakpoint() is passed by, nobody is there; to stop there: {_DEBUG}\n")


def _pass_by_silently(*_: Any, **__: Any) -> None:
    """The same, once it has been said."""
