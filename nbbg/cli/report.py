"""`nbbg report`: one page that tells what was run and what came out of it."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from nbbg.cli import output, placing, reading, reported
from nbbg.errors import UsageError
from nbbg.ops import selection
from nbbg.ops.report import facts, failed, page
from nbbg.ops.report.content import Report
from nbbg.results import values
from nbbg.store import imported

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from nbbg import model
    from nbbg.cli.reported import Compared
    from nbbg.index import Index


def command(arguments: argparse.Namespace) -> int:
    """Read the runs, compare them where a metric says by what, and write the page."""
    path = Path(arguments.output)
    to_stdout = arguments.output == "-"
    if not to_stdout:
        placing.check(path, "-o")
    where = reading.here()
    with reading.index(where) as index:
        chosen = selection.Runs(index, arguments.ids) if arguments.ids else index.each()
        runs = values.current(chosen)
        if not runs:
            raise UsageError("there are no runs to report on\nnbbg run NOTEBOOK --runs 20")
        folder = Path.cwd() if to_stdout else path.parent.resolve()
        data = page.render(_report(index, runs, arguments, folder, where.root.name))
    if to_stdout:
        sys.stdout.buffer.write(data)
        return 0
    placing.put(path, data, "-o")
    output.say(f"{path}: {_so_many(runs)}, {max(1, len(data) // 1000)} kB")
    return 0


def _report(
    index: Index, runs: Sequence[model.Run], arguments: argparse.Namespace, folder: Path, name: str
) -> Report:
    found = reported.compare(
        index,
        runs,
        arguments.metric or "",
        lower_is_better=arguments.lower_is_better,
        baseline=arguments.baseline or "",
    )
    for sentence in found.missing:
        output.say(sentence)
    cards, more = failed.cards(index, runs)
    return Report(
        title=f"{name}: {found.metric or 'results'}",
        about=_about(runs),
        verdict=found.comparison.verdict if found.comparison else (),
        warnings=_warnings(index, runs, found),
        pictures=found.pictures,
        tables=[
            *found.tables,
            ("Arms", facts.of_arms(runs)),
            ("Runs", reported.runs(runs, folder)),
        ],
        failures=cards,
        facts=facts.of_batches(index, runs),
        left_out=more,
    )


def _about(runs: Sequence[model.Run]) -> str:
    states = Counter(run.state.word for run in runs)
    arms = len({run.arm.name for run in runs})
    counted = ", ".join(f"{count} {word}" for word, count in states.most_common())
    return f"{_so_many(runs)} of {arms} {'arm' if arms == 1 else 'arms'}: {counted}"


def _so_many(runs: Sequence[model.Run]) -> str:
    return "1 run" if len(runs) == 1 else f"{len(runs)} runs"


def _warnings(index: Index, runs: Sequence[model.Run], found: Compared) -> list[str]:
    going = sum(not run.ended for run in runs)
    return [
        *(found.comparison.notes if found.comparison else ()),
        *found.missing,
        *([f"{going} runs have not ended: this is how far they are"] if going else []),
        *imported.changes(runs),
        *facts.packages_that_differ(index, runs),
    ]
