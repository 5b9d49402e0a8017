"""A memory of pairs that lies in a dict: the records of pairs, for tests of the notebook layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbbg.notebook import records

if TYPE_CHECKING:
    from pathlib import Path

    from nbbg.notebook.records import Record


class Kept:
    """Keeps records as long as it lives."""

    def __init__(self) -> None:
        self.records: dict[Path, Record] = {}

    def covers(self, path: Path) -> bool:
        """Whether a path belongs to the project: every one does."""
        return path.is_absolute()

    def recall(self, text: Path) -> Record | None:
        """The record of a script."""
        return self.records.get(records.place(text))

    def remember(self, record: Record) -> None:
        """Keep a record."""
        self.records[record.text] = record
