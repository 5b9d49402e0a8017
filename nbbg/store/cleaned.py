"""Runs whose files were cleaned away: what stays of them, and the steps by which they go.

`cleaned.json` in the folder of a run keeps how it ended and what it measured; from then on the
run is never started again. First it is written, then each attempt is moved into `trash/b3-12/`,
which was made before, and at last that is removed. So a clean that was killed leaves a run whole,
or cleaned, and a folder in the trash that tells the next one to finish it.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from typing import TYPE_CHECKING, Any

from nbbg import files, model, paths
from nbbg.classes import replace
from nbbg.errors import StoreError
from nbbg.store import batches, locks, metrics, policy, reading, runs, sizes, state

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from nbbg.store.place import Store

_NAME = re.compile(r"b(\d+)-(\d+)")
WAIT = 0.1  # seconds
_ROOM = 1 << 15  # bytes
_ANY = {"state": model.Succeeded.word}


@contextlib.contextmanager
def alone(store: Store, *, waits: bool = True) -> Iterator[None]:
    """While this holds, nobody else cleans the store; waits for whoever does.

    Raises:
        StoreError: the store can't be written; somebody cleans it, and that is not waited for.
    """
    trash = store.folder / paths.TRASH
    try:
        files.make_folder(trash)
        with files.Folder(trash) as folder:
            fd = folder.open(paths.LOCK, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        message = f"{trash} can't be written: {error.strerror}; nothing was cleaned"
        raise StoreError(message) from error
    try:
        while not locks.take(fd):
            if not waits:
                message = f"somebody cleans {store.folder} at this moment"
                raise StoreError(message)
            time.sleep(WAIT)
        yield
    finally:
        os.close(fd)


def why_not(store: Store, batch: model.Batch, run: model.Run) -> str:
    """Why the files of a run can't go, as its records are now; empty where they can."""
    newest = runs.newest_attempt(store.run(run.batch, run.id))
    if newest != run.attempt:
        return "it was set going again" if newest > run.attempt else "it was cleaned meanwhile"
    with files.Folder(run.folder) as attempt:
        found = state.derive(attempt)
        if not isinstance(found, model.Ended | model.Lost):
            return f"it is {found.word}"
        if state.is_held(attempt):
            return "its processes are just ending"
        if policy.again(batch, newest, found, attempt.path):
            return "another attempt follows by itself"
    return ""


def make_room(store: Store, found: Iterable[tuple[model.Batch, model.Run]]) -> int:
    """On a full disk, where even a record has no room, the logs of what is to go give it some.

    So that `clean` works when it is needed most. Nothing is changed where there is room. How many
    bytes that has freed.
    """
    freed = 0
    for batch, run in found:
        if not _is_full(store):
            break
        if not why_not(store, batch, run):
            for number in range(1, run.attempt + 1):
                for name in (paths.LOG, paths.CELLS):
                    freed += _empty(store.run(run.batch, run.id) / str(number), name)
    return freed


