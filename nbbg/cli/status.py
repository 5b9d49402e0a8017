"""`nbbg status`."""

from __future__ import annotations

import contextlib
import sys
import time
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING

from nbbg import model, paths
from nbbg.cli import output, reading, table
from nbbg.ops import project, reports, selection
from nbbg.store import imported, sizes

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from nbbg.index import Index
    from nbbg.logs import Progress
    from nbbg.ops.project import Project
    from nbbg.ops.reports import BatchReport
    from nbbg.ops.selection import Runs

RECENT = 10  # ended runs that are listed
ARMS = 4  # of a batch that are named
LARGE_SIZE = 100_000_000  # bytes from which a size is worth a word
WIDTH = 60  # of what a run says
LARGE = 1000  # runs of a batch that is shown in part unless it is named
LIVE = 200  # live runs that are listed
FAILED = 5  # failed runs of a batch at work, listed besides the newest
BAR, LEAST_BAR = 30, 8  # characters
MANY = 120  # runs an hour that are told by the minute
_ODD = {*model.UNSUCCESSFUL, model.Lost.word}
_FAILED = ", ".join(f"'{word}'" for word in sorted(model.UNSUCCESSFUL))
_HEAD = ("run", "arm", "number", "state", "cell", "time", "progress", "what it says")
_WITH_MACHINE = (*_HEAD[:3], "machine", *_HEAD[3:])
_NUMBERS = ("run", "number", "time")
_OVER = {model.Succeeded.word, model.Stopped.word, *model.RETRIABLE}


def command(arguments: argparse.Namespace) -> int:
    """Show the current project, or every one."""
    if arguments.watch and not arguments.json:
        return _watch(arguments)
    _once(arguments)
    return 0


def _watch(arguments: argparse.Namespace) -> int:
    from nbbg.cli import watch

    where = _where(arguments)
    with contextlib.suppress(KeyboardInterrupt):
        if sys.stdout.isatty():
            watch.on_terminal(where, arguments.ids, lambda: _once(arguments))
        else:
            watch.as_lines(where, arguments.ids)
    return 0


def _where(arguments: argparse.Namespace) -> list[Project]:
    return project.remembered() if arguments.all else [reading.here()]


def _once(arguments: argparse.Namespace) -> None:
    where = _where(arguments)
    if arguments.json:
        _document(where, arguments.ids)
        return
    for position, each in enumerate(where):
        if arguments.all:
            print(f"{chr(10) if position else ''}{each.root}")
        _show(each, arguments.ids)


def _document(where: list[Project], names: list[str]) -> None:
    """All as JSON; of a large batch, unless it is named, what is worth showing."""
    with contextlib.ExitStack() as stack:
        found = [(each, stack.enter_context(reading.index(each))) for each in where]
        meant = [_meant(index, names) for _, index in found]
        output.stream(
            {
                "batches": (
                    {**reports.of_batch(index, batch).to_json(), "project": str(each.root)}
                    for (each, index), runs in zip(found, meant, strict=True)
                    for batch in _around(index, runs)
                ),
                "runs": (
                    {**reports.of_run(run).to_json(), "project": str(each.root)}
                    for (each, index), runs in zip(found, meant, strict=True)
                    for run in (_all(index) if runs is None else runs)
                ),
            }
        )


def _meant(index: Index, names: list[str]) -> Runs | None:
    """The named runs; None without a name."""
    _say_unreadable(index)
    return selection.Runs(index, names) if names else None


def _around(index: Index, runs: Runs | None) -> list[model.Batch]:
    known = index.batches()
    return known if runs is None else [each for each in known if runs.touch(each)]


def _all(index: Index) -> Iterator[model.Run]:
    """Every run of the batches that are not large, and of those what is worth showing."""
    large = [each for each in index.batches() if each.last - each.first >= LARGE]
    shown = {run.id: run for run in _worth_showing(index)} if large else {}
    numbers = ", ".join(str(batch.id) for batch in large)
    for run in index.each(f"batch NOT IN ({numbers}) OR id IN ({', '.join(map(str, shown))})"):
        yield shown.get(run.id, run)


def _show(where: Project, names: list[str]) -> None:
    with reading.index(where) as index:
        _say_unreadable(index)
        if not names and not index.batches() and not index.unreadable:
            print("nothing was launched here yet\n  nbbg run NOTEBOOK --runs 20")
            return
        known = [reports.of_batch(index, batch) for batch in index.batches()]
        if names:
            _show_all(index, known, selection.Runs(index, names))
        else:
            _show_some(index, known, _worth_showing(index))
        _say_sizes(where, index)


