"""What a check finds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from nbbg.classes import dataclass, replace
from nbbg.ops.doctor.patient import Patient

# From harmless to harmful; a note asks for nothing.
LEVELS = (OK, NOTE, WARNING, PROBLEM) = ("ok", "note", "warning", "problem")


@dataclass(frozen=True)
class Finding:
    """One line: how it is, and for what harms the line that mends it."""

    level: str
    what: str
    mend: str = ""
    check: str = ""

    def of(self, check: str) -> Finding:
        """The same, with the name of its check."""
        return replace(self, check=check)


Check: TypeAlias = Callable[[Patient], Iterable[Finding]]
