"""Where a command puts a file that was asked for: no file is replaced that nbbg did not make."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbbg.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

_PAGE = b'<meta name="generator" content="nbbg'
_PICTURE = b"made by nbbg "
_PICTURES = (".png", ".svg", ".pdf")
_ENDS = 8192  # bytes at the beginning and at the end of a picture, within which it says so


def check(path: Path, option: str) -> None:
    """Refuse what `put` could not do, before anything is made for it.

    Args:
        path: of the file.
        option: that names it, such as `-o`.

    Raises:
        UsageError: there is a file that nbbg did not make, or no such folder.
    """
    if path.is_dir():
        raise UsageError(f"{path} is a folder\nname a file in it with {option}")
    if path.exists() and not _is_ours(path):
        message = f"{path} is there, and nbbg did not make it\nname another file with {option}"
        raise UsageError(message)
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent}\nmkdir -p {path.parent}")


def put(path: Path, data: bytes, option: str) -> None:
    """Write a new file; one that nbbg made before is replaced, any other is refused.

    Raises:
        UsageError: as `check` does, or it can't be written.
    """
    from nbbg import files

    check(path, option)
    try:
        with files.Folder(path.parent) as folder:
            folder.replace(path.name, data, files.users_mode())
    except OSError as error:
        raise UsageError(f"{option} {path}: {error.strerror}") from error


def _is_ours(path: Path) -> bool:
    import json

    try:
        data = path.read_bytes()
        if path.suffix.lower() in _PICTURES:
            return _PICTURE in data[:_ENDS] or _PICTURE in data[-_ENDS:]
        return _PAGE in data[:1000] or "nbbg" in json.loads(data)["metadata"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
