"""`nbbg show`: everything about a run; for one that failed, its card."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from nbbg import logs, model
from nbbg.cli import output, table
from nbbg.index import Index
from nbbg.ops import failures, project, reports, selection

if TYPE_CHECKING:
    import argparse

    from nbbg.ops.reports import RunReport



def command(arguments: argparse.Namespace) -> int:
    """Show runs, one after the other."""
    where = project.here()
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
            _show(run)
            if run.ended and run.state.word != model.Succeeded.word:
                _card(index, run)
    return 0


def _show(run: model.Run) -> None:
    report = reports.of_run(run)
    for name, value in _fields(report, run):
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
        ("queued", report.queued_at),
        ("started", report.started_at or ""),
        ("ended", f"{report.ended_at}, after {table.duration(until)}" if report.ended_at else ""),
        ("resumed", f"after step {run.resumed_after!r}" if run.resumed_after is not None else ""),
        ("metrics", ", ".join(f"{name} {value}" for name, value in report.metrics.items())),
        ("log", report.log or ""),
        ("output", report.output if run.ended else f"{report.output} (when it has ended)"),
    ]


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
        print(f"\n{logs.without_escapes(card.traceback)}")
    elif card.last_lines:
        print("\nlast lines:")
        print("\n".join(f"    {line}" for line in card.last_lines))
    print(f"\n  {card.advice}")
