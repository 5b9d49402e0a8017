"""The variables that belong to an interpreter: what `activate` would set, without a shell.

`entering` says what is to change, once, at launch; it is recorded, but for the values of secrets.
`entered` applies it to the environment of a run. So `!pip`, `!python` and `%%bash` in a notebook
are those of its interpreter, and what another environment had set is gone. Values hold `${NAME}`,
which is filled in when the run starts, as in the `env` of a kernel.json.
"""

from __future__ import annotations

import os
from string import Template
from typing import TYPE_CHECKING

from nbbg import secrets
from nbbg.classes import dataclass, field
from nbbg.notebook.interpreters import conda, places

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    Variables = dict[str, str | None]  # None: is not to be set

VENV, CONDA = "VIRTUAL_ENV", "CONDA_PREFIX"
# What stays right when the project is moved with its environment.
_BIN, _PREFIX = "${nbbg_bin}", "${nbbg_prefix}"
_OF_VENV = (VENV, "VIRTUAL_ENV_PROMPT")
_OF_CONDA = (CONDA, "CONDA_DEFAULT_ENV", "CONDA_SHLVL", "CONDA_PROMPT_MODIFIER")


@dataclass(frozen=True)
class Entering:
    """What changes in the environment of a run."""

    variables: Mapping[str, str | None] = field(default_factory=dict)  # None: is not to be set
    withheld: list[str] = field(default_factory=list)  # set too; the values are secrets


def entering(
    python: str,
    base: Mapping[str, str],
    of_kernel: Mapping[str, str] | None = None,
    kept: Collection[str] = (),
) -> Entering:
    """What changes in an environment for an interpreter.

    Args:
        python: its path.
        base: the environment of the launch.
        of_kernel: the `env` of the kernel that the notebook names.
        kept: the names of the project's `.env`, which the user has set for these very runs.
    """
    prefix = os.path.dirname(os.path.dirname(python))
    configured = {**_configured(prefix, base), **(of_kernel or {})}
    hidden = _secret(configured, base) - {*kept}

    def free(values: Variables) -> Variables:
        return {name: value for name, value in values.items() if name not in (*kept, *hidden)}

    changes = {
        **free(_left(prefix, base)),
        **_own(prefix, base),
        **_path(os.path.dirname(python), base),
        **free(configured),
    }
    return Entering(changes, sorted(hidden))


def withheld(
    python: str, names: Collection[str], of_kernel: Mapping[str, str] | None
) -> dict[str, str | None]:
    """The secrets that an interpreter's environment sets, read anew."""
    prefix = os.path.dirname(os.path.dirname(python))
    found = {**_configured(prefix, {}), **(of_kernel or {})}
    return {name: value for name, value in found.items() if name in names}


def entered(
    base: Mapping[str, str], variables: Mapping[str, str | None], python: str
) -> dict[str, str]:
    """An environment as it is for that interpreter."""
    folder = os.path.dirname(python)
    known = {**base, "nbbg_bin": folder, "nbbg_prefix": os.path.dirname(folder)}
    left = {f"{base[name]}/bin" for name in (VENV, CONDA) if name in variables and base.get(name)}
    path = base.get("PATH", os.defpath).split(os.pathsep)
    known["PATH"] = os.pathsep.join(each for each in path if each.rstrip("/") not in left)
    filled = {
        name: Template(value).safe_substitute(known)
        for name, value in variables.items()
        if value is not None
    }
    unset = {name for name, value in variables.items() if value is None}
    return {name: value for name, value in {**base, **filled}.items() if name not in unset}


def _own(prefix: str, base: Mapping[str, str]) -> Variables:
    """What says that this is the active environment."""
    if places.is_venv(prefix):
        wanted: Variables = {VENV: _PREFIX, "PYTHONHOME": None}
        return {} if base.get(VENV) == prefix else _needed(wanted, base)
    if conda.is_environment(prefix) and base.get(CONDA) != prefix:
        return {
            CONDA: _PREFIX,
            "CONDA_DEFAULT_ENV": _plain(conda.default_name(prefix)),
            "CONDA_SHLVL": "1",
        }
    return {}


def _configured(prefix: str, base: Mapping[str, str]) -> Variables:
    """What was configured for a conda environment; one that is active has it set already."""
    if not conda.is_environment(prefix) or base.get(CONDA) == prefix:
        return {}
    return {name: value and _plain(value) for name, value in conda.variables(prefix).items()}


def _left(prefix: str, base: Mapping[str, str]) -> Variables:
    """What other environments have set; an environment that is active stays as it is."""
    if prefix in (base.get(VENV), base.get(CONDA)):
        return {}
    names: list[str] = []
    if base.get(VENV):
        names += _OF_VENV
    if active := base.get(CONDA):
        names += _OF_CONDA
        names += (name for name in base if name.startswith(("CONDA_PREFIX_", "CONDA_STACKED_")))
        set_by = conda.variables(active)
        names += (name for name, value in set_by.items() if value == base.get(name))
    return _needed(dict.fromkeys(names), base)


def _path(folder: str, base: Mapping[str, str]) -> Variables:
    """PATH with the interpreter's folder first, where another would be found now."""
    path = base.get("PATH", os.defpath)
    names = ("python", "python3", "pip", "pip3")
    there = [name for name in names if os.access(os.path.join(folder, name), os.X_OK)]
    found = {os.path.dirname(places.on_path(name, path)) for name in there}
    return {} if found == {folder} else {"PATH": f"{_BIN}{os.pathsep}${{PATH}}"}


def _needed(wanted: Variables, base: Mapping[str, str]) -> Variables:
    return {name: value for name, value in wanted.items() if value is not None or name in base}


def _secret(changes: Variables, base: Mapping[str, str]) -> set[str]:
    given = {name: value for name, value in changes.items() if value is not None}
    values = secrets.values({**base, **given})
    return {name for name, value in given.items() if any(secret in value for secret in values)}


def _plain(value: str) -> str:
    """A value in which nothing is filled in."""
    return value.replace("$", "$$")
