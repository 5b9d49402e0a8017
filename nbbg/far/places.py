"""Where the records of another machine's runs lie here: a store of that client's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbbg import files, paths
from nbbg.errors import UsageError
from nbbg.store import place
from nbbg.store.place import Store

if TYPE_CHECKING:
    from collections.abc import Mapping


def of(request: Mapping[str, Any]) -> Store:
    """The store that a request is about, which may not be there yet.

    Raises:
        UsageError: its name is none.
    """
    root, token = Path(request["folder"]), str(request["token"])
    if not token.isalnum():
        raise UsageError(f"{token!r} names no store")
    return Store(root, root / paths.STORE / paths.FROM / token)


def make(request: Mapping[str, Any]) -> Store:
    """The same, made where it is not there."""
    store = of(request)
    files.make_folder(store.root / paths.STORE)
    with files.Folder(store.root / paths.STORE) as folder:
        if not folder.exists(paths.GITIGNORE):
            folder.replace(paths.GITIGNORE, b"*\n")
    place.make(store)
    with files.Folder(store.folder) as folder:
        folder.replace(paths.CLIENT, files.to_json(request["client"]))
    return store
