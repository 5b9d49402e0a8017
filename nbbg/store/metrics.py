"""What a run has logged, read on from where it was read before: each line is parsed once."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nbbg import files, paths

if TYPE_CHECKING:
    from nbbg.files import Folder


@dataclass
class Metrics:
    """The metrics of one attempt as far as they were read."""

    values: dict[str, Any] = field(default_factory=dict)  # the last value of each name
    resumed_after: Any = None  # the saved step that the attempt went on from
    _read: int = 0  # bytes

    def read_on(self, attempt: Folder) -> None:
        """Take in the whole lines that were added since."""
        try:
            fd = attempt.open(paths.METRICS, os.O_RDONLY)
        except FileNotFoundError:
            return
        with os.fdopen(fd, "rb") as file:
            file.seek(self._read)
            data = file.read()
        data = data[: data.rfind(b"\n") + 1]
        self._read += len(data)
        for line in files.read_lines(data):
            self.resumed_after = line.get("resumed_after", self.resumed_after)
            if isinstance(line.get("values"), dict):
                self.values.update(line["values"])
