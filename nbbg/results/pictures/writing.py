"""A figure as a file: PNG, SVG or PDF, as its name says."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING

import nbbg
from nbbg.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure

FORMATS = ("png", "svg", "pdf")
DOTS = 160  # of a PNG, an inch


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


def to_bytes(figure: Figure, kind: str) -> bytes:
    """The figure as a PNG, SVG or PDF, which says who made it, and not when."""
    said = f"made by nbbg {nbbg.__version__}"  # by which a later one may replace it
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
