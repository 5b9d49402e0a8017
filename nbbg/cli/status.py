"""`nbbg status`."""

from __future__ import annotations

import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from nbbg import logs, model, paths
from nbbg.cli import output, reading, table
from nbbg.index import Index
from nbbg.ops import project, reports, selection

if TYPE_CHECKING:
    import argparse

    from nbbg.ops.project import Project
    from nbbg.ops.reports import BatchReport

RECENT = 10  # ended runs that are listed
ARMS = 4  # of a batch that are named
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
    where = project.remembered() if arguments.all else [reading.here()]
    if arguments.json:
        output.document(_merged([_document(each, arguments.ids) for each in where]))
        return
    for position, each in enumerate(where):
        if arguments.all:
            print(f"{chr(10) if position else ''}{each.root}")
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
            "runs": [{**reports.of_run(run).to_json(), "project": str(where.root)} for run in runs],
        }


def _merged(documents: list[dict[str, list[Any]]]) -> dict[str, list[Any]]:
    return {
        key: [item for document in documents for item in document[key]]
        for key in ("batches", "runs")
    }


def _show(where: Project, names: list[str]) -> None:
    with Index(where.store) as index:
        _say_unreadable(index)
        if not names and not index.batches() and not index.unreadable:
            print("nothing was launched here yet\n  nbbg run NOTEBOOK --runs 20")
            return
        runs = selection.select(index, names) if names else _worth_showing(index)
        known = [reports.of_batch(index, batch) for batch in index.batches()]
        _show_batches(known, {f"b{run.batch}" for run in runs}, everything=bool(names))
        if runs:
            print()
        table.show(_HEAD, [_row(run) for run in runs], numbers=_NUMBERS)
        if not names:
            _say_hidden(known, runs)
        _advise(index, known, runs)


def _show_batches(known: list[BatchReport], shown: set[str], *, everything: bool) -> None:
    """Those of the shown runs, and of the others those that a person may still have to do with."""
    hidden = 0
    for batch in known:
        if batch.id in shown or not (everything or set(batch.counts) <= {model.Succeeded.word}):
            print(_batch_line(batch))
        else:
            hidden += not everything
    if hidden:
        print(f"and {hidden} earlier, all succeeded")


def _say_hidden(known: list[BatchReport], runs: list[model.Run]) -> None:
    hidden = Counter[str]()
    for batch in known:
        hidden.update(batch.counts)
    hidden.subtract(run.state.word for run in runs)
    counts = [f"{hidden[word]} {word}" for word in model.WORDS if hidden[word] > 0]
    if counts:
        print(f"and {', '.join(counts)}: nbbg status {_where_hidden(known, runs)}")


def _where_hidden(known: list[BatchReport], runs: list[model.Run]) -> str:
    """The newest batches of which not every run is shown."""
    shown = Counter(f"b{run.batch}" for run in runs)
    partly = [batch.id for batch in known if sum(batch.counts.values()) > shown[batch.id]]
    return " ".join(partly[-ARMS:])


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


def _batch_line(batch: BatchReport) -> str:
    counts = ", ".join(
        f"{count} {table.colour(word)}" for word in model.WORDS if (count := batch.counts.get(word))
    )
    more = f" and {len(batch.arms) - ARMS} more" if batch.arms[ARMS:] else ""
    arms = ", ".join(batch.arms[:ARMS]) + more
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
    says = table.one_line(run.state.reason or _says(run, log, has_bar=bar is not None), WIDTH)
    return (
        *(str(run.id), run.arm.name, str(run.number), run.state.word, cell),
        table.duration(seconds),
        f"{bar.percent}% ({bar.done}/{bar.total}), {bar.left} left" if bar else "",
        f"attempt {run.attempt}; {says}".rstrip("; ") if run.attempt > 1 else says,
    )


def _says(run: model.Run, log: str, *, has_bar: bool) -> str:
    """What it printed last, or logged, where a bar has told the rest already."""
    if isinstance(run.state, model.Running) and not has_bar:
        return logs.last_line(log)
    return ", ".join(f"{name} {table.number(value)}" for name, value in run.metrics.items())


def _advise(index: Index, known: list[BatchReport], runs: list[model.Run]) -> None:
    """Say what to type where a person is needed."""
    for batch in known:
        if batch.counts.get(model.Queued.word) and batch.supervisor_pid is None:
            output.say(f"{batch.id} has queued runs and no supervisor: nbbg resume {batch.id}")
    lost = [run for run in runs if isinstance(run.state, model.Lost)]
    if lost:
        numbers = " ".join(str(run.id) for run in lost)
        output.say(f"{len(lost)} lost: nbbg resume {numbers}")
    if any(run.state.word in model.UNSUCCESSFUL and not index.has_newer(run) for run in runs):
        output.say("what failed: nbbg show ID; another attempt: nbbg retry ID, or --failed")