def _is_full(store: Store) -> bool:
    """Whether a few records would have no room; by trying, for a quota shows in no other way."""
    with files.Folder(store.folder) as folder:
        name = f".room.{os.urandom(8).hex()}"
        try:
            with os.fdopen(folder.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as file:
                file.write(bytes(_ROOM))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            return files.is_full(error)
        finally:
            with contextlib.suppress(OSError):
                os.unlink(name, dir_fd=folder.fd)
    return False


def _empty(attempt: Path, name: str) -> int:
    with contextlib.suppress(OSError), files.Folder(attempt) as folder:
        fd = folder.open(name, os.O_WRONLY)
        try:
            freed = os.fstat(fd).st_blocks * 512
            os.ftruncate(fd, 0)
            return freed
        finally:
            os.close(fd)
    return 0


def clean(store: Store, batch: model.Batch, run: model.Run, *, checkpoint: bool) -> int:
    """Take away the files of a run that is over; how many bytes that has freed.

    Args:
        store: of which nobody else cleans anything now.
        batch: the run's.
        run: as the index knows it.
        checkpoint: whether what its attempts share goes too.

    Raises:
        StoreError: it is not over, or it was set going meanwhile; all of it is there.
    """
    if run.cleaned_at is None and (why := why_not(store, batch, run)):
        raise StoreError(f"run {run.id} stays: {why}")
    trash = store.folder / paths.TRASH / f"{batch.name}-{run.id}"
    files.make_folder(trash)
    with files.Folder(store.run(run.batch, run.id)) as folder:
        with contextlib.suppress(FileExistsError):
            folder.write_once(paths.CLEANED, files.to_json(_record(run)))
        # A retry makes its attempt, and then looks for this record: one of the two sees the other.
        newest = runs.newest_attempt(store.run(run.batch, run.id))
        if newest != run.attempt and run.cleaned_at is None:
            folder.remove(paths.CLEANED)
            trash.rmdir()
            raise StoreError(f"run {run.id} stays: it was set going again")
    if checkpoint:
        _move(store.run(run.batch, run.id) / paths.CHECKPOINT, trash)
    return _finish(store, run.batch, run.id, trash)


def finish_all(store: Store) -> int:
    """Finish what a clean that was killed has begun; how many bytes that has freed."""
    freed = 0
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(store.folder / paths.TRASH):
            if found := _NAME.fullmatch(name):
                trash = store.folder / paths.TRASH / name
                freed += _finish(store, int(found[1]), int(found[2]), trash)
    return freed


def unfinished(store: Store) -> int:
    """How many runs a clean that was killed has left behind half removed."""
    with contextlib.suppress(FileNotFoundError):
        return sum(bool(_NAME.fullmatch(name)) for name in os.listdir(store.folder / paths.TRASH))
    return 0


def read(store: Store, run: model.Run, plan: model.Planned, batch: model.Batch) -> model.Run:
    """A run that has no attempt, with what a clean has kept of it, if there was one.

    Raises:
        ValueError, KeyError, StoreError: its record can't be read.
    """
    with contextlib.suppress(FileNotFoundError), files.Folder(store.run(run.batch, run.id)) as at:
        if record := at.read_json(paths.CLEANED):
            kept = runs.planned(store, batch, plan, int(record["attempt"]))
            ending = record["run"]["ending"]
            if ending["state"] != model.Lost.word:
                return runs.from_json(kept, record["run"])
            found = runs.from_json(kept, {**record["run"], "ending": _ANY})
            return replace(found, state=model.Lost(str(ending["why"])))
    return run


def was(folder: Path) -> bool:
    """Whether the run in that folder was cleaned."""
    return os.path.exists(folder / paths.CLEANED)


def _record(run: model.Run) -> dict[str, Any]:
    spans = run.spans or metrics.spans(run.folder)  # of one that resumed they are not in the index
    kept = replace(run, cleaned_at=time.time(), bytes=0, spans=spans)
    return {"attempt": run.attempt, "run": runs.to_json(kept)}


def _finish(store: Store, batch: int, run: int, trash: Path) -> int:
    """Move what is left of the run's attempts, tell the index, and empty the trash."""
    home = store.run(batch, run)
    if was(home):
        with files.Folder(home) as folder:
            record = folder.read_json(paths.CLEANED) or {}
        attempt = int(record["attempt"])
        for number in range(1, attempt + 1):
            _move(home / str(number), trash)
        files.fsync_folder(home)
        kept = record["run"] if len(files.to_json(record)) <= reading.LONGEST else None
        batches.add_event(store, batch, "cleaned", run, attempt, kept)
    return sizes.of(trash) - _remove(trash)


def _remove(trash: Path) -> int:
    """Remove a folder, also what a notebook has made read-only in it; bytes that stay."""
    import shutil

    for folder, _, _ in os.walk(trash):  # from the top: one that can't be read hides the rest
        with contextlib.suppress(OSError):
            os.chmod(folder, files.FOLDER_MODE)
    shutil.rmtree(trash, ignore_errors=True)
    return sizes.of(trash)


def _move(path: Path, trash: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.rename(path, trash / path.name)
