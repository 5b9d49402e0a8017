"""What asks a batch or an attempt to stop: its `stop.json`.

Apart from the states, since every command reads it of each batch, and few derive a state.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from nbbg import journal, paths

if TYPE_CHECKING:
    from nbbg.files import Folder


def stop_of(folder: Folder) -> tuple[str, float]:
    """Who asked a batch or an attempt to stop, and when; empty and 0 where nobody did."""
    record = stop_request(folder)
    if record is None:
        return "", 0.0
    return str(record.get("by") or "somebody"), journal.moment(record.get("at")) or 0.0


def stop_request(folder: Folder) -> dict[str, Any] | None:
    """What asks a batch or an attempt to stop; an empty one was made on a full disk.

    Raises:
        ValueError: it can't be read.
    """
    if folder.read(paths.STOP) == b"":
        at = os.stat(paths.STOP, dir_fd=folder.fd, follow_symlinks=False).st_mtime
        return {"by": "nbbg stop, on a full disk", "how": "now", "at": at}
    return folder.read_json(paths.STOP)
