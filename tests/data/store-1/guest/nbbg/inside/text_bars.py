"""`tqdm.notebook` as text: its widget would stand still at 0 % where no page is open.

The module is found here instead of in tqdm, and its `tqdm` and `trange` are those for a terminal,
which `nbbg status` reads and the executed notebook keeps in their last state. Runs in the user's
own interpreter: standard library, Python 3.8.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import ModuleType

NAME = "tqdm.notebook"


def install() -> None:
    """From now on; what was imported already stays as it is."""
    sys.meta_path.insert(0, _Finder)


class _Finder:
    """Finds and fills the one module."""

    @classmethod
    def find_spec(cls, name: str, *_: Any, **__: Any) -> ModuleSpec | None:
        """The module's spec; None for every other."""
        return ModuleSpec(name, cls) if name == NAME else None  # type: ignore[arg-type] # a class does

    @staticmethod
    def create_module(spec: ModuleSpec) -> None:
        """As Python makes it."""

    @staticmethod
    def exec_module(module: ModuleType) -> None:
        """Fill it with the bars for a terminal."""
        from tqdm import std

        class tqdm(std.tqdm):  # type: ignore[type-arg] # noqa: N801 - its name there
            """Without the arguments that are for a widget."""

            def __init__(self, *args: Any, **more: Any) -> None:
                more.pop("display", None)
                super().__init__(*args, **more)

        def trange(*args: Any, **more: Any) -> Any:
            return tqdm(range(*args), **more)

        names = {"tqdm": tqdm, "tqdm_notebook": tqdm, "trange": trange, "tnrange": trange}
        vars(module).update(names, __all__=list(names))
