"""The arms of a batch on disk: a few stand in `batch.json`, many in a file of their own.

`arms.jsonl` has one line an arm, by name, with what it has for itself; what all have in common
stands in `batch.json`. So a batch of 100,000 arms is opened as fast as one of two, and an arm is
found by bisection. Paths in the project are relative, so that it can be moved and copied.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from nbbg import files, model, paths
from nbbg.classes import fields
from nbbg.errors import StoreError
from nbbg.store import kinds, lines

if TYPE_CHECKING:
    from pathlib import Path

    from nbbg.store.lines import Record

FEW = 100  # arms that stand in `batch.json`, in the order in which they were asked for
REMEMBERED = 256  # arms that are held at a time
_PLACES = ("cwd", "output", "python")
_KEY = "name"
_OWN = ("name", "params")  # never shared: 1, 1.0 and True are equal, and not the same
_FIELDS = frozenset(field.name for field in fields(model.Arm))


class Arms(Mapping[str, model.Arm]):
    """The arms of a large batch, read when they are asked for; in the order of their names."""

    def __init__(self, folder: Path, count: int, common: Mapping[str, Any], root: str) -> None:
        self._path, self._count = folder / paths.ARMS, count
        self._common, self._root = common, root
        self._held: dict[str, model.Arm] = {}
        self._missed = 0  # look-ups in the file
        self._offsets: dict[str, int] = {}  # of the lines, once many were looked up

    def __getitem__(self, name: str) -> model.Arm:
        if name not in self._held:
            self._missed += 1
            record = self._look_up(name)
            if record is None:
                raise KeyError(name)
            if len(self._held) >= REMEMBERED:
                self._held.clear()
            self._held[name] = self._arm(record)
        return self._held[name]

    def __iter__(self) -> Iterator[str]:
        return (record[_KEY] for record in lines.read(self._path, _KEY))

    def __len__(self) -> int:
        return self._count

    def __repr__(self) -> str:
        return f"<{self._count} arms in {self._path}>"

    def stream(self) -> Iterator[model.Arm]:
        """Each arm, read once."""
        return (self._arm(record) for record in lines.read(self._path, _KEY))

    def _look_up(self, name: str) -> Record | None:
        """By bisection, and by the place of its line where a reader goes through all of them."""
        if self._missed < REMEMBERED:
            return lines.find(self._path, _KEY, name)
        if not self._offsets:
            self._offsets = lines.offsets(self._path, _KEY)
        if name not in self._offsets:
            return None
        with open(self._path, "rb", opener=files.opener) as file:
            file.seek(self._offsets[name])
            return lines.parse(self._path, file.readline(), _KEY)

    def _arm(self, record: Record) -> model.Arm:
        try:
            return _from_json({**self._common, **record}, self._root)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            message = f"{self._path} can't be read: {error}"
            raise StoreError(message) from error


def each(arms: Mapping[str, model.Arm]) -> Iterator[model.Arm]:
    """Every arm, one at a time."""
    return arms.stream() if isinstance(arms, Arms) else iter(arms.values())


def to_files(arms: Mapping[str, model.Arm], root: Path) -> tuple[Record, dict[str, bytes]]:
    """What `batch.json` says of the arms, and the files beside it."""
    records = [_to_json(arm, root) for arm in arms.values()]
    if len(records) <= FEW:
        return {"arms": {record[_KEY]: record for record in records}}, {}
    common = {name: value for name, value in records[0].items() if name not in _OWN}
    for record in records:
        for name in [name for name, value in common.items() if record[name] != value]:
            del common[name]
    own = [name for name in records[0] if name not in common]
    records.sort(key=lambda record: str(record[_KEY]))
    data = b"".join(files.to_line({name: record[name] for name in own}) for record in records)
    return {"arms": {}, "arm_count": len(records), "arms_share": common}, {paths.ARMS: data}


def from_json(record: Mapping[str, Any], folder: Path, root: str) -> Mapping[str, model.Arm]:
    """The arms of the batch in `folder`, whose `batch.json` says `record`.

    Raises:
        KeyError, TypeError, AttributeError, ValueError: it is no such record.
    """
    if count := record.get("arm_count"):
        if not (folder / paths.ARMS).exists():
            message = f"its {paths.ARMS} is gone"
            raise ValueError(message)
        return Arms(folder, count, record["arms_share"], root)
    return {name: _from_json(arm, root) for name, arm in record["arms"].items()}


def _to_json(arm: model.Arm, root: Path) -> Record:
    record = dict(vars(arm))
    inside = f"{root}{os.sep}"
    for name in _PLACES:
        place = record[name]
        if place == str(root) or place.startswith(inside):
            record[name] = os.path.relpath(place, root)
    return record


def _from_json(record: Mapping[str, Any], root: str) -> model.Arm:
    places = {
        name: os.path.normpath(os.path.join(root, record[name])) for name in _PLACES if record[name]
    }
    for name in ("frozen", "script"):
        _refuse_outside(record.get(name) or "")
    known = {name: value for name, value in record.items() if name in _FIELDS}
    found = {**known, **places, "results": tuple(record.get("results", ()))}
    kinds.check(model.Arm, found)
    return model.Arm(**found)


def _refuse_outside(name: str) -> None:
    """What was frozen lies in the batch."""
    if name.startswith("/") or (".." in name and ".." in name.split("/")):
        message = f"{name} is outside of the batch"
        raise ValueError(message)
