"""`--freeze tree`: the project's sources, chosen at launch and copied into the batch.

Chosen is what git tracks, and what it neither tracks nor ignores if it is a source (a notebook that
runs is frozen anyway, and others are as often outputs); and, in the
folders of Python modules, what can be imported and git ignores: a `_version.py`, a built extension.
Without git, sources in folders that are no environment, data or output. Never `.nbbg`, a `.env` or
a file larger than 10 MB, which is said. Copies share their blocks with the original where the file
system can (a reflink), and are never hard links: an editor writes into those.

A link within the project stays a link. What a link leads to outside is copied, as it would stop to
be what it was.
"""

from __future__ import annotations

import contextlib
import os
import stat
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbbg import files, paths
from nbbg.classes import dataclass, replace
from nbbg.engines import commands
from nbbg.errors import StoreError, UsageError
from nbbg.ops import provenance

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nbbg.store import batches

LARGEST_FILE, LARGEST_TREE, MOST_FILES = 10_000_000, 500_000_000, 20_000
NAMED = 3  # files that a sentence names
_FICLONE = 0x40049409
_IMPORTED = (".py", ".so", ".pyd")
_SOURCES = frozenset(
    (*_IMPORTED, ".pyi", ".pyx", ".pxd", ".ipy", ".r", ".jl", ".sh", ".sql", ".toml")
) | {".cfg", ".ini", ".yaml", ".yml", ".json", ".md", ".rst", ".txt", ".j2", ".c", ".h", ".cpp"}
_NOT = frozenset(("__pycache__", "node_modules", "site-packages", "venv", "env", "outputs"))
_DATA = frozenset(("data", "datasets", "checkpoints", "wandb", "mlruns", "build", "dist"))
_ENVIRONMENTS = ("pyvenv.cfg", "conda-meta")


@dataclass(frozen=True)
class Tree:
    """What is to be frozen."""

    root: Path
    names: Sequence[str]  # relative to the root; of files and links
    size: int  # bytes
    large: Sequence[str]  # left out

    def join(self, draft: batches.Draft) -> batches.Draft:
        """A batch that this is frozen with."""
        batch = replace(draft.batch, facts={**draft.batch.facts, "tree": self.facts()})
        content = {**draft.content, **commands.twins()}
        fill = partial(_copy_into, self)
        return replace(draft, batch=batch, content=content, fill=fill)

    def facts(self) -> dict[str, Any]:
        """What the batch records of it."""
        return {"files": len(self.names), "bytes": self.size, "left_out": list(self.large)}

    def __str__(self) -> str:
        """A sentence for whoever launches."""
        text = f"frozen: {len(self.names)} files of the project, {self.size / 1e6:.1f} MB"
        if not self.large:
            return text
        more = f" and {len(self.large) - NAMED} more" if self.large[NAMED:] else ""
        largest = f"larger than {LARGEST_FILE // 10**6} MB"
        return f"{text}; left out, as {largest}: {', '.join(self.large[:NAMED])}{more}"


def choose(root: Path, store: Path) -> Tree:
    """What of a project is to be frozen.

    Args:
        root: the project's.
        store: of its records, which are not.

    Raises:
        UsageError: it is too much.
    """
    names, large, size = [], [], 0
    for name in sorted(set(_named(root))):
        path = root / name
        if _is_kept_out(name) or path.is_relative_to(store):
            continue
        bytes_ = _size(root, path)
        if bytes_ < 0:
            continue
        if bytes_ > LARGEST_FILE:
            large.append(name)
            continue
        names.append(name)
        size += bytes_
        if size > LARGEST_TREE or len(names) > MOST_FILES:
            raise UsageError(_too_much(root))
    return Tree(root, names, size, large)


def _size(root: Path, path: Path) -> int:
    """Bytes of a file, or of a link that stays one; -1 for what is gone or neither."""
    with contextlib.suppress(OSError):
        if _stays_link(root, path):
            return path.lstat().st_size
        found = path.stat()
        return found.st_size if stat.S_ISREG(found.st_mode) else -1
    return -1


def copy(tree: Tree, folder: Path) -> None:
    """Copy what was chosen into a new folder, and fsync it.

    Raises:
        StoreError: a file can't be read or written.
    """
    made = {folder}
    files.make_folder(folder)
    for name in tree.names:
        source, target = tree.root / name, folder / name
        if target.parent not in made:
            made.update(up for up in target.parents if up.is_relative_to(folder))
            files.make_folder(target.parent)
        try:
            _copy(tree.root, source, target)
        except FileNotFoundError:  # deleted since it was chosen
            continue
        except OSError as error:
            message = f"{source} can't be frozen: {error.strerror}; nothing was launched"
            raise StoreError(message) from error
    for name in tree.names:  # when most of it is on its way already
        _fsync(folder / name)
    for each in made:
        files.fsync_folder(each)


def _fsync(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):  # deleted before it was copied
        if not path.is_symlink():
            with path.open("rb") as file:
                os.fsync(file.fileno())


