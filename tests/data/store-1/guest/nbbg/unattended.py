"""A process in which nobody is there to type: what would wait for an answer is refused.

Runs in the user's own interpreter: standard library and IPython, Python 3.8.
"""

from __future__ import annotations

import builtins
import getpass
import os
import sys
from typing import Any, NoReturn

_DEBUG = "`nbbg run NOTEBOOK --executor inline`"


def refuse_input() -> None:
    """Waiting for an answer would be for ever."""
    builtins.input = _refuse
    getpass.getpass = _refuse


def pass_breakpoints_by() -> None:
    """A forgotten `breakpoint()` ends no night's work, unless the user chose what it does."""
    if not os.environ.get("PYTHONBREAKPOINT"):
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
    sys.breakpointhook = _pass_by_silently
    sys.stderr.write(f"nbbg: breakpoint() is passed by, nobody is there; to stop there: {_DEBUG}\n")


def _pass_by_silently(*_: Any, **__: Any) -> None:
    """The same, once it has been said."""
