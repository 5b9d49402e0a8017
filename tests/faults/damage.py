"""A store with something of every kind in it, and what can happen to one of its files."""

from __future__ import annotations

import contextlib
import ctypes
import io
import json
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbbg.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_CAPS_VERSION = 0x20080522
_DAC = 0b110  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH


def truncate(path: Path) -> None:
    """The first half of it."""
    os.truncate(path, path.stat().st_size // 2)


def cut(path: Path) -> None:
    """All but the last bytes."""
    os.truncate(path, max(0, path.stat().st_size - 3))


def folder(path: Path) -> None:
    """A folder in its place."""
    path.unlink()
    path.mkdir()


def dangling(path: Path) -> None:
    """A link that leads nowhere in its place."""
    path.unlink()
    path.symlink_to("nowhere")


def loop(path: Path) -> None:
    """A link to itself in its place."""
    path.unlink()
    path.symlink_to(path.name)


def unreadable(path: Path) -> None:
    """A file that its reader may not read."""
    path.chmod(0)


def holding(data: bytes) -> Callable[[Path], None]:
    """Those bytes in its place."""

    def write(path: Path) -> None:
        path.write_bytes(data)

    write.__name__ = f"holding {data[:12]!r}"
    return write


def garbage(path: Path) -> None:
    """Bytes of the same length that mean nothing."""
    size = max(64, path.stat().st_size)
    path.write_bytes(bytes((7 * at * at + 129) % 256 for at in range(size)))


def zeros(path: Path) -> None:
    """What some file systems leave after a power cut."""
    path.write_bytes(bytes(path.stat().st_size))


DAMAGES: tuple[Callable[[Path], None], ...] = (
    *(truncate, cut, garbage, zeros, unreadable, folder, dangling, loop),
    *map(holding, (b"", b"{}", b"[]", b"null", b'"text"', b"7\n", b'{"a":' * 5000, b"[" * 100000)),
)


@contextlib.contextmanager
def as_anybody() -> Iterator[None]:
    """Without root's right to read what its mode forbids."""
    header = (ctypes.c_uint32 * 2)(_CAPS_VERSION, 0)
    data = (ctypes.c_uint32 * 6)()
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.capget(header, data) == 0
    before = data[0]
    data[0] = before & ~_DAC
    assert libc.capset(header, data) == 0
    try:
        yield
    finally:
        data[0] = before
        assert libc.capset(header, data) == 0


@dataclass(frozen=True)
class Said:
    """What a command said."""

    code: int
    out: str
    err: str

    def __str__(self) -> str:
        return f"{self.code}\n{self.out}\n{self.err}"


def say(*arguments: str) -> Said:
    """One command in this very process, in the current folder."""
    out, err = io.StringIO(), io.StringIO()
    out.buffer = io.BytesIO()  # type: ignore[misc]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(list(arguments))
        except SystemExit as ended:
            code = int(ended.code or 0)
    return Said(code, out.getvalue(), err.getvalue())


def contents(root: Path) -> dict[str, bytes | str]:
    """Every file below a folder, but for the index and the like, which are caches."""
    found: dict[str, bytes | str] = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if "index.db" in name or "__pycache__" in name:
            continue
        if path.is_symlink():
            found[name] = f"-> {os.readlink(path)}"
        elif path.is_file():
            found[name] = (
                path.read_bytes() if os.access(path, os.R_OK, effective_ids=True) else "unreadable"
            )
        else:
            found[name] = "folder"
    return found


def copy(root: Path, to: Path) -> Path:
    """A copy of a project."""
    shutil.copytree(root, to, symlinks=True)
    return to


def records(root: Path) -> list[Path]:
    """Every file of a store that is a record, by its path in the project."""
    store = root / ".nbbg"
    return [
        path.relative_to(root)
        for path in sorted(store.rglob("*"))
        if path.is_file() and not {"guest", "index.db"} & set(path.relative_to(store).parts)
    ]


def load(text: str) -> dict[str, list[dict[str, object]]]:
    """What `--json` printed."""
    found: dict[str, list[dict[str, object]]] = json.loads(text)
    return found
