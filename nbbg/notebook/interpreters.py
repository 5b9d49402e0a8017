"""Which Python a notebook runs in, and whether a run can work there.

A virtual environment's `python` is a symbolic link, and following it would leave the environment:
paths are made absolute, never resolved. The module reads no global state; the environment, the
folders and what was asked for are passed in.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nbbg.errors import EnvironmentFault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nbbg.notebook.kernelspecs import KernelSpec

OLDEST_PYTHON, OLDEST_IPYTHON = (3, 8), (7, 30)
CONDA = "conda:"
TIMEOUT = 60.0  # seconds; the first start from a network disk can take many
_ANOTHER = "or name another interpreter: --python PATH"
_ROOTS = ("miniforge3", "mambaforge", "miniconda3", "anaconda3", "micromamba")
_LOOKS_LIKE_PYTHON = re.compile(r"python[\d.]*[a-z]?|pypy[\d.]*")
_ANSWER = re.compile(r"^nbbg ([\d.]+) (\S+) (\S+) (.+)$", re.MULTILINE)

# Runs in any Python, also in 2.7. Importing IPython would take ten times as long as finding it.
_ASK_PACKAGES = """
import os, re
def version(origin):
    with open(os.path.join(os.path.dirname(origin), "core", "release.py")) as file:
        return ".".join(re.findall(r"(?m)^_version_(?:major|minor|patch) = (\\d+)", file.read()))
ipython, ipykernel = "-", "-"
try:
    from importlib.util import find_spec
    spec = find_spec("IPython")
    if spec and spec.origin:
        ipython = version(spec.origin) or __import__("IPython").__version__
    ipykernel = "yes" if find_spec("ipykernel") else "-"
except ImportError:
    pass
"""
_ASK = f"""
import sys
sys.path[:] = [folder for folder in sys.path if folder]
{_ASK_PACKAGES}
words = tuple(sys.version_info[:3]) + (ipython, ipykernel, sys.executable)
sys.stdout.write("\\nnbbg %d.%d.%d %s %s %s\\n" % words)
"""


@dataclass(frozen=True)
class Interpreter:
    """A Python, and why this one."""

    path: str  # absolute
    source: str  # a phrase such as "--python", "VIRTUAL_ENV", ".venv of the project"


@dataclass(frozen=True)
class Facts:
    """What an interpreter says about itself."""

    python: str  # such as 3.12.1
    ipython: str  # such as 9.18.1; empty where there is none
    ipykernel: bool
    executable: str  # what to start; differs from the path asked where that is a wrapper


def choose(
    named: str,
    *,
    named_by: str = "--python",
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
        kernel: the notebook's kernelspec, if it has one that is known.
        environment: for VIRTUAL_ENV, CONDA_PREFIX, PATH and HOME.
        folder: the notebook's.
        root: the project's, where the search for `.venv` ends.

    Raises:
        EnvironmentFault: `named` is no interpreter.
    """
    if named:
        return Interpreter(_named(named, named_by, environment), named_by)
    return next(_found(kernel, environment, folder, root))


def check(
    interpreter: Interpreter,
    engine: str = "ipython",
    environment: Mapping[str, str] | None = None,
    folder: str | Path = "/",
    timeout: float = TIMEOUT,
) -> Facts:
    """Ask an interpreter what it is, and whether it has what the engine needs.

    Args:
        interpreter: nbbg's own is asked without starting a process.
        engine: `ipython` needs IPython, `kernel` needs ipykernel, `plain` neither.
        environment: of the run; this process's own where it is None.
        folder: where the run will work; pyenv's `python3` depends on it.
        timeout: seconds that it may take to answer.

    Raises:
        EnvironmentFault: it does not start, is too old, or lacks something; with what to type.
    """
    own = interpreter.path == sys.executable
    facts = _own_facts() if own else _asked(interpreter, environment, folder, timeout)
    if _numbers(facts.python) < OLDEST_PYTHON:
        oldest = ".".join(map(str, OLDEST_PYTHON))
        raise EnvironmentFault(
            f"{_said(interpreter)} is Python {facts.python}; a run needs {oldest} or later\n"
            "name another interpreter: --python PATH"
        )
    if engine != "plain":
        _check_packages(interpreter, facts, engine)
    return facts


def _found(
    kernel: KernelSpec | None, environment: Mapping[str, str], folder: Path, root: Path
) -> Iterator[Interpreter]:
    if kernel and kernel.argv and _is_python(kernel.argv[0]):
        yield Interpreter(kernel.argv[0], f"the kernel {kernel.name}")
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        if python := _python_in(environment.get(name, "")):
            yield Interpreter(python, name)
    for place in _upward(folder, root):
        if python := _python_in(place / ".venv"):
            yield Interpreter(python, ".venv of the project")
    if on_path := shutil.which("python3", path=environment.get("PATH", os.defpath)):
        yield Interpreter(os.path.abspath(on_path), "python3 on PATH")
    yield Interpreter(sys.executable, "nbbg's own")


