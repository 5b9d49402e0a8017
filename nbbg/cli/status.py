"""`nbbg status`."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from nbbg import logs, model, paths
from nbbg.cli import output, table
from nbbg.index import Index
from nbbg.ops import project, reports, selection

if TYPE_CHECKING:
    import argparse

    from nbbg.ops.project import Project

RECENT = 10  # ended runs that are listed
UPDATE = 1.0  # seconds
WIDTH = 60  # of what a run says
_HEAD = ("run", "arm", "number", "state", "cell", "time", "progress", "what it says")
_NUMBERS = ("run", "number", "time")


def command(arguments: argparse.Namespace) -> int:
    """Show the current project, or every one."""
    if arguments.watch and not arguments.json:
        return _watch(arguments)
    _once(arguments)
    return 0


def _watch(arguments: argparse.Namespace) -> int:
    try:
        while True:
            if sys.stdout.isatty():
                print("\x1b[H\x1b[2J", end="")
            _once(arguments)
            time.sleep(UPDATE)
    except KeyboardInterrupt:
        return 0


def _once(arguments: argparse.Namespace) -> None:
    where = project.remembered() if arguments.all else [project.here()]
    if arguments.json:
        output.document(_merged([_document(each, arguments.ids) for each in where]))
        return
    for each in where:
        if arguments.all:
            print(f"{each.root}")
        _show(each, arguments.ids)


def _document(where: Project, names: list[str]) -> dict[str, list[Any]]:
    with Index(where.store) as index:
        _say_unreadable(index)
        runs = selection.select(index, names) if names else index.runs()
        numbers = {run.batch for run in runs}
        return {
            "batches": [
                {**reports.of_batch(index, batch).to_json(), "project": str(where.root)}
                for batch in index.batches()
                if batch.id in numbers
            ],
            "runs": [
                {**reports.of_run(run).to_json(), "project": str(where.root)} for run in runs
            ],
        }


def _merged(documents: list[dict[str, list[Any]]]) -> dict[str, list[Any]]:
    return {
        key: [item for document in documents for item in document[key]]
        for key in ("batches", "runs")
    }


def _show(where: Project, names: list[str]) -> None:
    with Index(where.store) as index:
        _say_unreadable(index)
        if not index.batches() and not index.unreadable:
            print("nothing was launched here yet\n  nbbg run NOTEBOOK --runs 20")
            return
        runs = selection.select(index, names) if names else _worth_showing(index)
        for batch in index.batches():
            if not names or any(run.batch == batch.id for run in runs):
                print(_batch_line(reports.of_batch(index, batch)))
        if runs:
            print()
        table.show(_HEAD, [_row(run) for run in runs], numbers=_NUMBERS)
        _advise(index)


def _say_unreadable(index: Index) -> None:
    for why in index.unreadable.values():
        output.say(f"nbbg: {why}")


def _worth_showing(index: Index) -> list[model.Run]:
    """What lives or was lost, the newest that ended, and of what waits the next few."""
    live = index.live()
    shown = {run.id for run in live}
    ended = index.runs("open = 0 AND word <> 'queued'", limit=RECENT)
    queued = index.runs(
        "id IN (SELECT id FROM runs WHERE open = 0 AND word = 'queued' ORDER BY id LIMIT 3)"
    )
    rest = [run for run in (*ended, *queued) if run.id not in shown]
    return sorted([*live, *rest], key=lambda run: run.id)


def _batch_line(batch: reports.BatchReport) -> str:
    counts = ", ".join(
        f"{batch.counts[word]} {table.colour(word)}" for word in model.WORDS if batch.counts.get(word)
    )
    arms = ", ".join(batch.arms[:4]) + (f" and {len(batch.arms) - 4} more" if batch.arms[4:] else "")
    stopped = f"; stopped by {batch.stopped_by}" if batch.stopped_by else ""
    note = f"  ({batch.note})" if batch.note else ""
    return f"{batch.id}  {arms}: {counts} of {batch.runs}{stopped}{note}"


def _row(run: model.Run) -> tuple[str, ...]:
    live = isinstance(run.state, model.Running)
    log = f"{run.folder}/{paths.LOG}"
    cell = f"{run.cell} of {run.cells}" if run.cell and run.cells else ""
    until = run.ended_at or (time.time() if live else None)
    seconds = until - run.started_at if run.started_at and until else None
    bar = logs.progress(log) if live else None
    return (
        *(str(run.id), run.arm.name, str(run.number), run.state.word, cell),
        table.duration(seconds),
        f"{bar.percent}% ({bar.done}/{bar.total}), {bar.left} left" if bar else "",
        run.state.reason or _says(run, log, has_bar=bar is not None),
    )


def _says(run: model.Run, log: str, *, has_bar: bool) -> str:
    """What it printed last, or logged, where a bar has told the rest already."""
    if isinstance(run.state, model.Running) and not has_bar:
        return logs.last_line(log)[:WIDTH]
    return ", ".join(f"{name} {table.number(value)}" for name, value in run.metrics.items())[:WIDTH]


def _advise(index: Index) -> None:
    """Say what to type where a person is needed."""
    lost = [run for run in index.live() if run.state.word in model.RESUMABLE]
    failed = 0
    for batch in index.batches():
        counts = index.counts(batch.id)
        failed += sum(counts.get(word, 0) for word in model.UNSUCCESSFUL)
        if counts.get(model.Queued.word) and reports.of_batch(index, batch).supervisor_pid is None:
            output.say(f"{batch.name} has queued runs and no supervisor: nbbg resume {batch.name}")
    if lost:
        output.say(f"{len(lost)} lost: nbbg resume")
    if failed:
        output.say("what failed: nbbg show ID; another attempt: nbbg retry --failed")
