"""`nbbg show`: everything about a run; for one that failed, its card."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from nbbg import model, paths, screen
from nbbg.cli import output, reading, table
from nbbg.index import Index
from nbbg.ops import failures, reports, selection

if TYPE_CHECKING:
    import argparse

    from nbbg.ops.reports import RunReport


def command(arguments: argparse.Namespace) -> int:
    """Show runs, one after the other."""
    where = reading.here()
    with Index(where.store) as index:
        runs = selection.select(index, arguments.ids)
        if arguments.json:
            documents = [reports.of_run(run).to_json() for run in runs]
            one = len(arguments.ids) == 1 and arguments.ids[0].isdigit()
            output.document(documents[0] if one else documents)
            return 0
        for position, run in enumerate(runs):
            if position:
                print()
            _show(index, run)
            if run.ended and run.state.word != model.Succeeded.word:
                _card(index, run)
    return 0


def _show(index: Index, run: model.Run) -> None:
    report = reports.of_run(run)
    commit = index.batch(run.batch).facts.get("commit", "")
    for name, value in (*_fields(report, run), ("commit", commit), *_files(report, run)):
        if value:
            print(f"{name:<10} {value}")


def _fields(report: RunReport, run: model.Run) -> list[tuple[str, str]]:
    until = run.ended_at - run.started_at if run.ended_at and run.started_at else None
    state = table.colour(report.state) + (f": {report.reason}" if report.reason else "")
    cell = f"{report.cell} of {report.cells}" if report.cell else ""
    return [
        ("run", f"{report.id}, attempt {report.attempt} ({report.batch})"),
        ("arm", f"{report.arm}, number {report.number}, seed {report.seed}"),
        ("state", state),
        ("cell", cell),
        ("notebook", report.notebook),
        ("params", json.dumps(report.params) if report.params else ""),
        ("engine", f"{report.engine}, {run.arm.python or run.arm.kernel}"),
        ("where", _where(report)),
        ("queued", _clock(run.queued_at)),
        ("started", _clock(run.started_at)),
        ("ended", f"{_clock(run.ended_at)}, after {table.duration(until)}" if until else ""),
        ("resumed", f"after step {run.resumed_after!r}" if run.resumed_after is not None else ""),
        ("metrics", ", ".join(f"{name} {value}" for name, value in report.metrics.items())),
    ]


def _files(report: RunReport, run: model.Run) -> list[tuple[str, str]]:
    kept = sorted(Path(run.folder, paths.RESULTS).glob("[!.]*")) if run.attempt else []
    output = report.output
    if not run.ended:
        output += " (when it has ended)"
    elif run.attempt and not Path(output).exists():
        output += f" (not written; make it: nbbg notebook {run.id} -o FILE)"
    return [
        ("log", report.log or ""),
        ("results", ", ".join(str(path) for path in kept)),
        ("output", output if run.attempt else ""),
    ]


def _clock(when: float | None) -> str:
    """A time as the clock on the wall shows it."""
    from datetime import datetime

    return f"{datetime.fromtimestamp(when).astimezone():%Y-%m-%d %H:%M:%S %Z}" if when else ""


def _where(report: RunReport) -> str:
    if not report.host:
        return report.executor
    return f"{report.executor}, {report.host}, pid {report.pid}, runner {report.runner_pid}"


def _card(index: Index, run: model.Run) -> None:
    """The cell that failed, its traceback, the last lines, and what to type next."""
    card = failures.card(index, run)
    if card.source:
        print(f"\ncell {card.ordinal}:")
        print("\n".join(f"    {line}" for line in card.source.splitlines()))
    if card.traceback:
        print(f"\n{screen.without_escapes(card.traceback)}")
    elif card.last_lines:
        print("\nlast lines:")
        print("\n".join(f"    {line}" for line in card.last_lines))
    print(f"\n  {card.advice}")
