"""When the engine has ended: no secret stays in the log, whoever wrote it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nbbg import paths, secrets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbbg import files


def hide_secrets(folder: files.Folder, environment: Mapping[str, str]) -> None:
    """Overwrite in the log, in place, every secret that something else than Python wrote."""
    hidden = secrets.encoded(secrets.values(environment))
    if not hidden or not folder.exists(paths.LOG):
        return
    fd = folder.open(paths.LOG, os.O_RDWR)
    try:
        secrets.overwrite(fd, hidden)
    finally:
        os.close(fd)
