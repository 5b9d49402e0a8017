"""One run of the benchmarks: a temporary folder, the peers, the rounds, and what is kept."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tqdm import tqdm

from bench import measure
from bench.kept import Row, Table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bench.kept import Kept
    from bench.measure import Case
    from bench.peers import Peers


@dataclass
class Bench:
    """What the questions measure with."""

    top: Path
    kept: Kept
    peers: Peers
    rounds: int
    quick: bool = False

    def sized(self, whole: int, quick: int) -> int:
        """How large something is, or how large where it is only tried."""
        return quick if self.quick else whole

    def is_done(self, key: str, most: int | None = None) -> bool:
        """Whether a table has all its rounds, from a run that was cut off."""
        return self.kept.table(key).rounds >= min(self.rounds, most or self.rounds)

    def take(
        self, key: str, cases: Mapping[str, Case], most: int | None = None, *, trial: bool = True
    ) -> None:
        """Measure a table, `most` rounds at most, after one that does not count (`trial`).

        A case that fails is left out from then on, and its table says why.
        """
        rounds = min(self.rounds, most or self.rounds)
        table = self.kept.tables.setdefault(key, Table(_now(), os.getloadavg()[0]))
        for name, case in cases.items():
            row = table.rows.setdefault(name, Row())
            row.typed, row.runs, row.error = case.typed, case.runs, ""
        done = table.rounds
        numbers = range(done - 1 if trial else done, rounds)
        seldom = 0.5 if sys.stderr.isatty() else 15  # seconds; a file needs few lines
        with tqdm(total=len(numbers) * len(cases), desc=key, mininterval=seldom) as bar:
            for number in numbers:
                for name in measure.turns(list(cases), number):
                    bar.set_postfix_str(f"round {number + 1}/{rounds}: {name}"[:50], refresh=False)
                    self._go(table, number if number >= done else None, name, cases[name])
                    bar.update()
                self.kept.save()

    def _go(self, table: Table, number: int | None, name: str, case: Case) -> None:
        if table.rows[name].error:
            return
        try:
            figures = case.go()
        except Exception as error:  # noqa: BLE001 - what a peer does must not end the rest
            table.rows[name].error = _last_line(error)
        else:
            if number is not None:
                table.add(number, name, figures)


def _last_line(error: Exception) -> str:
    said = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (said[-1] if said else type(error).__name__)[:200]


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