def _say_sizes(where: Project, index: Index) -> None:
    """What all records take, where that is much, and whether there is room for more."""
    total, room = index.size(), sizes.room(where.store.folder)
    if total < LARGE_SIZE and not room.nearly_full:
        return
    from nbbg import logs

    if total >= LARGE_SIZE:
        free = logs.megabytes(room.free)
        output.say(f"the records take {logs.megabytes(total)}, {free} are free: nbbg clean")
    if room.nearly_full:
        free = f"{logs.megabytes(room.free)} are free"
        output.say(
            f"the disk of {where.store.folder} is nearly full: {free}\nmake room: nbbg clean"
        )


def _show_all(index: Index, known: list[BatchReport], runs: Runs) -> None:
    """Every run that was named, however many."""
    shown = {batch.name for batch in index.batches() if runs.touch(batch)}
    _show_batches(known, shown, everything=True)
    print()
    odd: list[model.Run] = []

    def rows() -> Iterator[tuple[str, ...]]:
        for run in runs:
            if run.state.word in _ODD and len(odd) < LARGE:
                odd.append(run)
            yield _row(run, several=several)

    several = _are_several(index)
    table.show(_WITH_MACHINE if several else _HEAD, rows(), numbers=_NUMBERS)
    _advise(index, known, odd)


def _show_some(index: Index, known: list[BatchReport], runs: list[model.Run]) -> None:
    _show_batches(known, {f"b{run.batch}" for run in runs}, everything=False)
    if runs:
        print()
    several = _are_several(index)
    rows = [_row(run, several=several) for run in runs]
    table.show(_WITH_MACHINE if several else _HEAD, rows, numbers=_NUMBERS)
    _say_hidden(known, runs)
    for changed in imported.changes(runs):
        output.say(changed)
    _advise(index, known, runs)


def _show_batches(known: list[BatchReport], shown: set[str], *, everything: bool) -> None:
    """Those of the shown runs, and of the others those that a person may still have to do with."""
    hidden = 0
    for batch in known:
        if batch.id in shown or not (everything or set(batch.counts) <= {model.Succeeded.word}):
            print(_batch_line(batch))
            if pace := _pace_line(batch):
                print(pace)
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
    """What lives or was lost, the newest that ended or failed, of what waits the next few."""
    live = index.live()
    shown = {run.id: run for run in live[:LIVE]}
    at_work = ", ".join({str(run.batch) for run in live})
    ended = index.runs("open = 0 AND word <> 'queued'", limit=RECENT)
    failed = index.runs(f"open = 0 AND batch IN ({at_work}) AND word IN ({_FAILED})", limit=FAILED)
    queued = index.runs(
        "id IN (SELECT id FROM runs WHERE open = 0 AND word = 'queued' ORDER BY id LIMIT 3)"
    )
    for run in (*ended, *failed, *queued):
        if not run.needless:
            shown.setdefault(run.id, run)
    return [shown[number] for number in sorted(shown)]


def _batch_line(batch: BatchReport) -> str:
    counts = ", ".join(
        f"{count} {table.colour(word)}" for word in model.WORDS if (count := batch.counts.get(word))
    )
    more = f" and {batch.arm_count - ARMS} more" if batch.arm_count > ARMS else ""
    arms = table.one_line(", ".join(batch.arms[:ARMS])) + more
    stopped = f"; stopped by {table.one_line(batch.stopped_by)}" if batch.stopped_by else ""
    if batch.paused_by and batch.paused_at:
        since = datetime.fromisoformat(batch.paused_at).astimezone()
        stopped += f"; paused by {table.one_line(batch.paused_by)} since {since:%Y-%m-%d %H:%M}"
    stopped += f"; {table.one_line(str(batch.until))}" if batch.until else ""
    if batch.importing and batch.counts.get(model.Queued.word) and not batch.paused_by:
        stopped += "; imports first, for warm starts"
    if batch.bytes >= LARGE_SIZE:
        from nbbg import logs

        stopped += f", {logs.megabytes(batch.bytes)}"
    note = f"  ({table.one_line(batch.note)})" if batch.note else ""
    each = " on each machine" if batch.executor == "ssh" else ""
    jobs = "" if set(batch.counts) <= _OVER else f", {batch.jobs} at a time{each}"
    return f"{batch.id}  {arms}: {counts} of {batch.runs}{jobs}{stopped}{note}"


