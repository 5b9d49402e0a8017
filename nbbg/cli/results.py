"""`nbbg results`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbbg import results
from nbbg.cli import kept, output, reading, table
from nbbg.index import Index
from nbbg.ops import selection
from nbbg.store import imported

if TYPE_CHECKING:
    import argparse

_HEAD = ("arm", "number", "seed", "run", "state", "time")


def command(arguments: argparse.Namespace) -> int:
    """One row a run, by arm and number."""
    where = reading.here()
    with Index(where.store) as index:
        runs = selection.select(index, arguments.ids) if arguments.ids else index.runs()
        runs = results.current(runs)
    if arguments.json:
        output.document([kept.report(run) for run in runs])
        return 0
    runs, others = kept.as_columns(runs)
    names = results.metrics(runs)
    rows = [_texts(results.row(run, names)) for run in runs]
    if not rows:
        print("no runs yet\n  nbbg run NOTEBOOK --runs 20")
    table.show((*_HEAD, *names), rows, numbers=("number", "seed", "run", "time", *names))
    for changed in imported.changes(runs):
        output.say(changed)
    if others:
        output.say(f"also kept: {', '.join(others)}; see: nbbg show RUN --result NAME")
    return 0


def _texts(row: list[Any]) -> list[str]:
    arm, number, seed, run, state, seconds, *values = row
    fixed = [arm, str(number), str(seed), str(run), state, table.duration(seconds)]
    return [*fixed, *map(table.number, values)]
