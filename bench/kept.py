"""What was measured, as it is kept in a JSON file: after each round, so that a run that was cut off
can go on, and the page can be written anew without measuring.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from bench.measure import SECONDS, Middle, middle, ratio

if TYPE_CHECKING:
    from pathlib import Path

    from bench.measure import Figures


@dataclass
class Row:
    """A case: the command as typed, and its figures in each round (None: it had none)."""

    typed: str = ""
    runs: int = 1
    error: str = ""
    rounds: list[dict[str, float] | None] = field(default_factory=list)

    def values(self, figure: str = SECONDS) -> list[float | None]:
        """One figure, round by round."""
        return [each.get(figure) if each else None for each in self.rounds]

    def middle(self, figure: str = SECONDS) -> Middle | None:
        """The median of one figure."""
        found = [value for value in self.values(figure) if value is not None]
        return middle(found) if found else None


@dataclass
class Table:
    """Cases that took turns."""

    date: str = ""
    load: float = 0.0  # of the machine, when it began
    rows: dict[str, Row] = field(default_factory=dict)

    @property
    def rounds(self) -> int:
        """How many rounds it has."""
        return max((len(row.rounds) for row in self.rows.values()), default=0)

    def ratio(self, name: str, base: str, figure: str = SECONDS) -> Middle | None:
        """How many times the base; nothing where one of the two is not there."""
        if name not in self.rows or base not in self.rows:
            return None
        return ratio(self.rows[name].values(figure), self.rows[base].values(figure))

    def add(self, number: int, name: str, figures: Figures) -> None:
        """Note what a go of round `number`, counted from 0, gave."""
        rounds = self.rows[name].rounds
        rounds.extend([None] * (number + 1 - len(rounds)))
        rounds[number] = dict(figures)


@dataclass
class Kept:
    """All tables, and what was said of the machine, the versions and the peers that are missing."""

    path: Path
    machine: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)  # a peer, or a question, and its error
    notes: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0  # that measuring took, with what it needs
    tables: dict[str, Table] = field(default_factory=dict)

    def table(self, key: str) -> Table:
        """A table, empty where nothing was measured."""
        return self.tables.get(key, Table())

    def save(self) -> None:
        """Write it beside, then in place."""
        told = {name: value for name, value in vars(self).items() if name not in {"path", "tables"}}
        told["tables"] = {key: asdict(table) for key, table in self.tables.items()}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_suffix(".new")
        beside.write_text(json.dumps(_shortened(told), indent=1) + "\n")
        os.replace(beside, self.path)


def load(path: Path) -> Kept:
    """What a file holds; nothing yet where there is none."""
    if not path.exists():
        return Kept(path)
    told: dict[str, Any] = json.loads(path.read_text())
    tables = {key: _table(table) for key, table in told.pop("tables").items()}
    return Kept(path, **told, tables=tables)


def _table(told: dict[str, Any]) -> Table:
    rows = {name: Row(**row) for name, row in told.pop("rows").items()}
    return Table(**told, rows=rows)


def _shortened(value: Any) -> Any:
    """Five digits are more than a clock gives."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {name: _shortened(each) for name, each in value.items()}
    return [_shortened(each) for each in value] if isinstance(value, list) else value
