"""Asks an interpreter what it is, and whether a run can work there."""

from __future__ import annotations

import json
import os
import re
import sys
from typing import TYPE_CHECKING

from nbbg import patterns
from nbbg.classes import asdict, dataclass
from nbbg.errors import EnvironmentFault
from nbbg.notebook.interpreters import remembering
from nbbg.notebook.interpreters.places import is_venv

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from nbbg.notebook.interpreters.choosing import Interpreter

OLDEST_PYTHON, OLDEST_IPYTHON = (3, 8), (7, 30)
TIMEOUT = 60.0  # seconds; the first start from a network disk can take many
_ANOTHER = "or name another interpreter: --python PATH"
_PATH = patterns.late(r"^nbbg-path (\[.*\])$", re.MULTILINE)
_ANSWER = patterns.late(r"^nbbg ([\d.]+) (\S+) (\S+) (.+)$", re.MULTILINE)

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
import json
sys.stdout.write("nbbg-path %s\\n" % json.dumps(sys.path))
"""


@dataclass(frozen=True)
class Facts:
    """What an interpreter says about itself."""

    python: str  # such as 3.12.1
    ipython: str  # such as 9.18.1; empty where there is none
    ipykernel: bool
    executable: str  # what to start; differs from the path asked where that is a wrapper


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
    given = os.environ if environment is None else environment
    if interpreter.path == sys.executable:
        return _fit(interpreter, _own_facts(), engine)
    if facts := _remembered(interpreter, given, engine):
        return facts
    return _fit(interpreter, _asked(interpreter, given, folder, timeout), engine)


def _remembered(
    interpreter: Interpreter, environment: Mapping[str, str], engine: str
) -> Facts | None:
    """What it has answered before, where that will do: what it lacked it may have by now."""
    said = remembering.recall(interpreter.path, environment)
    try:
        return _fit(interpreter, Facts(**said), engine) if said else None
    except (EnvironmentFault, TypeError):  # another nbbg may have kept other facts
        return None


def _fit(interpreter: Interpreter, facts: Facts, engine: str) -> Facts:
    """The facts, where they are those of an interpreter that will do."""
    if _numbers(facts.python) < OLDEST_PYTHON:
        oldest = ".".join(map(str, OLDEST_PYTHON))
        raise EnvironmentFault(
            f"{_said(interpreter)} is Python {facts.python}; a run needs {oldest} or later\n"
            "name another interpreter: --python PATH"
        )
    if engine != "plain":
        _check_packages(interpreter, facts, engine)
    return facts


def _own_facts() -> Facts:
    found: dict[str, str] = {}
    exec(_ASK_PACKAGES, found)  # noqa: S102 - the same question, without a second process
    python = ".".join(map(str, sys.version_info[:3]))
    return _facts(python, found["ipython"], found["ipykernel"], sys.executable)


def _asked(
    interpreter: Interpreter,
    environment: Mapping[str, str],
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
    python, ipython, ipykernel, executable = answer.groups()
    if executable[1:3] == ":\\":
        raise _broken(interpreter, "is a Python for Windows")
    # In a container that a wrapper enters, a program has a path of its own.
    started = executable if os.path.exists(executable) else interpreter.path
    facts = _facts(python, ipython, ipykernel, started)
    path = _PATH.search(done.stdout)
    if path and ipython != "-" and executable == interpreter.path:  # it will do, and is no wrapper
        remembering.keep(executable, environment, asdict(facts), json.loads(path[1]))
    return facts


def _facts(python: str, ipython: str, ipykernel: str, executable: str) -> Facts:
    return Facts(python, "" if ipython == "-" else ipython, ipykernel == "yes", executable)


def _check_packages(interpreter: Interpreter, facts: Facts, engine: str) -> None:
    if engine == "kernel" and not facts.ipykernel:
        lacks, package = "has no ipykernel", "ipykernel"
    elif not facts.ipython:
        lacks, package = "has no IPython", "ipython"
    elif _numbers(facts.ipython) < OLDEST_IPYTHON:
        oldest = ".".join(map(str, OLDEST_IPYTHON))
        lacks, package = f"has IPython {facts.ipython}; a run needs {oldest} or later", "-U ipython"
    else:
        return
    install = how_to_install(interpreter.path, package, facts.python)
    raise EnvironmentFault(f"{_said(interpreter)} {lacks}\n{install}, {_ANOTHER}")


def how_to_install(python: str, package: str, version: str = "") -> str:
    """The line that installs a package for an interpreter.

    Args:
        python: its path.
        package: what pip is asked for.
        version: of the interpreter, such as 3.12.1, where it is known.
    """
    folder = os.path.dirname(python)
    prefix = os.path.dirname(folder)
    library = f"{prefix}/lib/python{'.'.join(version.split('.')[:2])}"
    if os.path.exists(f"{library}/EXTERNALLY-MANAGED"):
        return f"{python} -m venv .venv && .venv/bin/python -m pip install {package}"
    if is_venv(prefix) and not any(name.startswith("pip") for name in os.listdir(folder)):
        return f"uv pip install --python {python} {package}"
    return f"{python} -m pip install {package}"


def _broken(interpreter: Interpreter, what: str) -> EnvironmentFault:
    return EnvironmentFault(f"{_said(interpreter)} {what}\nname another interpreter: --python PATH")


def _said(interpreter: Interpreter) -> str:
    return f"{interpreter.path} ({interpreter.source})"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])
