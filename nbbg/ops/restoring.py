"""`nbbg restore`: the code of a run as it was at launch, into files that are not there yet."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from nbbg import paths
from nbbg.classes import dataclass
from nbbg.errors import NotebookError, UsageError
from nbbg.notebook import document
from nbbg.notebook.userfiles import NOTEBOOK, SCRIPT
from nbbg.ops import freezing
from nbbg.store import composed

if TYPE_CHECKING:
    from nbbg import model
    from nbbg.ops.project import Project

_PERCENT = {"extension": SCRIPT, "format_name": "percent", "comment_magics": False}


@dataclass(frozen=True)
class Restored:
    """What was written, and sentences about the rest."""

    path: Path
    notes: tuple[str, ...]


def restore(
    where: Project, batch: model.Batch, run: model.Run, output: str, *, tree: bool
) -> Restored:
    """Give back a run's notebook, or the whole frozen tree.

    Args:
        where: the project.
        batch: the run's.
        run: whose code.
        output: the folder that it goes into, in which it lies as in the project; empty: beside
            the notebook, under a name of its own, or a new folder for a tree.
        tree: whether all that was frozen is wanted.

    Raises:
        UsageError: there is something in its place, or no tree was frozen.
    """
    notes = tuple(_of_commit(where, batch, run))
    if tree:
        if "tree" not in batch.facts:
            message = f"run {run.id}: its notebook alone was frozen; --freeze tree keeps the rest"
            raise UsageError("\n".join((message, *notes)))
        return Restored(_tree(where, run, Path(output or f"restored-{run.id}")), ())
    if "tree" in batch.facts:
        notes = (f"the project's sources: nbbg restore {run.id} --tree",)
    name, data = _notebook(where.store.batch(batch.id), run.arm)
    target = _place(where, run, name, output)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        _write(target, data)
    except FileExistsError:
        message = f"{target} is there already\nname a folder: nbbg restore {run.id} -o FOLDER"
        raise UsageError(message) from None
    return Restored(target, notes)


def _place(where: Project, run: model.Run, name: str, output: str) -> Path:
    own = Path(run.arm.notebook).with_name(name)
    if output:
        return Path(output) / (own.name if _is_outside(own) else own)
    folder = (where.root / own).parent
    stem, suffix = os.path.splitext(name)
    return (folder if folder.is_dir() else Path()) / f"{stem}_frozen{run.id}{suffix}"


def _notebook(batch: Path, arm: model.Arm) -> tuple[str, bytes]:
    """The frozen notebook in the form that it was launched in: file name and content."""
    name = os.path.basename(arm.notebook)
    tree = batch / paths.TREE_FOLDER / arm.notebook
    if tree.is_file() and not os.path.isabs(arm.notebook):
        with contextlib.suppress(NotebookError):
            if document.load(tree).source_hash == arm.source:
                return name, tree.read_bytes()
    notebook = composed.read_frozen(batch, arm)
    if name.endswith(SCRIPT):
        from nbbg.notebook import scripts

        text = scripts.writes(notebook, Path(name), _PERCENT)
        back = scripts.literally(text, Path(name), _PERCENT)
        if document.source_hash(back) == document.source_hash(notebook):
            return name, text.encode()
        name = name.removesuffix(SCRIPT) + NOTEBOOK  # no script would say the same
    return name, composed.to_bytes(notebook)


def _tree(where: Project, run: model.Run, target: Path) -> Path:
    """Write the whole tree beside, and put it in place by one rename."""
    if target.is_symlink() or (target.exists() and (not target.is_dir() or os.listdir(target))):
        message = f"{target} is there already"
        raise UsageError(f"{message}\nname another: nbbg restore {run.id} --tree -o FOLDER")
    batch = where.store.batch(run.batch)
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.absolute().with_name(f".{target.name}.{os.urandom(4).hex()}")
    beside.mkdir()
    try:
        for name in freezing.frozen_files(batch / paths.TREE_FOLDER):
            source, copy = batch / paths.TREE_FOLDER / name, beside / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            if source.is_symlink():
                os.symlink(os.readlink(source), copy)
            else:
                _write(copy, source.read_bytes(), runs=os.access(source, os.X_OK))
        _add_notebook(batch, run.arm, beside)
        os.rename(beside, target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return target


def _add_notebook(batch: Path, arm: model.Arm, folder: Path) -> None:
    """Git may have ignored the notebook, and what ran is what was frozen of it."""
    name, data = _notebook(batch, arm)
    path = folder / (name if _is_outside(Path(arm.notebook)) else arm.notebook)
    path = path.with_name(name)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, data)


def _is_outside(notebook: Path) -> bool:
    """Whether a notebook lay outside of its project."""
    return notebook.is_absolute() or ".." in notebook.parts


def _write(path: Path, data: bytes, *, runs: bool = False) -> None:
    """Write a file of the user's, as their umask has it, and only where there is none."""
    mode = 0o777 if runs else 0o666
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(fd, "wb") as file:
        file.write(data)


def _of_commit(where: Project, batch: model.Batch, run: model.Run) -> list[str]:
    """How to have the commit, and what differed from it."""
    commit = batch.facts.get("commit")
    if not commit:
        return []
    folder = shlex.quote(f"../{where.root.name}-{run.id}")
    lines = ["its commit:", f"  git worktree add {folder} {commit}"]
    diff = where.store.batch(batch.id) / paths.DIRTY
    if diff.exists():
        lines.append(f"  git -C {folder} apply {shlex.quote(str(diff))}")
    return lines
