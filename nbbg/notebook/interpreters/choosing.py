"""Which Python a notebook runs in.

A virtual environment's `python` is a symbolic link, and following it would leave the environment:
paths are made absolute, never resolved. The module reads no global state; the environment, the
folders and what was asked for are passed in.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from nbbg.classes import dataclass
from nbbg.errors import EnvironmentFault
from nbbg.notebook.interpreters import conda
from nbbg.notebook.interpreters.places import gone_from, home, on_path, python_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from nbbg.notebook.kernelspecs import KernelSpec

CONDA = "conda:"
ON_PATH = "python3 on PATH"
_LOOKS_LIKE_PYTHON = re.compile(r"python[\d.]*[a-z]?|pypy[\d.]*")


@dataclass(frozen=True)
class Interpreter:
    """A Python, and why this one."""

    path: str  # absolute
    source: str  # a phrase such as "--python", "VIRTUAL_ENV", ".venv of the project"


def choose(
    named: str,
    *,
    named_by: str = "--python",
    made: Callable[[], str] | None = None,
    kernel: KernelSpec | None = None,
    environment: Mapping[str, str],
    folder: Path,
    root: Path,
) -> Interpreter:
    """The interpreter of a Python notebook: the first that applies.

    Args:
        named: what a flag or a setting says: an executable, a folder of a virtual or conda
            environment, a name on PATH, `conda:NAME`; or nothing.
        named_by: where `named` comes from.
        made: the interpreter of the environment for the notebook's header, if it has one; called
            only if nothing is named.
        kernel: the notebook's kernelspec, if it has one that is known.
        environment: for VIRTUAL_ENV, CONDA_PREFIX, PATH and HOME.
        folder: the notebook's.
        root: the project's, where the search for `.venv` ends.

    Raises:
        EnvironmentFault: `named` is no interpreter, or the one that applies has lost its Python.
    """
    if named:
        return Interpreter(_named(named, named_by, environment), named_by)
    if made:
        return Interpreter(made(), "its PEP 723 header")
    return next(_found(kernel, environment, folder, root))


def _found(
    kernel: KernelSpec | None, environment: Mapping[str, str], folder: Path, root: Path
) -> Iterator[Interpreter]:
    if kernel and kernel.argv and _is_python(kernel.argv[0]):
        yield Interpreter(kernel.argv[0], f"the kernel {kernel.name}")
    # conda's base is active in every shell of many people: a folder's own `.venv` is nearer.
    base = environment.get("CONDA_DEFAULT_ENV") == conda.BASE
    for name in ("VIRTUAL_ENV", *([] if base else ["CONDA_PREFIX"])):
        yield from _in(environment.get(name, ""), name)
    for place in _upward(folder, root):
        yield from _in(place / ".venv", ".venv of the project")
    yield from _in(environment.get("CONDA_PREFIX", ""), "CONDA_PREFIX")
    if usual := on_path("python3", environment.get("PATH", os.defpath)):
        yield Interpreter(os.path.abspath(usual), ON_PATH)
    yield Interpreter(sys.executable, "nbbg's own")


def _in(prefix: str | Path, source: str) -> Iterator[Interpreter]:
    if python := python_in(prefix):
        yield Interpreter(python, source)
    elif gone := gone_from(prefix):
        raise _lost(source, prefix, gone)


def _named(named: str, named_by: str, environment: Mapping[str, str]) -> str:
    if named.startswith(CONDA):
        return conda.interpreter(named.removeprefix(CONDA), environment)
    path = Path(home(environment), named[2:]) if named.startswith("~/") else Path(named)
    if path.is_dir():
        return _in_folder(path, named_by)
    if path.exists():
        return os.path.abspath(path)
    if path.is_symlink():
        raise _lost(named_by, path.parents[1], os.path.realpath(path))
    found = None if os.sep in named else on_path(named, environment.get("PATH"))
    if not found:
        raise EnvironmentFault(
            f"{named_by}: there is no interpreter {named}\n"
            "give a path, a virtual environment, a name on PATH, or conda:NAME"
        )
    return os.path.abspath(found)


def _in_folder(path: Path, named_by: str) -> str:
    if python := python_in(path):
        return python
    if gone := gone_from(path):
        raise _lost(named_by, path, gone)
    if conda.is_environment(path):
        raise conda.without_python(path)
    raise EnvironmentFault(
        f"{named_by}: {path} holds no bin/python\nname an interpreter, or a virtual environment"
    )


def _lost(source: str, prefix: str | Path, gone: str) -> EnvironmentFault:
    return EnvironmentFault(
        f"{source}: the Python that {prefix} was made from is gone: {gone}\n"
        f"make it anew: python3 -m venv --clear {prefix}, or name another: --python PATH"
    )


def _is_python(path: str) -> bool:
    """Whether a kernel's program is a Python at a place of its own, and no wrapper."""
    return os.path.isabs(path) and _LOOKS_LIKE_PYTHON.fullmatch(os.path.basename(path)) is not None


def _upward(folder: Path, root: Path) -> Iterator[Path]:
    folder, root = Path(os.path.abspath(folder)), Path(os.path.abspath(root))
    yield folder
    if folder != root and folder.is_relative_to(root):
        yield from _upward(folder.parent, root)
