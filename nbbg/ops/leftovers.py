"""What dead processes have left behind: temporary files, tmux sessions, unused environments.

A temporary file counts as left when a day has passed; no write takes so long.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbbg import files, model, paths
from nbbg.classes import dataclass, field
from nbbg.index import Index
from nbbg.notebook.interpreters.places import cache
from nbbg.ops import project
from nbbg.store import cleaned, sizes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbbg.ops.project import Project
    from nbbg.store.place import Store

DAY = 86400.0  # seconds
MONTH = 30 * DAY
ENVIRONMENTS = "environments"
_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{16}|\.new-[0-9a-f]{32}")
_TRASH = ".trash"
_THE_USERS_OWN = {
    paths.CHECKPOINT,
    paths.RESULTS,
    paths.SCRATCH,
    paths.TREE_FOLDER,
    paths.FROZEN,
    paths.GUEST,
}


@dataclass
class Leftovers:
    """What there is, or was, of each kind."""

    files: list[str] = field(default_factory=list)  # temporary files and unpublished batches
    sessions: list[str] = field(default_factory=list)  # of tmux
    environments: list[str] = field(default_factory=list)
    unfinished: int = 0  # runs that a clean which was killed has half removed
    size: int = 0  # bytes

    def __bool__(self) -> bool:
        return bool(self.files or self.sessions or self.environments or self.unfinished)

    def to_json(self) -> dict[str, Any]:
        """As `--json` shows it."""
        found = {"files": self.files, "sessions": self.sessions, "bytes": self.size}
        return {**found, "environments": self.environments, "unfinished": self.unfinished}


def find(where: Project, index: Index, *, environments: float = 0.0) -> Leftovers:
    """What could go.

    Args:
        where: the project.
        index: of it.
        environments: seconds for which nobody has used one; 0: they stay.
    """
    found = Leftovers(
        files=sorted(_files(where.store)),
        sessions=_sessions(where, index),
        environments=_environments(environments) if environments else [],
        unfinished=cleaned.unfinished(where.store),
    )
    found.size = sum(map(sizes.of, (*found.files, *found.environments)))
    return found


def remove(found: Leftovers) -> None:
    """Remove it, as far as that can be done."""
    for path in found.files:
        shutil.rmtree(path, ignore_errors=True)
        with contextlib.suppress(OSError):
            os.unlink(path)
    if found.sessions:
        from nbbg.executors import tmux

        for session in found.sessions:
            tmux.close(session)
    for path in found.environments:
        _remove_environment(Path(path))


def _files(store: Store) -> Iterator[str]:
    """Temporary files of the store, older than a day, and launches that were never published."""
    before = time.time() - DAY
    for folder, inner, names in os.walk(store.folder):
        inner[:] = [name for name in inner if name not in _THE_USERS_OWN]
        for name in (*inner, *names):
            path = os.path.join(folder, name)
            with contextlib.suppress(OSError):
                if _TEMPORARY.fullmatch(name) and os.lstat(path).st_mtime < before:
                    yield path
        inner[:] = [name for name in inner if not _TEMPORARY.fullmatch(name)]


def _sessions(where: Project, index: Index) -> list[str]:
    """Of tmux, those of batches that are through, in which no pane is alive."""
    ended = [
        batch
        for batch in index.batches()
        if batch.executor == "tmux" and not model.AT_WORK & index.counts(batch.id).keys()
    ]
    if not ended:
        return []
    from nbbg.executors import tmux

    dead = tmux.dead_sessions()
    names = [tmux.name_of(where.store.batch(batch.id).resolve()) for batch in ended]
    return [name for name in names if name in dead]


def _environments(unused: float) -> list[str]:
    """Environments of notebooks' headers that nobody has used for so long, and no run uses now."""
    folder = cache(os.environ) / ENVIRONMENTS
    if not folder.is_dir():
        return []
    before = time.time() - unused
    used = _used_now()
    return [
        str(each)
        for each in sorted(folder.iterdir())
        if _last_use(each) < before and not any(path.startswith(f"{each}/") for path in used)
    ]


def _used_now() -> set[str]:
    """The interpreters of all runs of this user that are not over."""
    found: set[str] = set()
    for each in project.remembered():
        with Index(each.store) as index:
            for batch in index.batches():
                if model.AT_WORK & index.counts(batch.id).keys():
                    found.update(arm.python for arm in batch.arms.values())
    return found


def _last_use(environment: Path) -> float:
    """When it was made, or a launch has last chosen it."""
    times = [0.0]
    for name in ("made", "lock"):
        with contextlib.suppress(OSError):
            times.append((environment / name).stat().st_mtime)
    return max(times)


def _remove_environment(folder: Path) -> None:
    """Set it aside, unless a launch is at it, and remove it."""
    with contextlib.suppress(OSError), files.Folder(folder) as opened:
        lock = opened.open("lock", os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            opened.remove("made")
            aside = folder.with_name(f".{folder.name}{_TRASH}")
            os.rename(folder, aside)
            shutil.rmtree(aside, ignore_errors=True)
        finally:
            os.close(lock)
