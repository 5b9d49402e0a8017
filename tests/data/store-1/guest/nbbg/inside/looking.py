"""What `nbbg attach` has done inside a Python kernel, in a thread beside the running cell.

Code is executed in the notebook's own namespace, but not as a cell: the counts, `_`, `Out` and the
history stay the notebook's. Runs in the user's own interpreter: standard library, Python 3.8.
"""

from __future__ import annotations

import ast
import ctypes
import json
import reprlib
import threading
import traceback
import types
from typing import Any

from IPython import get_ipython

from nbbg import secrets

NAME = "<attach>"
LONGEST = 20000  # characters of an answer
BRIEF = 70  # characters of a value in the table
_SIZED = (str, bytes, bytearray, list, tuple, dict, set, frozenset)
_PLAIN = (*_SIZED, type(None), bool, int, float, complex)
_NO_DATA = (types.ModuleType, types.FunctionType, types.BuiltinFunctionType, type)

_at_work: dict[str, int] = {}  # who looks in -> the thread that works for them


def execute(source: str, who: str) -> str:
    """Execute code; JSON of whether it raised, and the text that it has as its answer.

    Args:
        source: IPython's, magics included.
        who: whose `interrupt` ends it.
    """
    _at_work[who] = threading.get_ident()
    try:
        answer = {"raised": False, "text": _shown(_value(source))}
    except BaseException as error:  # noqa: BLE001 - a KeyboardInterrupt is one that was asked for
        answer = {"raised": True, "text": _told(error)}
    finally:
        _at_work.pop(who, None)
    text = str(answer["text"])
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]}\n... {len(text) - LONGEST:,} more characters"
    return json.dumps({**answer, "text": secrets.mask(text, secrets.values())})


def interrupt(who: str) -> None:
    """Raise KeyboardInterrupt in what they execute; a C call feels it when it is over."""
    thread = _at_work.get(who)
    if thread is not None:
        error = ctypes.py_object(KeyboardInterrupt)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), error)


def interrupt_all() -> None:
    """The same to all who look in: the kernel ends, and would wait for one that nobody hears."""
    for who in list(_at_work):
        interrupt(who)


def variables() -> str:
    """JSON of the notebook's variables that hold data: name, type, size, short value."""
    shell = get_ipython()
    hidden = shell.user_ns_hidden
    rows = [
        [name, type(value).__name__, _size(value), secrets.mask(_brief(value), secrets.values())]
        for name, value in list(shell.user_ns.items())  # a copy at once: the cell goes on
        if not (name.startswith("_") or name in hidden or isinstance(value, _NO_DATA))
    ]
    return json.dumps(sorted(rows))


def _value(source: str) -> Any:
    """Execute it; the value of its last line, where that is an expression."""
    shell = get_ipython()
    tree = ast.parse(shell.transform_cell(source), NAME)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, NAME, "exec"), shell.user_ns)  # noqa: S102 - what a person typed
    if last is None:
        return None
    return eval(compile(ast.Expression(last.value), NAME, "eval"), shell.user_ns)  # noqa: S307


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return str(get_ipython().display_formatter.formatters["text/plain"](value))


def _told(error: BaseException) -> str:
    """The traceback without what stands between the person's line and this module."""
    frames = error.__traceback__
    while frames and frames.tb_frame.f_code.co_filename != NAME:
        frames = frames.tb_next
    return "".join(traceback.format_exception(type(error), error, frames)).rstrip()


def _size(value: Any) -> str:
    """The shape of an array or a table, the length of a container; else nothing."""
    try:
        shape = getattr(value, "shape", None)
        if isinstance(shape, tuple):
            return " x ".join(str(int(each)) for each in shape) or "0-d"
        return str(len(value)) if isinstance(value, _SIZED) else ""
    except Exception:  # noqa: BLE001 - a class's own attributes may raise anything
        return ""


def _brief(value: Any) -> str:
    try:
        if isinstance(value, _PLAIN):
            text = reprlib.repr(value)
        elif hasattr(value, "columns"):
            text = ", ".join(str(each) for each in list(value.columns)[:BRIEF])
        elif hasattr(value, "dtype"):
            text = str(value.dtype)  # its numbers may be on another device, which is busy
        else:
            text = repr(value)
    except Exception as error:  # noqa: BLE001 - as above
        text = f"<its repr raised {type(error).__name__}>"
    line = " ".join(text.split())
    return line if len(line) <= BRIEF else f"{line[: BRIEF - 3]}..."
