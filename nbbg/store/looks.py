"""What was seen at each look of a batch that runs until it is decided, and whether that decides.

Each look is a fact of its own, `look-1.json`, `look-2.json` and so on, written once: with the
values that counted, so that no later run or attempt changes what an earlier look has seen.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

from nbbg import files, paths
from nbbg.classes import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from nbbg import model


@dataclass(frozen=True)
class Look:
    """One look that was taken."""

    number: int  # from 1
    over: bool  # nothing more is to be run
    decided: bool
    winner: str  # better than every other arm; empty where none is
    why: str  # a sentence
    at: float  # seconds since the epoch
    values: Mapping[str, Mapping[int, float]] = field(default_factory=dict)  # by arm and seed


def taken(folder: Path, until: model.Until) -> list[Look]:
    """The looks of the batch in that folder that were taken, in order.

    One that can't be read ends the batch: a person must have a look.
    """
    found: list[Look] = []
    with files.Folder(folder) as opened:
        for number in range(1, len(until.looks) + 1):
            look = _read(opened, number, number == len(until.looks))
            if look is None:
                break
            found.append(look)
            if look.over:
                break
    return found


def verdict(folder: Path, until: model.Until) -> Look | None:
    """The look that has ended the batch; None where it goes on."""
    found = taken(folder, until)
    return found[-1] if found and found[-1].over else None


def write(folder: Path, number: int, record: Mapping[str, Any]) -> None:
    """Put a look in place; where somebody else has taken it, that one counts."""
    with files.Folder(folder) as opened, contextlib.suppress(FileExistsError):
        opened.write_once(paths.LOOK.format(number), files.to_json(record))


def _read(folder: files.Folder, number: int, is_last: bool) -> Look | None:  # noqa: FBT001 - ours
    name = paths.LOOK.format(number)
    try:
        record = folder.read_json(name)
        if record is None:
            return None
        return Look(
            number,
            over=bool(record["decided"]) or is_last,
            decided=bool(record["decided"]),
            winner=str(record["winner"]),
            why=str(record["why"]),
            at=float(record["at"]),
            values={
                str(arm): {int(seed): float(value) for seed, value in values.items()}
                for arm, values in record["values"].items()
            },
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        at = os.stat(name, dir_fd=folder.fd).st_mtime
        return Look(number, over=True, decided=False, winner="", why=f"{name} can't be read", at=at)
