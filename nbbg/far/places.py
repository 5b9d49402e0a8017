"""Where the records of another machine's runs lie here: a store of that client's own."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbbg import files, paths
from nbbg.errors import UsageError
from nbbg.store import locks, place
from nbbg.store.place import Store

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PATIENCE = 60.0  # seconds that one question waits for another about the same batch


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


@contextlib.contextmanager
def alone(store: Store, number: int) -> Iterator[None]:
    """One at a time takes runs of a batch, or gives them back: the link of an earlier question may
    have been cut while it is still at work here.

    Raises:
        EnvironmentFault: that takes too long.
    """
    busy = f"an earlier command is still at work there for b{number}\ntry later"
    with (
        files.Folder(store.batches) as folder,
        locks.alone(folder, f".lock-{number}", PATIENCE, busy),
    ):
        yield


def refuse_other(store: Store, number: int, made: float | None) -> None:
    """Refuse a batch that is another than the client means, which is called as another client.

    Raises:
        UsageError: it is another.
    """
    with files.Folder(store.batch(number)) as folder, contextlib.suppress(FileNotFoundError):
        record = folder.read_json(f"{paths.ASKED}/{paths.BATCH}") or {}
        if made is not None and record.get("created_at", made) != made:
            message = (
                f"b{number} there is another project's, of which this one is a copy, or it of this"
                f"\nin the copy: rm .nbbg/{paths.CALLED}"
            )
            raise UsageError(message)


def keep_deals(folder: Path, deals: Mapping[str, Any]) -> None:
    """Which runs of a batch which host has: whoever adopts it will want to know."""
    made = folder / paths.ASKED / paths.JOBS
    files.make_folder(made)
    with files.Folder(made) as opened:
        for name, record in deals.items():
            with contextlib.suppress(FileExistsError):
                opened.write_once(f"{int(name)}.json", files.to_json(record))
