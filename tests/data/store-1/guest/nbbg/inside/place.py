"""The folder of the attempt that this process belongs to, as an open descriptor.

It is opened once, so that a project that is moved while it runs loses nothing. Outside a run, and
where the folder is gone, there is none.
"""

from __future__ import annotations

from nbbg import files, holding, paths


def attempt() -> files.Folder | None:
    """The open folder of this attempt; None outside a run."""
    path = paths.attempt_dir()
    if path is None:
        return None
    if path not in holding.folders:
        try:
            holding.folders[path] = files.Folder(path)
        except OSError:
            return None
    return holding.folders[path]
