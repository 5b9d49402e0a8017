"""`__main__` of a notebook, which has no file, as in Jupyter.

Two that ask for its file all the same get an answer: multiprocessing, which has a spawned process
import it, is given a file with what the cells have defined so far; and `inspect`, which looks for
the source of a class, is given the name of its cell.
"""

from __future__ import annotations

import linecache
import os
import sys
import types
import zlib
from typing import TYPE_CHECKING, Any, Optional

from nbbg import paths

if TYPE_CHECKING:
    from nbbg import files

_CELL = "<ipython-input-"
_DEFINE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "spawned.py")
_FILE = '''"""What the cells of {path} had defined when it spawned a process; made by nbbg."""

__import__("runpy").run_path({define!r})["define"](
    {cells!r},
    globals(),
)
'''


class Main(types.ModuleType):
    """The module; `folder` is the attempt's, None for a notebook that has none."""

    folder: Optional[files.Folder] = None  # noqa: UP045 - evaluated by Python 3.8

    def __getattr__(self, name: str) -> Any:
        """What the notebook has not defined; its `__file__` for those who need one."""
        if name == "__file__":
            asks = sys._getframe(1)  # noqa: SLF001 - who asks is what matters
            found = _file_for(type(self).folder, asks)
            if found:
                return found
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")


def adopt(module: types.ModuleType, folder: files.Folder) -> None:
    """Make the module of an IPython shell such a `__main__`."""
    module.__class__ = type("Main", (Main,), {"folder": folder})
    if "multiprocessing" in sys.modules:  # else it sees to this itself
        sys.modules["__mp_main__"] = module


def _file_for(folder: files.Folder | None, asks: types.FrameType) -> str | None:
    module, function = asks.f_globals.get("__name__"), asks.f_code.co_name
    if (module, function) == ("inspect", "getfile"):
        return _cell_of(asks.f_locals.get("object"))
    if function == "get_preparation_data" and module != "loky.backend.spawn" and folder:
        try:
            return _written(folder)
        except OSError:
            return None
    return None


def _written(folder: files.Folder) -> str:
    """The file for spawned processes; a new one for each state, for a fork server reads it once."""
    cells = [(name, "".join(lines)) for name, lines in _cells()]
    text = _FILE.format(path="the notebook", define=_DEFINE, cells=cells)
    data = text.encode("utf-8", "backslashreplace")
    name = f"{paths.SPAWNED}-{zlib.crc32(data):08x}.py"
    if not folder.exists(name):
        folder.replace(name, data)
    return os.path.join(folder.where(), name)


def _cells() -> list[tuple[str, list[str]]]:
    """The executed cells in the order of their first execution: file name and lines."""
    names = [name for name in list(linecache.cache) if name.startswith(_CELL)]
    return [(name, linecache.getlines(name)) for name in names]


def _cell_of(kind: Any) -> str | None:
    """The file name of the cell that defines a class: that of its methods, or where it stands."""
    if not isinstance(kind, type) or kind.__module__ != "__main__":
        return None
    for each in vars(kind).values():
        code = getattr(getattr(each, "__func__", each), "__code__", None)
        if code is not None and code.co_filename.startswith(_CELL):
            return str(code.co_filename)
    last = kind.__qualname__.rpartition(".")[2]
    starts = (f"class {last}:", f"class {last}(", f"class {last}[")
    for name, lines in reversed(_cells()):
        if any(line.lstrip().startswith(starts) for line in lines):
            return name
    return None
