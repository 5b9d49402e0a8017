"""How wide a terminal is, as `shutil` tells it; that imports three compressions."""

from __future__ import annotations

import os
import sys


def columns(otherwise: int) -> int:
    """The terminal's width in characters: COLUMNS, else that of stdout, else what is given."""
    try:
        if (told := int(os.environ["COLUMNS"])) > 0:
            return told
    except (KeyError, ValueError):
        pass
    try:
        return os.get_terminal_size(sys.__stdout__.fileno()).columns or otherwise  # type: ignore[union-attr]
    except (OSError, ValueError, AttributeError):
        return otherwise
