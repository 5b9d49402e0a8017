"""Many notebooks and scripts paired, synced, converted and checked; one that is bad stops no other.

The records of what both sides of a pair said lie in the store, `.nbbg/pairs/`, one small file a
script, named by its path in the project. Without a store that can be written nothing is recorded,
and a pair whose sides differ then waits for a person.
"""

from __future__ import annotations

import contextlib
import hashlib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from nbbg import files, paths
from nbbg.classes import dataclass
from nbbg.errors import NbbgError, NotebookError, StoreError
from nbbg.notebook import (
    calling,
    checking,
    conversion,
    pairing,
    quick,
    records,
    scripts,
    userfiles,
)
from nbbg.notebook.records import Record
from nbbg.ops import forked, project
from nbbg.ops.stamps import Stamps
from nbbg.runner import environment
from nbbg.store import place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from nbbg.notebook.pairing import Side
    from nbbg.notebook.writing import Report
    from nbbg.store.place import Store

WORTH_FORKING = 8  # files


@dataclass(frozen=True)
class Outcome:
    """What became of one file."""

    path: Path
    report: Report | None = None  # None where there was nothing to write
    refused: str = ""  # the reason, one or two lines


class Records:
    """The memory of the projects that files belong to."""

    def __init__(self, here: Path | None = None) -> None:
        self._here = place.find_root(here or Path.cwd())
        self._stores: dict[Path, Store] = {}
        self._noted: dict[Path, Stamps] = {}

    def covers(self, path: Path) -> bool:
        """Whether a file belongs to its project; a link may lead out of it."""
        root = self._root(path)
        return not path.is_relative_to(root) or path.resolve().is_relative_to(root)

    def recall(self, text: Path) -> Record | None:
        """The record of a script, or None where there is none that can be read."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, StoreError):
            store = self._store(text)
            with files.Folder(store.folder / paths.PAIRS) as folder:
                found = folder.read_json(_name(store, text))
            if found:
                commands = frozenset(map(str, found["commands"]))
                book = store.root / found["book"]
                return Record(records.place(text), book, str(found["said"]), commands)
        return None

    def remember(self, record: Record) -> None:
        """Keep a record; where the project can't be written, do nothing."""
        with contextlib.suppress(OSError, StoreError):
            store = self._store(record.text)
            place.make(store)
            files.make_folder(store.folder / paths.PAIRS)
            with files.Folder(store.folder / paths.PAIRS) as folder:
                value = {
                    "text": _inside(store, record.text),
                    "book": _inside(store, record.book),
                    "said": record.said,
                    "commands": sorted(record.commands),
                }
                folder.replace(_name(store, record.text), files.to_json(value))

    def untouched(self, path: Path, to: str) -> Report | None:
        """What converting a file again would say, where none of its files was touched since."""
        with contextlib.suppress(OSError, StoreError):
            return self._stamps(path, to).unchanged(pairing.absolute(path))
        return None

    def note(self, path: Path, to: str, report: Report) -> None:
        """Note the files of a conversion as it has left them."""
        with contextlib.suppress(OSError, StoreError):
            self._stamps(path, to).note(pairing.absolute(path), report)

    def save(self) -> None:
        """Keep what was noted."""
        for stamps in self._noted.values():
            stamps.save()

    def _stamps(self, path: Path, to: str) -> Stamps:
        store = self._store(pairing.absolute(path))
        if store.root not in self._noted:
            self._noted[store.root] = Stamps(store, to)
        return self._noted[store.root]

    def _root(self, path: Path) -> Path:
        if path.is_relative_to(self._here) or not path.parent.is_dir():
            return self._here
        return place.find_root(path.parent)

    def _store(self, path: Path) -> Store:
        root = self._root(records.place(path))
        if root not in self._stores:
            self._stores[root] = project.to_read(root).store
        return self._stores[root]


def convert(
    found: Iterable[Path], to: str = "", output: Path | None = None, *, dry: bool = False
) -> Iterator[Outcome]:
    """Convert files to the other kind, one outcome each; see `conversion.convert`."""
    memory = Records()
    work = partial(conversion.convert, memory=memory, to=to, output=output, dry=dry)
    found = list(found)
    with calling.one_configuration():
        if output or len(found) < WORTH_FORKING:
            yield from each(found, work)
        else:
            yield from _touched(found, work, memory, to)


