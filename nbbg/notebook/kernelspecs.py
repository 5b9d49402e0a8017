"""Which Jupyter kernels there are, found as jupyter_client finds them but without importing it.

A kernel is a folder with a `kernel.json`; the folders are searched in Jupyter's own order, and the
first of a name counts.
"""

from __future__ import annotations

import importlib.util
import json
import os
import site
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbbg.classes import dataclass, field
from nbbg.errors import EnvironmentFault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NATIVE = "python3"
_NO = ("no", "n", "false", "off", "0", "0.0")


@dataclass(frozen=True)
class KernelSpec:
    """What a `kernel.json` says."""

    name: str
    argv: tuple[str, ...]
    language: str
    display_name: str
    path: str  # of the kernel.json; empty for the kernel that nbbg brings along
    env: Mapping[str, str] = field(default_factory=dict)  # `${NAME}` in it is to be filled in


def find(name: str, environment: Mapping[str, str] = os.environ) -> KernelSpec | None:
    """The kernel of that name, in any case of letters, or None.

    Raises:
        EnvironmentFault: its kernel.json can't be read.
    """
    wanted = name.lower()
    for found, file in _files(environment):
        if found == wanted:
            return _read(found, file)
    return _native() if wanted == NATIVE else None


def known(environment: Mapping[str, str] = os.environ) -> list[KernelSpec]:
    """All kernels, by name; those that can't be read are left out."""
    specs = {NATIVE: native} if (native := _native()) else {}
    files: dict[str, Path] = {}
    for name, file in _files(environment):
        files.setdefault(name, file)
    for name, file in files.items():
        try:
            specs[name] = _read(name, file)
        except EnvironmentFault:
            specs.pop(name, None)
    return [specs[name] for name in sorted(specs)]


def unknown(name: str, environment: Mapping[str, str] = os.environ) -> EnvironmentFault:
    """The error for a kernel that is not there, with the names of those that are."""
    names = ", ".join(spec.name for spec in known(environment)) or "none"
    return EnvironmentFault(
        f"there is no kernel {name!r}; there are: {names}\n"
        f"install it, or choose another kernel in the notebook"
    )


def folders(environment: Mapping[str, str] = os.environ) -> list[Path]:
    """Where kernels are looked for, first to last."""
    home = Path(environment.get("HOME") or Path.home())
    given = environment.get("JUPYTER_PATH", "")
    user, own = [data_folder(environment)], [Path(sys.prefix, "share", "jupyter")]
    if site.ENABLE_USER_SITE:
        user.append(Path(site.getuserbase(), "share", "jupyter"))
    order = own + user if _prefers_own(environment) else user + own
    system = [Path("/usr/local/share/jupyter"), Path("/usr/share/jupyter")]
    data = [*(Path(part) for part in given.split(os.pathsep) if part), *order, *system]
    ipython = Path(environment.get("IPYTHONDIR") or home / ".ipython")
    return [*dict.fromkeys(folder / "kernels" for folder in data), ipython / "kernels"]


def data_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where this user's Jupyter keeps its data."""
    home = Path(environment.get("HOME") or Path.home())
    base = environment.get("XDG_DATA_HOME") or home / ".local" / "share"
    usual = home / "Library" / "Jupyter" if sys.platform == "darwin" else Path(base, "jupyter")
    return Path(environment.get("JUPYTER_DATA_DIR") or usual)


def _prefers_own(environment: Mapping[str, str]) -> bool:
    """Whether this interpreter's kernels go before the user's, as jupyter_core decides it."""
    asked = environment.get("JUPYTER_PREFER_ENV_PATH")
    if asked is not None:
        return asked.lower() not in _NO
    conda = environment.get("CONDA_PREFIX")
    in_conda = (
        conda is not None
        and sys.prefix.startswith(conda)
        and environment.get("CONDA_DEFAULT_ENV", "base") != "base"
    )
    own = os.stat(sys.prefix).st_uid == os.geteuid()
    return own and (sys.prefix != sys.base_prefix or in_conda)


def _files(environment: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    for folder in folders(environment):
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            continue
        for name in names:
            file = folder / name / "kernel.json"
            if file.is_file():
                yield name.lower(), file


def _read(name: str, file: Path) -> KernelSpec:
    try:
        said: dict[str, Any] = json.loads(file.read_bytes())
        argv = tuple(str(part) for part in said["argv"])
        language, display = str(said.get("language", "")), str(said.get("display_name", name))
        env = {str(key): str(value) for key, value in (said.get("env") or {}).items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise EnvironmentFault(f"{file}: can't be read as a kernel: {reason}") from None
    return KernelSpec(name, argv, language, display, str(file), env)


def _native() -> KernelSpec | None:
    if importlib.util.find_spec("ipykernel") is None:
        return None
    argv = (sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}")
    return KernelSpec(NATIVE, argv, "python", "Python 3 (ipykernel)", "")