def _pace_line(batch: BatchReport) -> str:
    """The bar of a batch at work, what failed, its rate and the time left, as wide as there is."""
    if batch.rate_per_hour is None and not _is_at_work(batch):
        return ""
    parts = [f"{batch.done}/{batch.total}", f"{100 * batch.done // batch.total}%"]
    parts += [f"{batch.failed} failed"] if batch.failed else []
    parts += [_rate(batch.rate_per_hour)] if batch.rate_per_hour else []
    parts += [f"{table.duration(batch.seconds_left)} left"] if batch.seconds_left else []
    text = ", ".join(parts)
    room = min(BAR, table.width() - len(text) - 6)
    bar = f"{table.bar(batch.done, batch.total, room)}  " if room >= LEAST_BAR else ""
    return table.cut(f"    {bar}{text}")


def _is_at_work(batch: BatchReport) -> bool:
    waits = batch.counts.get(model.Queued.word) or batch.counts.get(model.Running.word)
    return bool(waits) and batch.supervisor_pid is not None


def _rate(per_hour: float) -> str:
    """The rate in a unit that makes it a number to read."""
    return f"{per_hour / 60:.3g}/min" if per_hour >= MANY else f"{per_hour:.3g}/h"


def _are_several(index: Index) -> bool:
    """Whether runs of the project are, or were, on other machines than this."""
    others = {batch.executor for batch in index.batches()} - model.SEEN_FROM_HERE
    if not others:
        return False
    from nbbg import executors

    return any(map(executors.scheduler, others))


def _row(run: model.Run, *, several: bool) -> tuple[str, ...]:
    live = isinstance(run.state, model.Running)
    log = f"{run.folder}/{paths.LOG}"
    cell = f"{run.cell} of {run.cells}" if run.cell and run.cells else ""
    until = run.ended_at or (time.time() if live else None)
    seconds = until - run.started_at if run.started_at and until else None
    bar = _progress(log) if live else None
    says = table.one_line(run.state.reason or _says(run, log, has_bar=bar is not None), WIDTH)
    return (
        *(str(run.id), run.arm.name, str(run.number)),
        *([run.machine or run.host] if several else []),
        *(run.state.word, cell),
        table.duration(seconds),
        f"{bar.percent}% ({bar.done}/{bar.total}), {bar.left} left" if bar else "",
        f"attempt {run.attempt}; {says}".rstrip("; ")
        if run.attempt > 1 and not run.again
        else says,
    )


def _progress(log: str) -> Progress | None:
    from nbbg import logs

    return logs.progress(log)


def _says(run: model.Run, log: str, *, has_bar: bool) -> str:
    """What it printed last, or logged, where a bar has told the rest already."""
    if isinstance(run.state, model.Running) and not has_bar:
        from nbbg import logs

        return logs.last_line(log)
    return ", ".join(f"{name} {table.number(value)}" for name, value in run.metrics.items())


def _advise(index: Index, known: list[BatchReport], runs: list[model.Run]) -> None:
    """Say what to type where a person is needed."""
    for batch in known:
        if batch.paused_by and not set(batch.counts) <= _OVER:
            output.say(f"{batch.id} is paused: nbbg resume {batch.id}")
        elif batch.counts.get(model.Queued.word) and batch.supervisor_pid is None:
            output.say(f"{batch.id} has queued runs and no supervisor: nbbg resume {batch.id}")
        elif _waits_for_look(batch):
            output.say(f"{batch.id} waits for a look and has no supervisor: nbbg resume {batch.id}")
    lost = [run for run in runs if isinstance(run.state, model.Lost) and not run.cleaned_at]
    if lost:
        numbers = " ".join(str(run.id) for run in lost)
        output.say(f"{len(lost)} lost: nbbg resume {numbers}")
    failed = (run for run in runs if run.state.word in model.UNSUCCESSFUL and not run.cleaned_at)
    if any(not index.has_newer(run) for run in failed):
        output.say("what failed: nbbg show ID; another attempt: nbbg retry ID, or --failed")


def _waits_for_look(batch: BatchReport) -> bool:
    over = batch.until is None or batch.until.over
    idle = batch.supervisor_pid is None and not batch.stopped_by
    return not over and idle and set(batch.counts) <= _OVER
