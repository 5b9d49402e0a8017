"""The files that settings come from: `.env`, pyproject.toml, and the user's own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbbg.errors import UsageError
from nbbg.settings import kinds

if TYPE_CHECKING:
    from collections.abc import Mapping

DOTENV, PYPROJECT = ".env", "pyproject.toml"
OWN = "settings.toml"  # the user's, for every project


def dotenv_environment(root: Path, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """All variables of the project's `.env`, which go into the runs.

    `$NAME` and `${NAME:-default}` are filled in as python-dotenv does it: from the lines before,
    then from the environment.

    Raises:
        UsageError: a line can't be read.
    """
    path = root / DOTENV
    text = _text(path)
    if text is None:
        return {}
    import io

    from dotenv.parser import parse_stream
    from dotenv.variables import parse_variables

    found: dict[str, str] = {}
    for binding in parse_stream(io.StringIO(text)):
        if binding.error:
            raise UsageError(_malformed(path, binding.original.line, binding.original.string))
        if binding.key is not None and binding.value is not None:
            known: dict[str, str | None] = {**environment, **found}
            atoms = parse_variables(binding.value)
            found[binding.key] = "".join(atom.resolve(known) for atom in atoms)
    return found


def own_file(environment: Mapping[str, str]) -> Path:
    """The user's own settings, for every project."""
    home = Path(environment.get("HOME") or Path.home())
    return Path(environment.get("XDG_CONFIG_HOME") or home / ".config", "nbbg", OWN)


def table(path: Path, within: tuple[str, ...] = ()) -> dict[str, Any]:
    """The settings in a TOML file, their names with `_`."""
    text = _text(path)
    if text is None or (within and within[-1] not in text):
        return {}
    import tomllib

    try:
        found: Any = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: is no TOML: {error}") from None
    for key in within:
        found = found.get(key, {}) if isinstance(found, dict) else found
    title = f"[{'.'.join(within)}]" if within else "the file"
    if not isinstance(found, dict):
        raise UsageError(f"{path}: {title} must be a table")
    names = {str(name).replace("-", "_"): value for name, value in found.items()}
    if unknown := names.keys() - kinds.KINDS.keys():
        raise UsageError(f"{path}: {title} knows no {', '.join(sorted(unknown))}; {kinds.known()}")
    return names


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError(f"{path}: can't be read: {reason}") from None


def _malformed(path: Path, line: int, text: str) -> str:
    blank = len(text) - len(text.lstrip())
    line += text.count("\n", 0, blank)
    return f"{path}:{line}: is not NAME=value, or a quote is not closed; mend the line"
