"""Batches: written whole beside the others, then published by one rename to the next number.

Whoever loses the race for a number reads the batch that won, and plans again. So numbers and run
ids are handed out once, without a lock and without a counter.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from typing import TYPE_CHECKING, Any

from nbbg import faults, files, journal, model, paths
from nbbg.classes import asdict, dataclass, fields
from nbbg.errors import StoreError
from nbbg.store import arms, kinds, locks, place, requests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from nbbg.store.place import Store

NOW, AFTER_RUN = "now", "after run"
_TAKEN = (errno.ENOTEMPTY, errno.EEXIST)
_PASSES = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO, errno.ESTALE)
_OF_NBBG = (f"{paths.GUEST}/", f"{paths.TWINS}/")
_ABANDONED = 3600.0  # seconds after which an unpublished launch is swept away


@dataclass(frozen=True)
class Draft:
    """A batch that is not published yet."""

    batch: model.Batch
    plan: Sequence[model.Planned]
    content: Mapping[str, bytes]  # more files: name in the batch -> what is in it
    fill: Callable[[Path], None] | None = None  # puts more into its folder, and fsyncs that


def publish(store: Store, draft: Callable[[int, int], Draft | None]) -> model.Batch | None:
    """Publish what `draft(batch id, first run id)` makes; None where it finds nothing to add.

    Raises:
        StoreError: the store can't be written; nothing is published then.
    """
    _sweep(store)
    while True:
        number, first = next_ids(store)
        made = draft(number, first)
        if made is None:
            return None
        if _put(store, number, made):
            return made.batch


def read(store: Store, number: int) -> model.Batch:
    """A published batch.

    Raises:
        StoreError: there is none of that number, or it can't be read.
    """
    batch = read_folder(store.batch(number))
    if batch.id != number:
        message = f"{store.batch(number)} holds {batch.name}: it was copied or renamed"
        raise StoreError(message)
    return batch


def read_folder(path: Path) -> model.Batch:
    """The batch in a folder, wherever that was carried to.

    Raises:
        StoreError: there is none, or it can't be read.
    """
    for each in (path, path / paths.RUNS):
        if each.is_symlink():
            message = f"{each} is a link, and a store has none"
            raise StoreError(message)
    try:
        with files.Folder(path) as folder:
            record = folder.read_json(paths.BATCH)
        return _from_json(record or {}, path)
    except FileNotFoundError as error:
        message = f"there is no batch b{path.name}"
        raise StoreError(message) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        message = f"{path / paths.BATCH} can't be read: {error}"
        raise StoreError(message) from error


def stop_of(folder: Path) -> tuple[str, float]:
    """Who asked a batch to stop, and when; empty and 0 where nobody did."""
    with files.Folder(folder) as opened:
        try:
            by, at = requests.stop_of(opened)
            return by, at or (time.time() if by else 0.0)
        except (ValueError, OSError) as error:
            if isinstance(error, OSError) and error.errno in _PASSES:
                raise  # nothing is known of the record
            return "somebody", time.time()  # what can't be read is a request all the same


def stopped_by(store: Store, number: int) -> str:
    """Who asked the batch to stop; empty where nobody did."""
    return stop_of(store.batch(number))[0]


def supervisor_pid(folder: Path) -> int | None:
    """Who supervises the batch in that folder; None where nobody does."""
    try:
        lock = os.open(folder / paths.SUPERVISOR_LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:  # what can't be opened can't be held
        return None
    try:
        if not locks.is_held(lock):
            return None
        return int(files.from_json(os.pread(lock, 4096, 0))["pid"])
    except (ValueError, KeyError, TypeError, OSError):
        return None
    finally:
        os.close(lock)


def ask_to_stop(folder: Path, by: str, *, after_run: bool = False) -> bool:
    """Put `stop.json` into a batch or an attempt; False where somebody has asked already."""
    with files.Folder(folder) as opened:
        return put_stop(opened, by, after_run=after_run)


def put_stop(folder: files.Folder, by: str, *, after_run: bool = False) -> bool:
    """The same for an open folder, wherever it was moved to."""
    how = AFTER_RUN if after_run else NOW
    write = folder.write_once if after_run else folder.write_once_if_only_empty
    with contextlib.suppress(FileExistsError):
        write(paths.STOP, files.to_json({"by": by, "how": how, "at": time.time()}))
        return True
    return False


def take_back_stop(store: Store, number: int) -> None:
    """A person says `resume`: the batch's own stop no longer holds."""
    with files.Folder(store.batch(number)) as folder:
        folder.remove(paths.STOP)


def make_caches(folder: Path) -> None:
    """Make the folders in which Python keeps what it compiles, which it would make by the umask.

    Not at launch, where they would be a third of all folders, but by who is first to start runs.
    """
    for name in (paths.GUEST, paths.TWINS, paths.TREE_FOLDER):
        for at, _, names in os.walk(folder / name):
            if any(file.endswith(".py") for file in names):
                with contextlib.suppress(OSError):  # a full disk does without
                    files.make_folder(os.path.join(at, "__pycache__"))


