"""A notebook in a process that lives on: what it and the engine changed is put back."""

from __future__ import annotations

import atexit
import builtins
import contextlib
import gc
import os
import sys
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_OF_SYS = ("stdout", "stderr", "displayhook", "excepthook", "argv", "ps1", "ps2", "ps3")


@contextlib.contextmanager
def restored() -> Iterator[None]:
    """Put back streams, `__main__`, working folder, path, environment, builtins, and the shell."""
    from IPython.core.interactiveshell import InteractiveShell

    cwd, path, environment = os.getcwd(), list(sys.path), dict(os.environ)
    finders = list(sys.meta_path)
    of_sys = {name: getattr(sys, name) for name in _OF_SYS if hasattr(sys, name)}
    mains = {name: sys.modules.get(name) for name in ("__main__", "__mp_main__")}
    known, shell = dict(vars(builtins)), InteractiveShell._instance  # noqa: SLF001
    InteractiveShell._instance = None  # noqa: SLF001 - there may be one, in a Jupyter kernel
    try:
        with warnings.catch_warnings():
            yield
    finally:
        gc.unfreeze()
        _end_shell()
        InteractiveShell._instance = shell  # noqa: SLF001
        sys.modules.update({name: main for name, main in mains.items() if main is not None})
        os.chdir(cwd)
        sys.path[:] = path
        sys.meta_path[:] = finders
        for name in _OF_SYS:
            if name in of_sys:
                setattr(sys, name, of_sys[name])
            elif hasattr(sys, name):
                delattr(sys, name)
        os.environ.clear()
        os.environ.update(environment)
        _restore_builtins(known)


def _end_shell() -> None:
    from IPython.core.interactiveshell import InteractiveShell

    if InteractiveShell.initialized():
        shell = InteractiveShell.instance()
        atexit.unregister(shell.atexit_operations)
        shell.atexit_operations()
        type(shell).clear_instance()


def _restore_builtins(known: dict[str, object]) -> None:
    for name in set(vars(builtins)) - set(known):
        delattr(builtins, name)
    for name, value in known.items():
        setattr(builtins, name, value)