def _copy_into(tree: Tree, batch: Path) -> None:
    copy(tree, batch / paths.TREE_FOLDER)


def _named(root: Path) -> Iterator[str]:
    listed = provenance.git_files(root)
    if listed is None or not any(listed):  # none, or one above that ignores the whole project
        yield from _walk(root, "")
        return
    tracked, others = listed
    found = [*tracked, *(name for name in others if _is_new_source(root, name))]
    modules = {os.path.dirname(name) for name in found if name.endswith(".py")}
    for name in found:
        path = root / name
        if not path.is_dir():
            yield name
        elif not path.is_symlink() or _leads_out(root, path):  # a submodule, or a shared folder
            yield from _of_folder(root, name)
        else:
            yield name
    for folder in modules:
        yield from _importable(root, folder)


def _of_folder(root: Path, name: str) -> Iterator[str]:
    """The sources of a folder that has a git of its own, or that a link leads to."""
    path = (root / name).resolve()
    if root.is_relative_to(path):
        return
    if (path / ".git").exists():
        yield from (os.path.join(name, each) for each in _named(path))
    else:
        yield from (os.path.join(name, each) for each in _walk(path, ""))


def _walk(root: Path, folder: str) -> Iterator[str]:
    with contextlib.suppress(OSError), os.scandir(root / folder) as entries:
        for entry in sorted(entries, key=lambda each: each.name):
            name = os.path.join(folder, entry.name)
            if entry.is_symlink() and entry.is_dir():
                yield from [name] if not _leads_out(root, Path(entry.path)) else ()
            elif not entry.is_dir():
                yield from [name] if _is_source(name) else ()
            elif not _is_no_code(entry.name, Path(entry.path)):
                yield from _walk(root, name)


def _is_no_code(name: str, path: Path) -> bool:
    """Whether a folder is hidden, an environment, or holds data and outputs."""
    if name.startswith(".") or name in _NOT:
        return True
    if name in _DATA and not (path / "__init__.py").exists():
        return True
    return any((path / each).exists() for each in _ENVIRONMENTS)


def _importable(root: Path, folder: str) -> Iterator[str]:
    """What can be imported from a folder of modules, also where git ignores it."""
    with contextlib.suppress(OSError), os.scandir(root / folder) as entries:
        for entry in entries:
            if entry.name.endswith(_IMPORTED) and entry.is_file():
                yield os.path.join(folder, entry.name)


def _is_new_source(root: Path, name: str) -> bool:
    """Whether git will be told of a file, as far as its name and folder can say."""
    folders = list(Path(name).parents)[:-1]
    if any(_is_no_code(folder.name, root / folder) for folder in folders):
        return False
    return _is_source(name) or (root / name).is_dir()


def _is_source(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in _SOURCES


def _is_kept_out(name: str) -> bool:
    parts = name.split(os.sep)
    return paths.STORE in parts or parts[-1] == ".env" or parts[-1].startswith(".env.")


def _leads_out(root: Path, path: Path) -> bool:
    return not path.resolve().is_relative_to(root.resolve())


def _stays_link(root: Path, path: Path) -> bool:
    return path.is_symlink() and not _leads_out(root, path)


def _too_much(root: Path) -> str:
    most = f"{LARGEST_TREE // 10**6} MB or {MOST_FILES} files"
    return (
        f"--freeze tree: the sources of {root} are more than {most}\n"
        "have git ignore what is no source, or leave out --freeze tree"
    )


def _copy(root: Path, source: Path, target: Path) -> None:
    if _stays_link(root, source):
        to = source.resolve() if os.path.isabs(os.readlink(source)) else None
        there = os.path.relpath(to, source.parent.resolve()) if to else os.readlink(source)
        os.symlink(there, target)
        return
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with source.open("rb") as reading:
        mode = os.fstat(reading.fileno()).st_mode
        if not stat.S_ISREG(mode):
            return
        with os.fdopen(os.open(target, flags, files.FILE_MODE), "wb") as writing:
            if not _shares_blocks(reading.fileno(), writing.fileno()):
                import shutil

                shutil.copyfileobj(reading, writing, 1 << 20)
            os.fchmod(writing.fileno(), files.FILE_MODE | (mode & stat.S_IXUSR))


def _shares_blocks(source: int, target: int) -> bool:
    import fcntl

    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError:  # another file system, or one that can't
        return False
    return True


def frozen_files(folder: Path) -> Iterable[str]:
    """What lies in a frozen tree, without what its runs have compiled."""
    for at, folders, names in os.walk(folder):
        folders[:] = sorted(set(folders) - {"__pycache__"} - _links(at, folders))
        for name in sorted((*names, *_links(at, os.listdir(at)))):
            yield os.path.relpath(os.path.join(at, name), folder)


def _links(at: str, names: Sequence[str]) -> set[str]:
    """Those of the names that are links to folders."""
    found = {name for name in names if os.path.islink(os.path.join(at, name))}
    return {name for name in found if os.path.isdir(os.path.join(at, name))}