def _named(named: str, named_by: str, environment: Mapping[str, str]) -> str:
    if named.startswith(CONDA):
        return _conda(named.removeprefix(CONDA), environment)
    home = _home(environment)
    path = Path(home, named[2:]) if named.startswith("~/") else Path(named)
    if path.is_dir():
        if python := _python_in(path):
            return python
        raise EnvironmentFault(
            f"{named_by}: {path} holds no bin/python\nname an interpreter, or a virtual environment"
        )
    if path.exists():
        return os.path.abspath(path)
    found = None if os.sep in named else shutil.which(named, path=environment.get("PATH"))
    if not found:
        raise EnvironmentFault(
            f"{named_by}: there is no interpreter {named}\n"
            "give a path, a virtual environment, a name on PATH, or conda:NAME"
        )
    return os.path.abspath(found)


def _conda(name: str, environment: Mapping[str, str]) -> str:
    environments: dict[str, str] = {}
    for found, python in _conda_environments(environment):
        environments.setdefault(found, python)
    if name in environments:
        return environments[name]
    names = ", ".join(sorted(environments)) or "none found"
    raise EnvironmentFault(
        f"there is no conda environment {name!r}; there are: {names}\n"
        "give its folder instead: --python /path/to/envs/NAME"
    )


def _conda_environments(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Name and interpreter of each conda environment that can be found."""
    home = _home(environment)
    roots = [Path(home, name) for name in _ROOTS]
    if mamba := environment.get("MAMBA_ROOT_PREFIX"):
        roots.append(Path(mamba))
    if conda := environment.get("CONDA_EXE"):
        roots.append(Path(conda).parent.parent)
    listed = Path(home, ".conda", "environments.txt")
    lines = listed.read_text(errors="replace").splitlines() if listed.is_file() else []
    prefixes = [*(Path(line.strip()) for line in lines if line.strip())]
    for root in roots:
        prefixes += sorted((root / "envs").glob("*"))
        if python := _python_in(root):
            yield "base", python
    for prefix in prefixes:
        if prefix not in roots and (python := _python_in(prefix)):
            yield prefix.name, python


def _python_in(prefix: str | Path) -> str:
    """The interpreter of an environment's folder, or nothing."""
    for name in ("python", "python3") if prefix else ():
        path = os.path.abspath(os.path.join(prefix, "bin", name))
        if os.access(path, os.X_OK) and os.path.isfile(path):
            return path
    return ""


def _is_python(path: str) -> bool:
    """Whether a kernel's program is a Python at a place of its own, and no wrapper."""
    return os.path.isabs(path) and _LOOKS_LIKE_PYTHON.fullmatch(os.path.basename(path)) is not None


def _upward(folder: Path, root: Path) -> Iterator[Path]:
    folder, root = Path(os.path.abspath(folder)), Path(os.path.abspath(root))
    yield folder
    if folder != root and folder.is_relative_to(root):
        yield from _upward(folder.parent, root)


def _home(environment: Mapping[str, str]) -> str:
    return environment.get("HOME") or str(Path.home())


def _own_facts() -> Facts:
    found: dict[str, str] = {}
    exec(_ASK_PACKAGES, found)  # noqa: S102 - the same question, without a second process
    python = ".".join(map(str, sys.version_info[:3]))
    return _facts(python, found["ipython"], found["ipykernel"], sys.executable)


def _asked(
    interpreter: Interpreter,
    environment: Mapping[str, str] | None,
    folder: str | Path,
    timeout: float,
) -> Facts:
    import subprocess

    try:
        done = subprocess.run(
            [interpreter.path, "-c", _ASK],
            capture_output=True,
            check=False,
            cwd=folder,
            env=environment,
            errors="replace",
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=timeout,
        )
    except subprocess.TimeoutExpired:
        raise _broken(interpreter, f"did not answer within {timeout:g} s") from None
    except OSError as error:
        raise _broken(interpreter, f"can't be started: {error.strerror}") from error
    answer = _ANSWER.search(done.stdout)
    if not answer:
        words = done.stderr.strip().splitlines()
        raise _broken(interpreter, f"is no working Python: {words[-1] if words else 'no answer'}")
    return _facts(*answer.groups())


def _facts(python: str, ipython: str, ipykernel: str, executable: str) -> Facts:
    return Facts(python, "" if ipython == "-" else ipython, ipykernel == "yes", executable)


def _check_packages(interpreter: Interpreter, facts: Facts, engine: str) -> None:
    install = f"{interpreter.path} -m pip install"
    if engine == "kernel" and not facts.ipykernel:
        raise EnvironmentFault(
            f"{_said(interpreter)} has no ipykernel\n{install} ipykernel, {_ANOTHER}"
        )
    if not facts.ipython:
        raise EnvironmentFault(
            f"{_said(interpreter)} has no IPython\n{install} ipython, {_ANOTHER}"
        )
    if _numbers(facts.ipython) < OLDEST_IPYTHON:
        oldest = ".".join(map(str, OLDEST_IPYTHON))
        raise EnvironmentFault(
            f"{_said(interpreter)} has IPython {facts.ipython}; a run needs {oldest} or later\n"
            f"{install} -U ipython, {_ANOTHER}"
        )


def _broken(interpreter: Interpreter, what: str) -> EnvironmentFault:
    return EnvironmentFault(f"{_said(interpreter)} {what}\nname another interpreter: --python PATH")


def _said(interpreter: Interpreter) -> str:
    return f"{interpreter.path} ({interpreter.source})"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])
