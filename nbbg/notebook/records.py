"""What a script and its notebook both said when they were last the same.

Against this record it is known which of the two was edited since, whatever the times of the files
are. Where records lie is the caller's to say: to this layer a memory is handed in.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Protocol

from nbbg.classes import dataclass

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Record:
    """One script, as it was when it and its notebook said the same."""

    text: Path
    book: Path
    said: str  # fingerprint of what both said
    commands: frozenset[str] = frozenset()  # lines that are comments in the script alone


class Memory(Protocol):
    """Keeps the records of a project, one a script."""

    def covers(self, path: Path) -> bool:
        """Whether a file belongs to the project; a link may lead out of it."""

    def recall(self, text: Path) -> Record | None:
        """The record of a script, or None."""

    def remember(self, record: Record) -> None:
        """Keep a record instead of the one before; where nothing can be kept, do nothing."""


def place(path: Path) -> Path:
    """The one path that records know a file by, however it was reached."""
    return path.parent.resolve() / path.name


def fingerprint(contents: Any) -> str:
    """A short text that two contents share if, and only if, they are the same."""
    text = json.dumps(contents, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
