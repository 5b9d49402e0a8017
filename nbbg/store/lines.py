"""One record of a `.jsonl` file whose records rise by a key, found without reading the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

from nbbg import files
from nbbg.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Record = dict[str, Any]
NUMBER = "id"  # the key that is a whole number; others are texts


def find(path: Path, key: str, wanted: Any) -> Record | None:
    """The record whose `key` is that; None where there is none.

    Raises:
        StoreError: a line on the way can't be read.
    """
    with open(path, "rb", opener=files.opener) as file:
        line = _sought(file, path, key, wanted)
    record = parse(path, line, key) if line else None
    return record if record and record[key] == wanted else None


def read(path: Path, key: str, first: Any = None) -> Iterator[Record]:
    """All records from the key `first` on, one at a time, however many there are.

    Raises:
        StoreError: a line can't be read.
    """
    with open(path, "rb", opener=files.opener) as file:
        if first:
            line = _sought(file, path, key, first)
            if not line:
                return
            yield parse(path, line, key)
        for line in file:
            yield parse(path, line, key)


def _sought(file: BinaryIO, path: Path, key: str, wanted: Any) -> bytes:
    try:
        return _seek(file, path, key, wanted)
    except TypeError as error:  # a key that is no text, or no number
        message = f"{path} can't be read: {error}"
        raise StoreError(message) from error


def _seek(file: BinaryIO, path: Path, key: str, wanted: Any) -> bytes:
    """The first line whose key is not less, by bisection over the bytes; the file after it."""
    low, high = 0, file.seek(0, 2)
    while low < high:
        middle = (low + high) // 2
        file.seek(middle)
        if middle:
            file.seek(middle - 1)
            file.readline()  # to the beginning of the first line at or after the middle
        start = file.tell()
        line = file.readline()
        if line and parse(path, line, key)[key] < wanted:
            low = start + len(line)
        else:
            high = middle
    file.seek(low)
    return file.readline()


def offsets(path: Path, key: str) -> dict[Any, int]:
    """Where the line of each key begins.

    Raises:
        StoreError: a line can't be read.
    """
    found, start = {}, 0
    with open(path, "rb", opener=files.opener) as file:
        for line in file:
            found[parse(path, line, key)[key]] = start
            start += len(line)
    return found


def parse(path: Path, line: bytes, key: str) -> Record:
    """The record of a line.

    Raises:
        StoreError: it is none, or has no such key.
    """
    try:
        record: Record = files.from_json(line)
        found = record[key]
    except (ValueError, KeyError, TypeError) as error:
        message = f"{path} can't be read: {error}"
        raise StoreError(message) from error
    if not isinstance(found, int if key == NUMBER else str):
        message = f"{path} can't be read: {key!r} can't be {found!r}"
        raise StoreError(message)
    return record
