"""The project that a command works in: its root, settings and store; and the list of all projects.

`status --all` knows every project in which this user has launched something: one small file each
under XDG's state folder.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from nbbg import files, secrets, settings
from nbbg.classes import dataclass
from nbbg.errors import UsageError
from nbbg.store import filesystem, hearsay, place

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbbg.settings import Settings
    from nbbg.store.place import Store

_READ = (
    "store",
    "network_file_system",
    "output_cap",
    "secrets",
    "ask_every",
)  # the settings that matter to readers


@dataclass(frozen=True)
class Project:
    """Where a command works, and with which settings."""

    root: Path
    settings: Settings
    store: Store
    fault: str = ""  # in the settings, where a reader goes on without them


def here(flags: Mapping[str, object] | None = None) -> Project:
    """The project of the current folder, with every setting.

    Raises:
        UsageError: a setting has no meaning.
        StoreError: the store is somebody else's, or newer than this nbbg.
    """
    root = place.find_root(Path.cwd())
    chosen = settings.resolve(root, os.environ, flags or {})
    return Project(root, chosen, _open_store(root, chosen))


def to_read(start: Path | None = None, flags: Mapping[str, object] | None = None) -> Project:
    """The project for a command that reads or stops: a slip in its settings must not lock it out.

    Raises:
        StoreError: as `here` does.
        UsageError: a flag has no meaning.
    """
    root = place.find_root(start or Path.cwd())
    fault = ""
    try:
        chosen = settings.resolve(root, os.environ, flags or {}, _READ)
        _learn_secrets(root, chosen)
    except UsageError as error:
        nowhere = Path(os.devnull)  # neither .env nor pyproject.toml: the environment alone
        fault, chosen = str(error), settings.resolve(nowhere, os.environ, flags or {}, _READ)
    return Project(root, chosen, _open_store(root, chosen), fault)


def _open_store(root: Path, chosen: Settings) -> Store:
    store = place.open_store(root, chosen.store)
    filesystem.say(store.folder, chosen.network_file_system)
    hearsay.pace(chosen.ask_every)
    return store


def _learn_secrets(root: Path, chosen: Settings) -> None:
    """What is read of a run that still works may hold them."""
    secrets.learn(settings.dotenv_environment(root))
    secrets.learn({secrets.NAMED: ",".join(chosen.secrets)})


def remember(project: Project) -> None:
    """Add the project to this user's list of projects; a list that can't be kept is no fault."""
    import hashlib

    folder = _list_folder()
    name = hashlib.sha256(os.fsencode(project.root)).hexdigest()[:16]
    if (folder / name).exists():
        return
    try:
        files.make_folder(folder)
        with files.Folder(folder) as opened:
            opened.replace(name, os.fsencode(project.root))
    except OSError:
        return


def remembered() -> list[Project]:
    """Every project of this user that is still there."""
    folder = _list_folder()
    names = sorted(os.listdir(folder)) if folder.is_dir() else []
    roots = {Path(os.fsdecode((folder / name).read_bytes())) for name in names if name[0] != "."}
    projects = [to_read(root) for root in sorted(roots) if root.is_dir()]
    return [project for project in projects if project.store.exists()]


def _list_folder() -> Path:
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "nbbg" / "projects"
