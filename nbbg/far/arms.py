"""Arms as they are on this machine: their folders in the project's folder here, their interpreter.

What the launch named holds; else the host's own choice; else what is found here as a launch here
would find it, and nbbg's own Python where that is one without IPython.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbbg import paths, settings
from nbbg.classes import replace
from nbbg.errors import EnvironmentFault
from nbbg.notebook.document import Document
from nbbg.notebook.interpreters import asking, choosing
from nbbg.ops import interpreter
from nbbg.ops.project import Project
from nbbg.store import arms
from nbbg.store.place import Store

if TYPE_CHECKING:
    from nbbg import model

_SETTINGS = ("python", "executor", "on", "secrets", "store")
OWN = "nbbg's own"


def settle(batch: model.Batch, folder: Path, root: Path, python: str) -> dict[str, model.Arm]:
    """The arms of a batch as they are here.

    Args:
        batch: as it came, its root the project's folder here.
        folder: of the batch.
        root: the project's folder here.
        python: the host's own choice, or empty.

    Raises:
        NbbgError: there is no interpreter that will do.
    """
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    settled = {}
    for arm in arms.each(batch.arms):
        key = arm.frozen, arm.python, arm.engine
        if key not in found:
            found[key] = _interpreter(arm, folder, root, python)
        settled[arm.name] = replace(arm, **found[key], **_places(arm, batch, root))
    return settled


def usual(folder: Path, python: str, engine: str) -> str:
    """What runs in that folder would work in, in words.

    Raises:
        NbbgError: there is nothing that will do.
    """
    chosen = _chosen(folder, folder, python, engine or "ipython")
    return f"{chosen.path} ({chosen.source})"


def _places(arm: model.Arm, batch: model.Batch, root: Path) -> dict[str, Any]:
    """Where it works and writes: what lies outside of the project has no place here."""
    inside = f"{root}{os.sep}"
    cwd = arm.cwd if f"{arm.cwd}{os.sep}".startswith(inside) else str(root)
    output = arm.output
    if not output.startswith(inside):
        output = str(root / "outputs" / batch.name / "{run}.ipynb")
    return {"cwd": cwd, "output": output}


def _interpreter(arm: model.Arm, folder: Path, root: Path, python: str) -> dict[str, Any]:
    if not arm.python_source:  # of another language: its kernel is started by name
        return {"python": ""}
    notebook = json.loads((folder / arm.frozen).read_bytes())
    cwd = Path(arm.cwd) if arm.cwd.startswith(str(root)) else root
    doc = Document(cwd / Path(arm.notebook).name, notebook, "python", arm.kernel, arm.source)
    named = arm.python or python
    try:
        return interpreter.of(_project(root, named), doc, arm.engine)
    except EnvironmentFault:
        if named or _chosen(cwd, root, "", arm.engine).source != OWN:
            raise
        return interpreter.of(_project(root, sys.executable), doc, arm.engine)


def _chosen(folder: Path, root: Path, named: str, engine: str) -> choosing.Interpreter:
    chosen = choosing.choose(
        _absolute(named, root), environment=os.environ, folder=folder, root=root
    )
    try:
        asking.check(chosen, engine, os.environ)
    except EnvironmentFault:
        if chosen.source != choosing.ON_PATH:
            raise
        chosen = choosing.Interpreter(sys.executable, OWN)
        asking.check(chosen, engine, os.environ)
    return chosen


def _absolute(named: str, root: Path) -> str:
    return str(root / named) if os.sep in named and not named.startswith("conda:") else named


def _project(root: Path, named: str) -> Project:
    given = {"python": _absolute(named, root)} if named else {}
    chosen = settings.resolve(Path(os.devnull), {"HOME": str(Path.home())}, given, _SETTINGS)
    return Project(root, chosen, Store(root, root / paths.STORE))
