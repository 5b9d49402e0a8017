"""The plan of a batch, `plan.jsonl`: one line a run, in the order in which they start."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from nbbg.errors import StoreError
from nbbg.files import to_line
from nbbg.model import Planned

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


def to_bytes(plan: Iterable[Planned]) -> bytes:
    """The content of `plan.jsonl`."""
    return b"".join(
        to_line({"id": run.id, "arm": run.arm, "number": run.number, "seed": run.seed})
        for run in plan
    )


def read(path: Path) -> Iterator[Planned]:
    """The runs of a plan, one at a time, however long it is."""
    with path.open("rb") as file:
        for line in file:
            yield _parse(path, line)


def find(path: Path, run: int) -> Planned:
    """One run of a plan, by bisection over the file: ids rise from line to line.

    Raises:
        StoreError: the plan has no such run.
    """
    with path.open("rb") as file:
        low, high = 0, file.seek(0, 2)
        while low < high:
            middle = (low + high) // 2
            file.seek(middle)
            if middle:
                file.seek(middle - 1)
                file.readline()  # to the beginning of the first line at or after the middle
            start = file.tell()
            line = file.readline()
            found = _parse(path, line) if line else None
            if found and found.id == run:
                return found
            if found is None or found.id > run:
                high = middle
            else:
                low = start + len(line)
    message = f"{path} has no run {run}"
    raise StoreError(message)


def _parse(path: Path, line: bytes) -> Planned:
    try:
        record = json.loads(line)
        return Planned(record["id"], record["arm"], record["number"], record["seed"])
    except (ValueError, KeyError, TypeError) as error:
        message = f"{path} can't be read: {error}"
        raise StoreError(message) from error
