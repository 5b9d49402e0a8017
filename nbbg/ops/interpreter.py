"""The interpreter of a notebook that is to be run: chosen, asked, and what belongs to it."""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from nbbg import settings
from nbbg.notebook import kernelspecs
from nbbg.notebook.interpreters import asking, choosing, entering, header
from nbbg.ops import supervision

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbbg.notebook.document import Document
    from nbbg.ops.project import Project


def of(project: Project, doc: Document, engine: str) -> dict[str, Any]:
    """The interpreter that a Python notebook runs in, checked, as fields of an arm.

    Raises:
        NotebookError: the notebook's header can't be read.
        EnvironmentFault: there is none that will do.
    """
    named, named_by = project.settings.python, project.settings["python"].source
    path, is_python = doc.path.resolve(), doc.language == "python"
    if project.settings.executor == "ssh":  # what the host has, the host knows
        source = named_by if named else "chosen there"
        return {"python": named, "python_source": source} if is_python else {"python": ""}
    asked = header.read(doc.notebook, path) if is_python and not named else None
    kernel = kernelspecs.find(doc.kernel) if doc.kernel else None
    if kernel is None and doc.kernel and not asked and not (named and is_python):
        raise kernelspecs.unknown(doc.kernel)
    if not is_python:
        return {"python": ""}
    if project.settings.executor == "inline" and not named:
        named, named_by, asked = sys.executable, "nbbg's own", None
    chosen = choosing.choose(
        named,
        named_by=named_by,
        made=partial(_made, asked, engine) if asked else None,
        kernel=kernel,
        environment=os.environ,
        folder=path.parent,
        root=project.root,
    )
    of_kernel = kernel.env if kernel and not named and not asked else {}
    python, changes = _entered(project, chosen, engine, str(path.parent), of_kernel)
    return {
        "python": python,
        "python_source": chosen.source,
        "variables": changes.variables,
        "withheld": changes.withheld,
    }


def _entered(
    project: Project,
    chosen: choosing.Interpreter,
    engine: str,
    folder: str,
    of_kernel: Mapping[str, str],
) -> tuple[str, entering.Entering]:
    """What is to be started, and what belongs to it; asked as the run will start it."""
    given = supervision.now(project)
    own = settings.dotenv_environment(project.root)

    def belongs(python: str) -> entering.Entering:
        return entering.entering(python, given, of_kernel, own.keys())

    changes = belongs(chosen.path).variables
    facts = asking.check(chosen, engine, entering.entered(given, changes, chosen.path), folder)
    return facts.executable, belongs(facts.executable)


def _made(asked: header.Header, engine: str) -> str:
    """The interpreter of the environment that a header asks for."""
    from nbbg.notebook.interpreters import making

    return making.environment(asked, engine, os.environ, _tell)


def _tell(line: str) -> None:
    """Say what takes its time, while it does."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
