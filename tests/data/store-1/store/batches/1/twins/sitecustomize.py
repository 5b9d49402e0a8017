"""Has a run import the project's modules as they were at launch: `--freeze tree`.

A batch that froze the tree carries this file as `twins/sitecustomize.py`, and its runs have that
folder first on PYTHONPATH: so every Python of a run begins with it, the engine, a kernel, a script,
and what they start. Where an import is about to find a file of the project, its twin in the frozen
tree is taken, whoever found it: `sys.path` as it is then, a `.pth` file, or the import hook of an
editable install. A file that has no twin was not there at launch, or was left out, and is taken as
it is. Run by itself, without nbbg: standard library, Python 3.8.
"""

from __future__ import annotations

import os
import sys
import threading
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING, Any, Sequence

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType

PROJECT, TREE = "NBBG_PROJECT", "NBBG_TREE"  # as in nbbg.paths
_EDITABLE = "__editable__"  # what setuptools' modules with import hooks are called


class Twins:
    """A finder that goes before all others, and asks them.

    Args:
        project: its root.
        tree: what was frozen of it.
    """

    def __init__(self, project: str, tree: str) -> None:
        self.tree = tree
        self._root = os.path.realpath(project)
        self._real: dict[str, str] = {}
        self._busy: set[tuple[int, str]] = set()

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """What the others find, or its twin."""
        asked = (threading.get_ident(), name)
        if asked in self._busy:  # by a finder that asks all others too
            return None
        self._busy.add(asked)
        try:
            return self._find(name, path, target)
        finally:
            self._busy.discard(asked)

    def twin(self, path: str) -> str:
        """Where the frozen copy of a file or folder is, or would be; empty outside the project."""
        folder, name = os.path.split(os.path.abspath(path))
        if folder not in self._real:
            self._real[folder] = os.path.realpath(folder)
        real = os.path.join(self._real[folder], name)
        if real == self._root:
            return self.tree
        inside = real.startswith(self._root + os.sep)
        return self.tree + real[len(self._root) :] if inside else ""

    def redirect_hooks(self) -> None:
        """Have setuptools' hooks, which look for a package before they find it, look in the tree.

        So a package is found that is no longer where it was.
        """
        for name, module in list(sys.modules.items()):
            known: Any = getattr(module, "MAPPING", None) if name.startswith(_EDITABLE) else None
            for package, path in list(known.items()) if isinstance(known, dict) else ():
                twin = self.twin(path)
                if twin and (os.path.isdir(twin) or os.path.isfile(f"{twin}.py")):
                    known[package] = twin

    def _find(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None
    ) -> ModuleSpec | None:
        entries = list(sys.path if path is None else path)
        both = [each for entry in entries for each in self._both(entry)]
        for finder in list(sys.meta_path):
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            where = both if finder is PathFinder and both != entries else path
            spec = finder.find_spec(name, where, target)
            if spec is not None:
                return self._frozen(spec)
        return None

    def _both(self, entry: Any) -> list[Any]:
        """An entry of a module search path, after its twin."""
        if not isinstance(entry, str):
            return [entry]
        try:
            twin = self.twin(os.path.realpath(entry or os.getcwd()))
        except OSError:  # the working folder is gone
            return [entry]
        return [twin, entry] if twin and os.path.isdir(twin) else [entry]

    def _frozen(self, spec: ModuleSpec) -> ModuleSpec:
        """A module as it was frozen, where it was."""
        if not spec.origin or not spec.has_location:
            return spec
        twin = self.twin(spec.origin)
        if not twin or not os.path.isfile(twin):
            return spec
        from importlib.util import spec_from_file_location

        package = spec.submodule_search_locations is not None
        places = [os.path.dirname(twin)] if package else None
        found = spec_from_file_location(spec.name, twin, submodule_search_locations=places)
        return found or spec


def install() -> Twins | None:
    """Import frozen modules from now on, in a run that has some; the finder, or None."""
    project, tree = os.environ.get(PROJECT), os.environ.get(TREE)
    if not project or not tree or not os.path.isdir(tree):
        return None
    if any(getattr(finder, "tree", None) == tree for finder in sys.meta_path):
        return None
    twins = Twins(project, tree)
    twins.redirect_hooks()
    finder: Any = twins
    sys.meta_path.insert(0, finder)
    return twins


def _go_on() -> None:
    """Import the `sitecustomize` that this one hides, if there is one."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if entry != here]
    mine = sys.modules.pop("sitecustomize")
    try:
        __import__("sitecustomize")
    except ImportError as error:
        sys.modules.setdefault("sitecustomize", mine)
        if error.name != "sitecustomize":
            raise


if __name__ == "sitecustomize":
    install()
    _go_on()
