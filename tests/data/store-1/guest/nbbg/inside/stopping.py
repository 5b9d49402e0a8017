"""`nbbg.should_stop`: whether somebody asked this run to stop."""

from __future__ import annotations

import contextlib
import os

from nbbg import files, paths
from nbbg.inside import place

_listening: set[files.Folder] = set()


def should_stop() -> bool:
    """Whether somebody, or a limit of time, asked this run to stop; False outside a run.

    From the first call on, a run that is asked to stop is given time to end by itself before it
    is interrupted: `if nbbg.should_stop(): save(); break`. It costs one look at a file name.
    """
    folder = place.attempt()
    if folder is None:
        return False
    if folder not in _listening:
        _listening.add(folder)
        with contextlib.suppress(OSError):
            os.close(folder.open(paths.LISTENS, os.O_WRONLY | os.O_CREAT))
    try:
        return folder.exists(paths.STOP) or folder.exists(paths.LIMIT)
    except OSError:
        return False