def add_event(
    store: Store,
    number: int,
    event: str,
    run: int,
    attempt: int,
    kept: Mapping[str, Any] | None = None,
    **more: object,
) -> None:
    """Append a hint for the index and for a supervisor that is at work.

    With `kept`, what the index is to keep of a run that has ended: `reading.kept_of`.
    """
    line = {"event": event, "run": run, "attempt": attempt, "time": time.time(), **more}
    if kept:
        line["kept"] = kept
    with files.Folder(store.batch(number)) as folder:
        fd = folder.open(paths.EVENTS, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        try:
            faults.step("before", f"event {event}")
            files.append_line(fd, line)
            faults.step("after", f"event {event}")
        finally:
            os.close(fd)


def next_ids(store: Store) -> tuple[int, int]:
    """The number of the next batch and the id of its first run, if nobody is faster."""
    numbers = store.batch_numbers()
    if not numbers:
        return 1, 1
    return numbers[-1] + 1, read(store, numbers[-1]).last + 1


def _put(store: Store, number: int, draft: Draft) -> bool:
    temporary = store.batches / f".new-{os.urandom(16).hex()}"
    try:
        _fill(temporary, draft, store, number - 1)
        faults.step("before", "publish")
        os.rename(temporary, store.batch(number))
        files.fsync_folder(store.batches)
        faults.step("after", "publish")
    except OSError as error:
        _remove(temporary)
        if error.errno in _TAKEN:
            return False
        why = f"{store.batches} can't be written: {error.strerror}; nothing was launched"
        message = f"{why}\n{place.WHEN_FULL if files.is_full(error) else place.ELSEWHERE}"
        raise StoreError(message) from error
    return True


def to_files(batch: model.Batch, root: Path) -> dict[str, bytes]:
    """The files that say what was asked, by name.

    Args:
        batch: with its arms.
        root: the project's, which paths in it are relative to.
    """
    shared, own = arms.to_files(batch.arms, root)
    return {paths.BATCH: files.to_json({**_to_json(batch), **shared}), **own}


def _fill(folder: Path, draft: Draft, store: Store, before: int) -> None:
    """Write a batch; what it has in common with the batch before of nbbg itself is linked."""
    from nbbg.store import plans

    content = {
        **to_files(draft.batch, store.root),
        paths.PLAN: plans.to_bytes(draft.plan),
        paths.EVENTS: b"",
        **draft.content,
    }
    folders = _folders(content)
    for name in folders:
        files.make_folder(folder / name)
    own = {name for name in content if name.startswith(_OF_NBBG)}
    earlier = store.batch(before)
    new = [
        name
        for name, data in content.items()
        if name not in own or not _link(earlier / name, folder / name, data)
    ]
    for name in new:
        files.write_new(folder / name, content[name], durable=False)
    _put_lock(folder)
    if draft.fill:
        draft.fill(folder)
    files.fsync_all(folder / name for name in (*new, paths.SUPERVISOR_LOCK, *folders))


def _folders(content: Iterable[str]) -> list[str]:
    """The folders of a batch, each after that in which it lies."""
    found = {"", paths.RUNS}
    for name in map(os.path.dirname, content):
        while name not in found:
            found.add(name)
            name = os.path.dirname(name)  # noqa: PLW2901 - upward
    return sorted(found)


def _link(there: Path, path: Path, data: bytes) -> bool:
    """Have a file that an earlier batch has, and that is durable; False where it has not the same.

    Neither batch ever writes in it again.
    """
    with contextlib.suppress(OSError):
        with open(there, "rb", opener=files.opener) as file:
            same = file.read() == data
        if same:
            os.link(there, path)
        return same
    return False


def _put_lock(path: Path) -> None:
    """As every fact and every lock of a run; where that can't be done, it is known before one."""
    with files.Folder(path) as folder:
        folder.write_once(paths.SUPERVISOR_LOCK, b"", durable=False)
        lock = folder.open(paths.SUPERVISOR_LOCK, os.O_RDWR)
        try:
            locks.take(lock)
        except OSError as error:
            raise OSError(error.errno, f"there are no locks ({error.strerror})") from error
        finally:
            os.close(lock)


def _sweep(store: Store) -> None:
    """Remove what launches that died before they were acknowledged left behind."""
    for path in store.batches.glob(".new-*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _ABANDONED:
                _remove(path)


def _remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


def _to_json(batch: model.Batch) -> dict[str, Any]:
    """The record, but for its arms."""
    record = {name: value for name, value in vars(batch).items() if name != "arms"}
    return {**record, "until": asdict(batch.until) if batch.until else None}


def _from_json(record: Mapping[str, Any], folder: Path) -> model.Batch:
    names = {field.name for field in fields(model.Batch)}
    values = {name: value for name, value in record.items() if name in names}
    root = record.get("root") or str(folder.parents[2])
    values["arms"] = arms.from_json(record, folder, root)
    for name in ("command", "results", "retry_on", "options", "preload"):
        values[name] = tuple(values.get(name, ()))
    kinds.check(model.Batch, values)
    if journal.moment(values["created_at"]) is None:
        raise ValueError(f"'created_at' can't be {values['created_at']!r}")
    if until := values.get("until"):
        lists = {name: tuple(until[name]) for name in ("arms", "looks")}
        values["until"] = model.Until(**{**until, **lists})
    if not isinstance(values.get("facts", {}).get("environment", {}), dict):
        raise ValueError("'environment' is no object")  # noqa: TRY004 - of what is in the file
    return model.Batch(**values)
