"""One record of a `.jsonl` file whose records rise by a key, found without reading the others."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from nbbg.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Record = dict[str, Any]


def find(path: Path, key: str, wanted: Any) -> Record | None:
    """The record whose `key` is that, by bisection over the bytes; None where there is none.

    Raises:
        StoreError: a line on the way can't be read.
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
            found = parse(path, line, key) if line else None
            if found and found[key] == wanted:
                return found
            if found is None or found[key] > wanted:
                high = middle
            else:
                low = start + len(line)
    return None


def read(path: Path, key: str) -> Iterator[Record]:
    """All records, one at a time, however many there are.

    Raises:
        StoreError: a line can't be read.
    """
    with path.open("rb") as file:
        for line in file:
            yield parse(path, line, key)


def parse(path: Path, line: bytes, key: str) -> Record:
    """The record of a line.

    Raises:
        StoreError: it is none, or has no such key.
    """
    try:
        record: Record = json.loads(line)
        record[key]
    except (ValueError, KeyError, TypeError) as error:
        message = f"{path} can't be read: {error}"
        raise StoreError(message) from error
    return record
