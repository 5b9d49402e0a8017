"""`nbbg show`: everything about a run; for one that failed, its card."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbbg import model, screen
from nbbg.cli import kept, output, parameters, reading, table
from nbbg.index import Index
from nbbg.ops import deciding, failures, provenance, reports, selection, stack

if TYPE_CHECKING:
    import argparse

    from nbbg.ops.reports import RunReport


NEWEST = 1000  # runs of an arm whose modules are compared


def command(arguments: argparse.Namespace) -> int:
    """Show runs, one after the other; or what notebooks say about their parameters."""
    if any(map(parameters.is_file, arguments.ids)):
        return parameters.show(arguments.ids, as_json=arguments.json)
    where = reading.here()
    with Index(where.store) as index:
        if arguments.result:
            return kept.show(index, arguments)
        runs = selection.select(index, arguments.ids)
        if arguments.stack and not arguments.json:
            print("\n\n".join(stack.ask(run) for run in runs))
            return 0
        if arguments.json:
            documents = [_document(run, ask=arguments.stack) for run in runs]
            one = len(arguments.ids) == 1 and arguments.ids[0].isdigit()
            output.document(documents[0] if one else documents)
            return 0
        for position, run in enumerate(runs):
            if position:
                print()
            _show(index, run)
            if run.again or (run.ended and run.state.word != model.Succeeded.word):
                _card(index, run)
    return 0


def _document(run: model.Run, *, ask: bool) -> dict[str, Any]:
    """The report, with the stack that was recorded last, or is now."""
    found = stack.ask(run) if ask else stack.recorded(run)
    return {**kept.report(run), "stack": found or None}


def _show(index: Index, run: model.Run) -> None:
    report = reports.of_run(run)
    until = deciding.report(index, index.batch(run.batch))
    of_launch = provenance.lines(index.batch(run.batch), run, _others(index, run))
    so_far = ("until", str(until or ""))
    for name, value in (*_fields(report, run), so_far, *of_launch, *_files(report, run)):
        if value:
            print(f"{name:<10} {value}")


def _others(index: Index, run: model.Run) -> list[model.Run]:
    """The newest runs of its arm."""
    return index.runs("arm = ?", (run.arm.name,), limit=NEWEST)


def _fields(report: RunReport, run: model.Run) -> list[tuple[str, str]]:
    until = run.ended_at - run.started_at if run.ended_at and run.started_at else None
    reason = table.one_line(report.reason)
    state = table.colour(report.state) + (f": {reason}" if reason else "")
    cell = f"{report.cell} of {report.cells}" if report.cell else ""
    return [
        ("run", f"{report.id}, attempt {report.attempt} ({report.batch})"),
        ("arm", f"{report.arm}, number {report.number}, seed {report.seed}"),
        ("state", state),
        ("cell", cell),
        ("notebook", report.notebook),
        ("params", json.dumps(report.params) if report.params else ""),
        ("engine", f"{report.engine}, {_with_what(run.arm)}"),
        ("where", _where(report)),
        ("gpu", report.gpu or ""),
        ("queued", _clock(run.queued_at)),
        ("started", _clock(run.started_at)),
        ("ended", f"{_clock(run.ended_at)}, after {table.duration(until)}" if until else ""),
        ("resumed", f"after step {run.resumed_after!r}" if run.resumed_after is not None else ""),
        ("metrics", table.one_line(", ".join(f"{n} {v}" for n, v in report.metrics.items()))),
    ]


def _with_what(arm: model.Arm) -> str:
    source = f" ({arm.python_source})" if arm.python_source else ""
    return f"{arm.python}{source}" if arm.python else arm.kernel


def _files(report: RunReport, run: model.Run) -> list[tuple[str, str]]:
    output = report.output
    if output is None:
        output = "none: the plain engine keeps a log only"
    elif not run.ended:
        output += " (when it has ended)"
    elif run.attempt and not Path(output).exists():
        output += f" (not written; make it: nbbg notebook {run.id} -o FILE)"
    return [
        ("log", report.log or ""),
        ("results", kept.line(run)),
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
        print(indented(screen.without_escapes(card.source)))
    if card.stack:
        print(f"\nit stood at:\n{indented(card.stack)}")
    if card.traceback and not card.stack:
        print(f"\n{screen.without_escapes(card.traceback)}")
    elif card.last_lines:
        print("\nlast lines:")
        print(indented("\n".join(card.last_lines)))
    print("".join(f"\n  {line}" for line in (card.install, card.advice) if line))


def indented(text: str) -> str:
    """Each line four further to the right."""
    return "\n".join(f"    {line}" for line in text.splitlines())
