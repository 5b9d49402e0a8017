"""Which runs a person means: `12` a run, `b3` a batch, `train` an arm, `arm:12` an arm for sure.

An arm's runs are those that count: where a number was run anew, the newest. After a sweep, whose
arms are `train/lr=0.1` and so on, `train` means all of them, unless there is such an arm itself.
"""

from __future__ import annotations

import bisect
import re
from typing import TYPE_CHECKING

from nbbg.errors import StoreError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nbbg import model
    from nbbg.index import Index


DIGITS = 19  # that SQLite can't hold any more
PAGE = 500  # runs
SOME = 8  # arms that are named
MOST = 1000  # arms that are looked through for those


def select(index: Index, names: Iterable[str]) -> list[model.Run]:
    """The runs that the names mean, each once, by id.

    Raises:
        UsageError: a name means nothing here.
    """
    found: dict[int, model.Run] = {}
    for name in names:
        found.update((run.id, run) for run in _of(index, name))
    return [found[number] for number in sorted(found)]


def numbers(index: Index, names: Iterable[str]) -> list[int]:
    """The ids alone of what `select` finds, so that a whole batch costs little, however large.

    Raises:
        UsageError: a name means nothing here.
    """
    found: set[int] = set()
    for name in names:
        whole = index.ids("batch = ?", (int(name[1:]),)) if is_batch(name) else []
        found.update(whole or (run.id for run in _of(index, name)))
    return sorted(found)


class Runs:
    """What the names mean, read when it is gone through, a page at a time."""

    def __init__(self, index: Index, names: Iterable[str]) -> None:
        self._index = index
        self.ids = numbers(index, names)

    def __iter__(self) -> Iterator[model.Run]:
        for start in range(0, len(self.ids), PAGE):
            page = ",".join(map(str, self.ids[start : start + PAGE]))
            yield from self._index.runs(f"id IN ({page})")

    def touch(self, batch: model.Batch) -> bool:
        """Whether any is of that batch."""
        position = bisect.bisect_left(self.ids, batch.first)
        return position < len(self.ids) and self.ids[position] <= batch.last


def one(index: Index, name: str) -> model.Run:
    """The run that a name means; of an arm or a batch, the newest.

    Raises:
        UsageError: it means nothing here.
    """
    return _of(index, name)[-1]


def batches(index: Index, names: Iterable[str], instead: str) -> list[model.Batch]:
    """The batches that the names mean, each once.

    Args:
        index: of the project.
        names: as they were typed.
        instead: what to type where a name is none of a batch.

    Raises:
        UsageError: a name is none of a batch, or there is no such batch.
    """
    for name in names:
        if not is_batch(name):
            message = f"{name} is no batch, such as b3\n{instead}"
            raise UsageError(message)
        _of(index, name)
    return [index.batch(number) for number in sorted({int(name[1:]) for name in names})]


def is_batch(name: str) -> bool:
    """Whether a name is written as a batch's."""
    return re.fullmatch(r"b\d{1,18}", name) is not None


def _of(index: Index, name: str) -> Sequence[model.Run]:
    if re.fullmatch(r"\d+", name):
        run = index.run(int(name)) if len(name) < DIGITS else None
        if run is not None:
            return [run]
    elif is_batch(name):
        if found := index.runs("batch = ?", (int(name[1:]),)):
            return found
        if why := index.unreadable.get(int(name[1:])):
            raise StoreError(why)
    elif _is_text(name) and (found := _of_arm(index, name.removeprefix("arm:"))):
        return found
    raise UsageError("\n".join((_nothing(index, name), *index.unreadable.values())))


def _of_arm(index: Index, name: str) -> list[model.Run]:
    stem = name.rstrip("/")
    found = index.runs("arm = ?", (name,)) or index.runs(
        "arm >= ? AND arm < ?",
        (f"{stem}/", f"{stem}0"),  # 0 follows / in ASCII
    )
    newest = {(run.arm.name, run.number): run for run in found}
    return sorted(newest.values(), key=lambda run: run.id)


def _is_text(name: str) -> bool:
    """Whether what was typed is UTF-8; names of arms are."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _nothing(index: Index, name: str) -> str:
    arms = index.some_arms(MOST)
    if not arms:
        nothing = "nothing was launched in this project yet\nlaunch: nbbg run NOTEBOOK"
        return f"there is no {name!r}: {nothing}"
    batches = index.batches()
    last = batches[-1]
    runs = f"runs 1 to {last.last}" if last.last > 1 else "run 1"
    ids = f"batches b1 to b{last.id}" if last.id > 1 else "batch b1"
    named = _alike(name, arms)[:SOME]
    some = ", ".join(named) + (", ..." if len(arms) > len(named) else "")
    return (
        f"there is no {name!r}; there {'are' if last.last > 1 else 'is'} {runs}, {ids},"
        f" {'arms' if arms[1:] else 'arm'} {some}\nsee them: nbbg status"
    )


def _alike(name: str, arms: list[str]) -> list[str]:
    """Those that may have been meant, else all."""
    import difflib

    holding = [arm for arm in arms if name and name in arm]
    return holding or difflib.get_close_matches(name, arms, SOME) or arms
