"""`nbbg show`: everything about a run; for one that failed, its card."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbbg import logs, model, paths, screen
from nbbg.cli import kept, output, parameters, reading, starting, table
from nbbg.index import Index
from nbbg.ops import provenance, reports, selection
from nbbg.results import reducing, strips
from nbbg.store import sizes

if TYPE_CHECKING:
    import argparse

    from nbbg.index import Index
    from nbbg.ops.reports import RunReport


CURVES = 8  # metrics that are drawn
NEWEST = 1000  # runs of an arm whose modules are compared


def command(arguments: argparse.Namespace) -> int:
    """Show runs, one after the other; or what notebooks say about their parameters."""
    if any(map(parameters.is_file, arguments.ids)):
        return parameters.show(arguments.ids, as_json=arguments.json)
    where = reading.here()
    with reading.index(where) as index:
        if arguments.result:
            return kept.show(index, arguments)
        runs = selection.select(index, arguments.ids)
        if arguments.stack and not arguments.json:
            from nbbg.ops import stack

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
            if run.cleaned_at:
                print(f"\n{_gone(run)}")
            elif run.again or (run.ended and run.state.word != model.Succeeded.word):
                _card(index, run)
    return 0


def _gone(run: model.Run) -> str:
    from nbbg.ops import cleaning

    return cleaning.gone(run)


def _document(run: model.Run, *, ask: bool) -> dict[str, Any]:
    """The report, with the stack that was recorded last, or is now."""
    from nbbg.ops import stack

    found = stack.ask(run) if ask else stack.recorded(run)
    return {**kept.report(run), "stack": found or None, "spent": starting.document(run)}


def _show(index: Index, run: model.Run) -> None:
    report = reports.of_run(run)
    batch = index.batch(run.batch)
    of_launch = provenance.lines(batch, run, _others(index, run))
    so_far = ("until", str(reports.until(index, batch) or ""))
    for name, value in (*_fields(report, run), so_far, *of_launch, *_files(report, run)):
        if value:
            plain = value if name == "state" else screen.without_escapes(value)
            print(f"{name:<10} {plain}")


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
        ("engine", ", ".join(filter(None, (report.engine, _with_what(run.arm))))),
        ("where", _where(report)),
        ("gpu", report.gpu or ""),
        ("queued", _clock(run.queued_at)),
        ("started", _clock(run.started_at)),
        ("ended", f"{_clock(run.ended_at)}, after {table.duration(until)}" if until else ""),
        ("resumed", f"after step {run.resumed_after!r}" if run.resumed_after is not None else ""),
        ("metrics", table.one_line(", ".join(f"{n} {v}" for n, v in report.metrics.items()))),
        *starting.fields(run),
        *_curves(run),
    ]


def _curves(run: model.Run) -> list[tuple[str, str]]:
    """A line for each metric that was logged more than once; the first are drawn."""
    spans = {name: span for name, span in reducing.spans(run).items() if span.logged > 1}
    return [
        ("curve", (_sparkline(run, name) if place < CURVES else "") + _curve(name, span))
        for place, (name, span) in enumerate(spans.items())
    ]


def _curve(name: str, span: model.Span) -> str:
    """How many values, and where the smallest and the largest stand."""
    until = "" if span.step is None else f" to step {span.step}"
    ends = ((span.low, span.low_step), (span.high, span.high_step))
    low, high = (table.number(at) + ("" if s is None else f" at step {s}") for at, s in ends)
    between = "" if span.low is None else f", from {low} to {high}"
    return table.one_line(f"{name}: {span.logged} values{until}{between}")


def _sparkline(run: model.Run, name: str) -> str:
    curve = reducing.curve(run, name)
    shown = strips.is_unicode(sys.stdout.encoding)
    return strips.sparkline(curve.values, unicode=shown) + " " if curve else ""


def _with_what(arm: model.Arm) -> str:
    source = f" ({arm.python_source})" if arm.python_source else ""
    return f"{arm.python}{source}" if arm.python else arm.kernel


def _files(report: RunReport, run: model.Run) -> list[tuple[str, str]]:
    output = report.output
    if output is None:
        output = "none: the plain engine keeps a log only"
    elif run.cleaned_at:
        from nbbg.ops import cleaning

        output = cleaning.executed(run)
    elif not run.ended:
        output += " (when it has ended)"
    elif run.attempt and not Path(output).exists():
        output += f" (not written; make it: nbbg notebook {run.id} -o FILE)"
    return [
        ("log", "" if run.cleaned_at else report.log or ""),
        ("size", _size(run)),
        ("results", kept.line(run)),
        ("output", output if run.attempt else ""),
    ]


def _size(run: model.Run) -> str:
    """What its files take, with those of earlier attempts; of a live run now."""
    if not run.attempt or run.cleaned_at:
        return ""
    folder = Path(run.folder)
    trimmed = ", its log can't be cut here" if (folder / paths.TRIMMING).exists() else ""
    return logs.megabytes(sizes.of(folder.parent)) + trimmed


def _clock(when: float | None) -> str:
    """A time as the clock on the wall shows it."""
    from datetime import datetime

    return f"{datetime.fromtimestamp(when).astimezone():%Y-%m-%d %H:%M:%S %Z}" if when else ""


def _where(report: RunReport) -> str:
    machine = report.machine if report.machine not in (None, "", report.host) else ""
    if not report.host:
        return ", ".join(filter(None, (report.executor, machine)))
    host = f"{machine} ({report.host})" if machine else report.host
    return f"{report.executor}, {host}, pid {report.pid}, runner {report.runner_pid}"


def _card(index: Index, run: model.Run) -> None:
    """The cell that failed, its traceback, the last lines, and what to type next."""
    from nbbg.ops import failures

    card = failures.card(index, run)
    if card.source:
        print(f"\ncell {card.ordinal}:")
        print(indented(screen.without_escapes(card.source)))
    if card.stack:
        print(f"\nit stood at:\n{indented(screen.without_escapes(card.stack))}")
    if card.traceback and not card.stack:
        print(f"\n{screen.without_escapes(card.traceback)}")
    elif card.last_lines:
        print("\nlast lines:")
        print(indented(screen.without_escapes("\n".join(card.last_lines))))
    advice = "".join(f"\n  {line}" for line in (card.install, card.advice) if line)
    print(screen.without_escapes(advice))


def indented(text: str) -> str:
    """Each line four further to the right."""
    return "\n".join(f"    {line}" for line in text.splitlines())
