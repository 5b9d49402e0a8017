"""A figure into a file: PNG, SVG or PDF, as its name says."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING

import nbbg
from nbbg import files
from nbbg.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure

FORMATS = ("png", "svg", "pdf")
DOTS = 160  # of a PNG, an inch
MARK = b"made by nbbg "
_ENDS = 8192  # bytes within which a file of ours says so, at its beginning or end


def kind_of(path: Path) -> str:
    """The format that a file's name asks for.

    Raises:
        UsageError: it is none that can be made.
    """
    kind = path.suffix.removeprefix(".").lower()
    if kind not in FORMATS:
        ends = ", ".join(f".{each}" for each in FORMATS)
        message = f"{path}: a picture's name ends with one of {ends}"
        raise UsageError(f"{message}\nsuch as: --plot {path.stem or 'compare'}.png")
    return kind


def check(path: Path) -> None:
    """Refuse what can't be written, before anything is computed.

    Raises:
        UsageError: the name has no format, its folder is missing, or nbbg did not make that file.
    """
    kind_of(path)
    if path.is_dir():
        raise UsageError(f"{path} is a folder\nname a file in it, such as {path / 'compare.png'}")
    if path.exists() and not _is_ours(path):
        message = f"{path} is there, and nbbg did not make it\nname another file with --plot"
        raise UsageError(message)
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent}\nmkdir -p {path.parent}")


def write(figure: Figure, path: Path) -> None:
    """Put a figure into a file; one that nbbg made before is replaced, any other is refused.

    Raises:
        UsageError: as `check` does, or it can't be written.
    """
    check(path)
    data = to_bytes(figure, kind_of(path))
    try:
        with files.Folder(path.parent) as folder:
            folder.replace(path.name, data, files.users_mode())
    except OSError as error:
        raise UsageError(f"--plot {path}: {error.strerror}") from error


def to_bytes(figure: Figure, kind: str) -> bytes:
    """The figure as a PNG, SVG or PDF, which says who made it, and not when."""
    said = f"{MARK.decode()}{nbbg.__version__}"
    of_kind = {
        "png": {"Software": said},
        "svg": {"Creator": said, "Date": None},
        "pdf": {"Creator": said, "CreationDate": None},
    }
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # A script that no font here has is drawn as boxes; its name stands in the table too.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", append=False)
        figure.savefig(buffer, format=kind, dpi=DOTS, metadata=of_kind[kind], facecolor="white")
    return buffer.getvalue()


def _is_ours(path: Path) -> bool:
    try:
        data = path.read_bytes()
    except OSError:
        return False
    return MARK in data[:_ENDS] or MARK in data[-_ENDS:]