def _touched(
    found: list[Path], work: Callable[[Path], Report | None], memory: Records, to: str
) -> Iterator[Outcome]:
    """The outcomes of all, for which only those are worked on that were touched since the last."""
    known = {path: report for path in found if (report := memory.untouched(path, to))}
    results = _together([path for path in found if path not in known], work)
    try:
        for path in found:
            outcome = Outcome(path, known[path]) if path in known else next(results)
            if outcome.report and path not in known:
                memory.note(path, to, outcome.report)
            yield outcome
    finally:
        memory.save()


def pair(
    found: Iterable[Path], formats: Callable[[Path], str], *, dry: bool = False
) -> Iterator[Outcome]:
    """Pair files, with the formats that the function says for each; see `pairing.pair`."""
    memory = Records()
    return each(found, lambda path: pairing.pair(path, memory, formats(path), dry=dry))


def sync(
    found: Iterable[Path], side: Side | None = None, *, dry: bool = False
) -> Iterator[Outcome]:
    """Bring pairs into step, one outcome a pair, also where both halves are named."""
    memory = Records()
    return _once(found, lambda path: pairing.sync(path, memory, side, dry=dry))


def check(found: Iterable[Path]) -> Iterator[Outcome]:
    """Check files, one outcome a pair; see `checking.check`."""
    memory = Records()
    return _once(found, lambda path: checking.check(path, memory))


def diff(path: Path) -> list[str]:
    """What differs between the two of a pair; see `checking.diff`."""
    return checking.diff(path, Records())


def each(found: Iterable[Path], work: Callable[[Path], Report | None]) -> Iterator[Outcome]:
    """Do the work for each file; what one of them raises is its outcome."""
    for path in found:
        try:
            yield Outcome(path, work(path))
        except NbbgError as error:
            yield Outcome(path, refused=str(error))
        except (OSError, RecursionError, MemoryError) as error:
            yield Outcome(path, refused=f"{path}: {type(error).__name__} {error}")
        finally:
            scripts.forget()  # no memory is kept for more than one notebook


def _in_a_worker(paths: list[Path], work: Callable[[Path], Report | None]) -> list[Outcome]:
    # Only here, in a process that does nothing else, and not in the one of whoever called us.
    quick.use()
    return list(each(paths, work))


def _together(found: list[Path], work: Callable[[Path], Report | None]) -> Iterator[Outcome]:
    """As `each`, on all cores where that is worth it.

    Files of the same name, whose conversions may meet in one file, take turns in one process.
    """
    if len(found) < WORTH_FORKING or (cores := environment.cpus()) < 2:  # noqa: PLR2004 - the word
        yield from each(found, work)
        return
    calling.warm()
    groups: dict[str, list[Path]] = {}
    for path in found:
        groups.setdefault(path.name.partition(".")[0], []).append(path)
    results = forked.run(
        list(groups.values()),
        lambda paths: _in_a_worker(paths, work),
        lambda paths, how: [Outcome(path, refused=_lost(path, how)) for path in paths],
        cores,
    )
    known: dict[Path, Outcome] = {}
    with contextlib.closing(results):
        for path in found:
            while path not in known:
                known.update((outcome.path, outcome) for outcome in next(results))
            yield known.pop(path)


def _lost(path: Path, how: str) -> str:
    return f"{userfiles.shown(path)}: the process that converted it {how}; try it alone"


def _once(found: Iterable[Path], work: Callable[[Path], Report | None]) -> Iterator[Outcome]:
    """As `each`, without those that belong to a pair which has had its turn."""
    done: set[Path] = set()
    for path in found:
        if pairing.absolute(path) in done:
            continue
        for outcome in each([path], work):
            if outcome.report:
                done.update(outcome.report.files)
            elif outcome.refused:
                with contextlib.suppress(NotebookError):
                    both = pairing.declared(pairing.absolute(path))
                    done.update(both.files if both else ())
            yield outcome


def _inside(store: Store, path: Path) -> str:
    root = store.root
    return str(path.relative_to(root) if path.is_relative_to(root) else path)


def _name(store: Store, text: Path) -> str:
    inside = _inside(store, records.place(text))
    return f"{hashlib.sha256(inside.encode(errors='surrogateescape')).hexdigest()[:32]}.json"
