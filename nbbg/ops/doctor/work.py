"""What the runs are executed with: settings, interpreters with IPython, the notebooks' kernels."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from nbbg.errors import NbbgError
from nbbg.notebook import kernelspecs
from nbbg.ops.doctor.finding import NOTE, OK, PROBLEM, WARNING, Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from nbbg.ops.doctor.patient import Patient
    from nbbg.ops.project import Project

MOST = 200  # notebooks of a project that are looked at
LARGEST = 20_000_000  # bytes of one


def settings(patient: Patient) -> Iterator[Finding]:
    """Whether every setting has a meaning."""
    if patient.project and patient.project.fault:
        why, _, mend = patient.project.fault.partition("\n")
        yield Finding(PROBLEM, why, mend or "mend it there, then: nbbg settings")
    else:
        yield Finding(OK, "each has a meaning: nbbg settings")


def interpreters(patient: Patient) -> Iterator[Finding]:
    """Whether the interpreter of each named notebook, else of the project, can run notebooks."""
    from nbbg.ops import project

    where = project.here()
    for path in patient.notebooks:
        yield from _of_notebook(where, path)
    if not patient.notebooks:
        yield _of_project(where)


def _of_project(where: Project) -> Finding:
    from nbbg.notebook.interpreters import asking, choosing

    named = where.settings.python
    try:
        chosen = choosing.choose(
            named,
            named_by=where.settings["python"].source,
            environment=os.environ,
            folder=where.root,
            root=where.root,
        )
        facts = asking.check(chosen, where.settings.engine or "ipython", folder=where.root)
    except NbbgError as error:
        return _refused(error)
    versions = f"Python {facts.python}, IPython {facts.ipython or 'none'}"
    return Finding(OK, f"{chosen.path} ({chosen.source}): {versions}")


def _of_notebook(where: Project, path: Path) -> Iterator[Finding]:
    from nbbg.notebook import document
    from nbbg.notebook.interpreters import header
    from nbbg.ops import interpreter

    try:
        doc = document.load(path)
        engine = where.settings.engine or ("ipython" if doc.language == "python" else "kernel")
        if not where.settings.python and header.read(doc.notebook, path):
            # Asking for it would make it, which takes its time and is the launch's to do.
            yield Finding(NOTE, f"{path}: its environment is made by uv at launch, from its header")
            return
        found = interpreter.of(where, doc, engine)
    except NbbgError as error:
        yield _refused(error, "" if str(error).startswith(str(path)) else f"{path}: ")
        return
    python = found["python"] or f"kernel {doc.kernel}"
    yield Finding(OK, f"{path}: {python} ({found.get('python_source', doc.language)})")


def _refused(error: NbbgError, where: str = "") -> Finding:
    why, _, mend = str(error).partition("\n")
    return Finding(PROBLEM, where + why, mend)


def kernels(patient: Patient) -> Iterator[Finding]:
    """Whether the program of each kernel that a notebook here names is there."""
    users: dict[str, Path] = {}
    for path in patient.notebooks or _notebooks(patient.root):
        if name := _kernel_of(path):
            users.setdefault(name, path)
    faults = [each for name, path in users.items() if (each := _kernel(name, path))]
    names = ", ".join(sorted(users)) or "none is named"
    yield from faults or [Finding(OK, f"kernels of the notebooks here: {names}")]


def _kernel(name: str, path: Path) -> Finding | None:
    try:
        spec = kernelspecs.find(name)
    except NbbgError as error:
        return _refused(error)
    if spec is None:
        why, _, mend = str(kernelspecs.unknown(name)).partition("\n")
        return Finding(WARNING, f"{path}: {why}", f"{mend}; or name one: --python PATH")
    program = spec.argv[0] if spec.argv else ""
    if program and shutil.which(program):
        return None
    what = f"{path}: the program of its kernel {name} is gone: {program or 'none is named'}"
    mend = f"install the kernel anew, or: jupyter kernelspec remove {name}"
    return Finding(PROBLEM, what, mend)


def _notebooks(root: Path) -> Iterable[Path]:
    from nbbg.notebook.found import Selection

    chosen = Selection(recursive=True, exclude=("outputs/*",), suffixes=(".ipynb",))
    return chosen.files([root])[:MOST]


def _kernel_of(path: Path) -> str:
    """The kernel that a notebook names; nothing where it names none, or can't be read."""
    import json

    try:
        if path.suffix != ".ipynb" or path.stat().st_size > LARGEST:
            return ""
        return str(json.loads(path.read_bytes())["metadata"]["kernelspec"]["name"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
