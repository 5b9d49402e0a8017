"""Regular expressions that are compiled when they are first used, not when a program starts.

Also runs in the user's own interpreter: standard library, Python 3.8.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from re import compile as late

__all__ = ["late"]


class _Late:
    """Becomes the compiled pattern, method by method."""

    def __init__(self, pattern: str | bytes, flags: int = 0) -> None:
        self._given = pattern, flags

    def __getattr__(self, name: str) -> Any:
        pattern, flags = self._given
        found = getattr(re.compile(pattern, flags), name)
        setattr(self, name, found)
        return found


if not TYPE_CHECKING:
    late = _Late
