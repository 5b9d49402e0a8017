"""The store, `.nbbg/`: where it lies, how it is made, and when it is refused.

The project root is, from the current folder up and not past the home folder or a mount, the
nearest folder with `.nbbg/format`, else with `.git` or `pyproject.toml`, else the current folder.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from nbbg import files, paths
from nbbg.classes import dataclass
from nbbg.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator


_TOP = (paths.FORMAT, paths.INDEX, paths.PAIRS)  # what lies in a store, beside its batches
ELSEWHERE = "set `store` to another place"
WHEN_FULL = f"make space, or {ELSEWHERE}, and type it again"


@dataclass(frozen=True)
class Store:
    """One project's records."""

    root: Path  # the project
    folder: Path  # `.nbbg`, or where the settings put it

    @property
    def batches(self) -> Path:
        """The folder of all batches."""
        return self.folder / paths.BATCHES

    def batch(self, number: int) -> Path:
        """The folder of one batch."""
        return self.folder.joinpath(paths.BATCHES, str(number))

    def run(self, batch: int, run: int) -> Path:
        """The folder of one run."""
        return self.folder.joinpath(paths.BATCHES, str(batch), paths.RUNS, str(run))

    def exists(self) -> bool:
        """Whether anything was ever launched here."""
        return (self.folder / paths.FORMAT).exists()

    def batch_numbers(self) -> list[int]:
        """The published batches, in order."""
        try:
            names = os.listdir(self.batches)
        except FileNotFoundError:
            return []
        return sorted(int(name) for name in names if files.is_number(name))


def find_root(start: Path) -> Path:
    """The project that a folder belongs to.

    Raises:
        StoreError: its path is no text.
    """
    start = start.resolve()
    try:
        str(start).encode()
    except UnicodeEncodeError as error:
        message = f"{os.fsencode(start)!r} is not UTF-8\nrename the folder, or work in another one"
        raise StoreError(message) from error
    candidates = list(_upward(start))
    for wanted in ((f"{paths.STORE}/{paths.FORMAT}",), (".git", "pyproject.toml")):
        for folder in candidates:
            if any((folder / name).exists() for name in wanted):
                return folder
    return candidates[0]


def open_store(root: Path, elsewhere: str = "") -> Store:
    """The store of a project, which may not be there yet.

    Raises:
        StoreError: it belongs to somebody else, or a newer nbbg wrote it.
    """
    folder = (root / Path(elsewhere).expanduser()) if elsewhere else root / paths.STORE
    store = Store(root, folder)
    if folder.exists():
        _refuse_strangers(store)
        refuse_newer(folder)
    return store


def of_batch(folder: Path) -> Store:
    """The store that a batch's folder lies in, for programs that are given that folder alone."""
    return Store(folder.parents[2], folder.parents[1])


def make(store: Store) -> None:
    """Make the store if there is none; `format` comes last and says that it is whole.

    Raises:
        StoreError: it can't be written.
    """
    if store.exists():
        return
    try:
        files.make_folder(store.folder)
        files.make_folder(store.batches)
        with files.Folder(store.folder) as folder:
            for name, text in (
                (paths.GITIGNORE, "*\n"),
                (paths.FORMAT, f"{paths.FORMAT_VERSION}\n"),
            ):
                if not folder.exists(name):
                    folder.replace(name, text.encode())
        files.fsync_folder(store.folder.parent)
    except OSError as error:
        what = WHEN_FULL if files.is_full(error) else ELSEWHERE
        message = f"{store.folder} can't be written: {error.strerror}\n{what}"
        raise StoreError(message) from error


def _upward(start: Path) -> Iterator[Path]:
    home = Path.home().resolve()
    device = start.stat().st_dev
    for folder in (start, *start.parents):
        if folder != start and (folder.stat().st_dev != device or start == home):
            return
        yield folder
        if folder == home:
            return


def refuse_newer(folder: Path) -> None:
    """Refuse a store whose records this nbbg may not understand; nothing in it is touched.

    Raises:
        StoreError: a newer nbbg wrote it, or its format can't be read.
    """
    path = folder / paths.FORMAT
    try:
        with open(path, opener=files.opener) as file:
            version = int(file.read())
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it holds no version"
        message = f"{path} can't be read: {why}\nput it right: echo {paths.FORMAT_VERSION} > {path}"
        raise StoreError(message) from error
    if version > paths.FORMAT_VERSION:
        message = (
            f"{folder} was written by a newer nbbg (format {version}, this one knows"
            f" {paths.FORMAT_VERSION})\nupgrade: pip install -U nbbg"
        )
        raise StoreError(message)


def _refuse_strangers(store: Store) -> None:
    """A store tells nbbg what to execute: nobody else may have written in it."""
    if store.folder.stat().st_uid != os.geteuid():
        message = f"{store.folder} belongs to another user\nwork in a folder of your own"
        raise StoreError(message)
    for path in (store.folder, store.batches, *map(store.folder.joinpath, _TOP)):
        try:
            _refuse_stranger(store, path)
        except FileNotFoundError:
            continue


def _refuse_stranger(store: Store, path: Path) -> None:
    status = os.lstat(path)
    if path == store.folder:  # which may be a link of the user's own, to another disk
        status = os.stat(path)
    elif stat.S_ISLNK(status.st_mode):
        message = f"{path} is a link, and a store has none\nset `store` to put it elsewhere"
        raise StoreError(message)
    if status.st_uid != os.geteuid():
        message = f"{path} belongs to another user\nif you trust what is in it: chown it"
        raise StoreError(message)
    if status.st_mode & files.OTHERS_WRITE:
        import shlex

        message = (
            f"others may write in {path}, and what is in it is executed\n"
            f"if you trust what is in it: chmod -R go-w {shlex.quote(str(store.folder))}"
        )
        raise StoreError(message)
