"""Files that belong to the user: read whole, and replaced only as they were read.

A replaced file is written beside, fsynced and renamed, and keeps its mode; a symbolic link is
followed. A file that somebody else wrote since it was read is not replaced, and where sources would
get lost the older version stays beside it, as `.train.py.~1~`.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from typing import TYPE_CHECKING

from nbbg import faults, files
from nbbg.classes import dataclass
from nbbg.errors import NotebookError

if TYPE_CHECKING:
    from pathlib import Path

KEPT_VERSIONS = 10
NOTEBOOK, SCRIPT = ".ipynb", ".py"
_MARK = "\ufeff"


@dataclass(frozen=True)
class UserFile:
    """A file as it was at one instant; `text` is None where there was none."""

    path: Path
    text: str | None
    stamp: tuple[int, ...]  # device, inode, size and time of the last change
    mark: bool = False  # whether it begins with a byte order mark

    def replace(self, text: str, *, keep: bool) -> tuple[Path | None, tuple[int, ...]]:
        """Put `text` in its place.

        Args:
            text: the whole new content.
            keep: whether the present version stays beside it.

        Returns:
            Where the older version is, if it was kept; and the stamp of the new one.

        Raises:
            NotebookError: it was changed since it was read, or can't be written.
        """
        target = self.path.resolve()
        if self.text and "\r\n" in self.text:
            text = text.replace("\n", "\r\n")
        if self.mark:
            text = _MARK + text
        try:
            return self._replace(target, text, keep=keep)
        except OSError as error:
            raise NotebookError(
                f"{shown(self.path)}: can't be written: {error.strerror}"
            ) from error

    def _replace(
        self, target: Path, text: str, *, keep: bool
    ) -> tuple[Path | None, tuple[int, ...]]:
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target)
        temporary = target.with_name(f".{target.name}.{os.getpid()}.new")
        try:
            _write_beside(temporary, target, text)
            if stamp(target) != self.stamp:
                raise NotebookError(
                    f"{shown(self.path)}: somebody else wrote it just now; it was left as it is;"
                    " try again"
                )
            kept = _keep(target) if keep and self.text is not None else None
            made = stamp(temporary)
            faults.step("before", target.name)
            temporary.rename(target)
            faults.step("after", target.name)
        finally:
            temporary.unlink(missing_ok=True)
        files.fsync_folder(target.parent)
        return kept, made


def read(path: Path) -> UserFile:
    """Read a file, or notice that there is none.

    Raises:
        NotebookError: it is a folder, can't be read, or is not UTF-8.
    """
    seen = stamp(path)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return UserFile(path, None, ())
    except IsADirectoryError:
        raise NotebookError(_a_folder(path)) from None
    except OSError as error:
        raise NotebookError(f"{shown(path)}: can't be read: {error.strerror}") from error
    text = _decoded(data, path)
    return UserFile(path, text.removeprefix(_MARK), seen, text.startswith(_MARK))


def wanted(file: UserFile) -> str:
    """The content of a notebook or script, which must be there and hold something.

    Raises:
        NotebookError: it is not there, or empty.
    """
    if file.text is None:
        raise NotebookError(missing(file.path))
    if not file.text.strip():
        raise NotebookError(f"{shown(file.path)}: the file is empty")
    return file.text


def shown(path: Path) -> str:
    """A path as a person would type it here."""
    here = os.getcwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def missing(path: Path) -> str:
    """The sentence for a notebook that is not there, with names that are near."""
    folder = path.parent
    if not folder.is_dir():
        return f"{shown(path)}: no such file, and no folder {folder}"
    import difflib

    found = notebooks_in(folder)
    stems = difflib.get_close_matches(path.stem, {one.stem for one in found}, n=2)
    near = [one.name for stem in stems for one in found if one.stem == stem]
    also = f"; did you mean {' or '.join(str(folder / name) for name in near)}?" if near else ""
    return f"{shown(path)}: no such file{also}"


def notebooks_in(folder: Path) -> list[Path]:
    """The notebooks and scripts right in a folder, by name; hidden ones are left out."""
    try:
        found = sorted(folder.iterdir())
    except OSError:
        return []
    return [
        path
        for path in found
        if path.suffix in (NOTEBOOK, SCRIPT) and not path.name.startswith(".") and path.is_file()
    ]


def _a_folder(path: Path) -> str:
    names = [found.name for found in notebooks_in(path) if found.suffix == NOTEBOOK]
    inside = f"; in it: {', '.join(names[:5])}" if names else ""
    return f"{shown(path)}: is a folder, not a notebook{inside}"


def _decoded(data: bytes, path: Path) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        byte = data[error.start]
        raise NotebookError(f"{shown(path)}:{line}: is not UTF-8 (byte 0x{byte:02x})") from None


def stamp(path: Path) -> tuple[int, ...]:
    """What tells versions of a file apart without its content; nothing where there is none."""
    try:
        about = path.stat()
    except OSError:
        return ()
    return about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns


def _write_beside(temporary: Path, target: Path, text: str) -> None:
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    with os.fdopen(fd, "wb") as file:
        if target.exists():
            _take_after(file.fileno(), target)
        file.write(text.encode("utf-8", "surrogatepass"))
        file.flush()
        os.fsync(file.fileno())


def _take_after(fd: int, target: Path) -> None:
    about = target.stat()
    if not about.st_mode & 0o222 or not os.access(target, os.W_OK):  # root may write anything
        raise PermissionError(0, "it is read-only")
    with contextlib.suppress(OSError):
        os.fchown(fd, about.st_uid, about.st_gid)
    os.fchmod(fd, stat.S_IMODE(about.st_mode))


def _sweep(target: Path) -> None:
    """Remove what a writer that was killed has left beside."""
    pattern = re.compile(re.escape(f".{target.name}.") + r"(\d+)\.new")
    for found in target.parent.iterdir():
        match = pattern.fullmatch(found.name)
        if match and not _lives(int(match[1])):
            found.unlink(missing_ok=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return pid != os.getpid()


def _keep(target: Path) -> Path:
    """Link the present version under the next free number, and forget the oldest."""
    pattern = re.compile(re.escape(f".{target.name}.~") + r"(\d+)~")
    matches = (pattern.fullmatch(found.name) for found in target.parent.iterdir())
    numbers = sorted(int(match[1]) for match in matches if match)
    newest = target.with_name(f".{target.name}.~{numbers[-1] if numbers else 0}~")
    if newest.exists() and newest.samefile(target):
        return newest  # kept by one that was killed before it replaced the file
    for number in numbers[: max(0, len(numbers) + 1 - KEPT_VERSIONS)]:
        target.with_name(f".{target.name}.~{number}~").unlink(missing_ok=True)
    kept = target.with_name(f".{target.name}.~{numbers[-1] + 1 if numbers else 1}~")
    try:
        os.link(target, kept)
    except OSError:  # a file system without hard links
        import shutil

        shutil.copy2(target, kept)
    return kept
