"""The records of a project, as a stranger reads them: JSON in files; nothing of nbbg is asked."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

Json = dict[str, Any]
FACTS = ("ticket.json", "process.json", "engine.json", "stop.json", "limit.json", "result.json")


class DamagedError(Exception):
    """A record is not what any writer writes."""


@dataclass(frozen=True)
class Attempt:
    """The folder of one try at a run."""

    path: Path
    run: int
    number: int

    @property
    def name(self) -> str:
        """For a person."""
        return f"run {self.run}, attempt {self.number}"

    def fact(self, name: str) -> Json | None:
        """What a fact says; None where there is none."""
        return read(self.path / name)

    def journal(self) -> list[Json]:
        """Its whole lines so far."""
        return lines(self.path / "cells.jsonl")

    def log(self) -> str:
        """What was printed so far."""
        path = self.path / "log.txt"
        return path.read_text(errors="replace") if path.exists() else ""


@dataclass(frozen=True)
class Batch:
    """The folder of one launch."""

    path: Path
    number: int

    def record(self) -> Json:
        """What was asked for."""
        return read(self.path / "batch.json") or {}

    def plan(self) -> list[Json]:
        """One line a run."""
        return lines(self.path / "plan.jsonl")

    def attempts(self) -> list[Attempt]:
        """All, by run and number."""
        found = []
        for folder in numbered(self.path / "runs"):
            found += [Attempt(each, int(folder.name), int(each.name)) for each in numbered(folder)]
        return found


def batches(root: Path) -> list[Batch]:
    """The published batches of a project."""
    return [Batch(path, int(path.name)) for path in numbered(root / ".nbbg" / "batches")]


def newest(batch: Batch) -> dict[int, Attempt]:
    """The newest attempt of each run that has one."""
    return {attempt.run: attempt for attempt in batch.attempts()}


def numbered(folder: Path) -> list[Path]:
    """What lies in a folder under a number, in order."""
    if not folder.exists():
        return []
    return sorted((path for path in folder.iterdir() if path.name.isdigit()), key=_number)


def read(path: Path) -> Json | None:
    """The object in a file, which is whole; None where there is no file.

    Raises:
        DamagedError: it holds something else.
    """
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise DamagedError(f"{path}: {error}") from error
    if not isinstance(found, dict):
        raise DamagedError(f"{path}: no object")
    return found


def lines(path: Path) -> list[Json]:
    """The objects of a file's whole lines; what is written this moment, at its end, is left out.

    Raises:
        DamagedError: a line holds something else.
    """
    data = path.read_bytes() if path.exists() else b""
    try:
        return [json.loads(line) for line in data[: data.rfind(b"\n") + 1].splitlines() if line]
    except ValueError as error:
        raise DamagedError(f"{path}: {error}") from error


def _number(path: Path) -> int:
    return int(path.name)
