"""A process in which nobody is there to type: what would wait for an answer is refused.

Runs in the user's own interpreter: standard library, Python 3.8.
"""

from __future__ import annotations

import builtins
import getpass
import os
import sys
from typing import Any, NoReturn


def refuse_input() -> None:
    """Waiting for an answer would be for ever."""
    builtins.input = _refuse
    getpass.getpass = _refuse


def refuse_debugger() -> None:
    """`breakpoint()` says where it can stop, unless the user chose what it does."""
    if not os.environ.get("PYTHONBREAKPOINT"):
        sys.breakpointhook = _refuse_breakpoint


def _refuse(*_: Any, **__: Any) -> NoReturn:
    raise EOFError(
        "nobody is there to type an answer in a background run; make it a parameter: assign it in "
        "a cell tagged `parameters`, and give it with `nbbg run -p NAME=VALUE`"
    )


def _refuse_breakpoint(*_: Any, **__: Any) -> NoReturn:
    raise RuntimeError(
        "breakpoint() in a background run: nobody is there to type; debug it in your terminal with "
        "`nbbg run NOTEBOOK --executor inline`, or set PYTHONBREAKPOINT=0 to pass over it"
    )
