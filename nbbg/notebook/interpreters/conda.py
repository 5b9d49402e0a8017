"""conda's environments: found by name, and the variables that they set, read from their own files.

No text of a shell is executed: what scripts in `etc/conda/activate.d` would set is not known here.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbbg.errors import EnvironmentFault
from nbbg.notebook.interpreters.places import home, python_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

META = "conda-meta"  # the folder that makes a folder a conda environment
BASE = "base"
_ROOTS = ("miniforge3", "mambaforge", "miniconda3", "anaconda3", "micromamba")
_STATE = f"{META}/state"
_OF_PACKAGES = "etc/conda/env_vars.d"
_UNSET = "***unset***"


def interpreter(name: str, environment: Mapping[str, str]) -> str:
    """The interpreter of the environment of that name.

    Raises:
        EnvironmentFault: there is no such environment, or it has no Python.
    """
    found: dict[str, Path] = {}
    for each, prefix in _environments(environment):
        found.setdefault(each, prefix)
    if name not in found:
        names = ", ".join(sorted(found)) or "none found"
        raise EnvironmentFault(
            f"there is no conda environment {name!r}; there are: {names}\n"
            "give its folder instead: --python /path/to/envs/NAME"
        )
    if python := python_in(found[name]):
        return python
    raise without_python(found[name])


def without_python(prefix: Path) -> EnvironmentFault:
    """The error for a conda environment that was made without a Python."""
    return EnvironmentFault(
        f"the conda environment {prefix} has no Python\n"
        f"conda install -p {prefix} python ipython, or name another interpreter: --python PATH"
    )


def is_environment(prefix: str | Path) -> bool:
    """Whether a folder is a conda environment."""
    return os.path.isdir(os.path.join(prefix, META))


def default_name(prefix: str) -> str:
    """What conda calls an environment in CONDA_DEFAULT_ENV: its name, or else its folder."""
    if os.path.isdir(os.path.join(prefix, "envs")) or os.path.isdir(f"{prefix}/condabin"):
        return BASE
    parent, name = os.path.split(prefix)
    return name if os.path.basename(parent) == "envs" else prefix


def variables(prefix: str) -> dict[str, str | None]:
    """What an environment sets: its packages, then what was configured for it; None is unset.

    A file that can't be read sets nothing, as an activation would go on too.
    """
    folder = os.path.join(prefix, _OF_PACKAGES)
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    said: dict[str, Any] = {}
    for name in names:
        said.update(_object(os.path.join(folder, name)))
    own = _object(os.path.join(prefix, _STATE)).get("env_vars")
    said.update(own if isinstance(own, dict) else {})
    return {
        name.upper(): None if value == _UNSET else str(value)
        for name, value in said.items()
        if name and "=" not in name and "\0" not in f"{name}{value}"
    }


def _object(path: str) -> dict[str, Any]:
    try:
        value = json.loads(Path(path).read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _environments(environment: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    """Name and folder of each environment that can be found."""
    at_home = home(environment)
    roots = [Path(at_home, name) for name in _ROOTS]
    if mamba := environment.get("MAMBA_ROOT_PREFIX"):
        roots.append(Path(mamba))
    if conda := environment.get("CONDA_EXE"):
        roots.append(Path(conda).parent.parent)
    listed = Path(at_home, ".conda", "environments.txt")
    lines = listed.read_text(errors="replace").splitlines() if listed.is_file() else []
    prefixes = [*(Path(line.strip()) for line in lines if line.strip())]
    for root in roots:
        prefixes += sorted((root / "envs").glob("*"))
        if python_in(root):
            yield BASE, root
    for prefix in prefixes:
        if prefix not in roots and (python_in(prefix) or is_environment(prefix)):
            yield prefix.name, prefix
