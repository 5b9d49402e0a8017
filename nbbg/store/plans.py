"""The plan of a batch, `plan.jsonl`: one line a run, in the order in which they start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbbg.errors import StoreError
from nbbg.files import to_line
from nbbg.model import Planned
from nbbg.store import kinds, lines
from nbbg.store.arms import Arms

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from nbbg import model

_KEY = lines.NUMBER  # rises from line to line


def to_bytes(plan: Iterable[Planned]) -> bytes:
    """The content of `plan.jsonl`."""
    return b"".join(
        to_line({"id": run.id, "arm": run.arm, "number": run.number, "seed": run.seed})
        for run in plan
    )


def read(path: Path, first: int = 0) -> Iterator[Planned]:
    """The runs of a plan from id `first` on, one at a time, however long it is."""
    for record in lines.read(path, _KEY, first):
        yield _planned(path, record)


def whole(path: Path, batch: model.Batch) -> Iterator[Planned]:
    """The runs of a batch, every one of them.

    Raises:
        StoreError: some are missing, or are not those that the batch has.
    """
    few = not isinstance(batch.arms, Arms)  # many are looked up when they are wanted
    wanted = batch.first
    for run in read(path):
        if run.id != wanted or (few and run.arm not in batch.arms):
            message = f"{path} can't be read: it has a run {run.id} of {run.arm} in a wrong place"
            raise StoreError(message)
        wanted += 1
        yield run
    if wanted != batch.last + 1:
        message = f"{path} can't be read: it lacks runs {wanted} to {batch.last}"
        raise StoreError(message)


def find(path: Path, run: int) -> Planned:
    """One run of a plan, by bisection over the file.

    Raises:
        StoreError: the plan has no such run.
    """
    record = lines.find(path, _KEY, run)
    if record is None:
        message = f"{path} has no run {run}"
        raise StoreError(message)
    return _planned(path, record)


def _planned(path: Path, record: lines.Record) -> Planned:
    try:
        planned = Planned(record["id"], record["arm"], record["number"], record["seed"])
    except KeyError as error:
        message = f"{path} can't be read: {error}"
        raise StoreError(message) from error
    numbers = (planned.id, planned.number, planned.seed)
    are_numbers = all(type(number) is int and abs(number) < kinds.BEYOND for number in numbers)
    if not are_numbers or not isinstance(planned.arm, str):
        message = f"{path} can't be read: {planned}"
        raise StoreError(message)
    return planned
