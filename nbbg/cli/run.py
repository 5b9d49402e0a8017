"""`nbbg run`."""

from __future__ import annotations

import itertools
import os
import sys
from typing import TYPE_CHECKING

from nbbg import model, screen
from nbbg.cli import ids, output
from nbbg.errors import UsageError
from nbbg.ops import deciding, gather, pieces, project, sources
from nbbg.ops.asked import target
from nbbg.ops.giving import Freedom
from nbbg.ops.launch import Request, launch
from nbbg.ops.layout import Layout
from nbbg.ops.pieces import Piece

if TYPE_CHECKING:
    import argparse

    from nbbg.ops.launch import Launched
    from nbbg.ops.project import Project

SETTINGS = (
    *("jobs", "engine", "executor", "on", "send", "slurm", "python", "grace", "exit_file"),
    *("output_cap", "log_max", "scratch"),
    *("machine_jobs", "gpus", "per_gpu", "gpu_free"),
    *("timeout", "cell_timeout", "watchdog", "quiet_after", "allow_errors"),
    *("retries", "retry_delay", "retry_on", "max_failures", "freeze", "warm", "preload"),
)

OF_PIECES = ("recursive", "include", "exclude", "output_dir", "output", "prepend", "append")
MOST = 20  # arms that are named
LIKE_PAPERMILL = Freedom(new_names=True, any_type=True)


def command(arguments: argparse.Namespace) -> int:
    """Launch; with `--wait`, stay until all have ended."""
    where = project.here(flags(arguments))
    if arguments.dry_run:
        from nbbg.cli import preview

        return preview.show(where, _request(where, arguments), as_json=arguments.json)
    launched = launch(where, _request(where, arguments))
    for note in launched.notes:
        output.say(note)
    for note in _unchanged_jobs(where, launched) if arguments.jobs is not None else ():
        output.say(note)
    waits = arguments.wait or launched.foreground is not None
    if arguments.json and not waits:
        _document(where, launched)
    else:
        _tell(launched, quiet=arguments.json)
    if not waits:
        return 0
    code = _wait(where, launched)
    if arguments.json:
        _document(where, launched)
    return code


def _wait(where: Project, launched: Launched) -> int:
    from nbbg.cli import progress
    from nbbg.ops import supervision

    if launched.foreground:
        supervision.ensure(where, launched.foreground)
    return progress.wait(where, launched.runs())


def flags(arguments: argparse.Namespace) -> dict[str, object]:
    """The settings that were given on the command line."""
    given = {name: getattr(arguments, name) for name in SETTINGS}
    return {name: value for name, value in given.items() if value is not None}


def _request(where: Project, arguments: argparse.Namespace) -> Request:
    asked, freedom = _pieces(where, arguments)
    runs = arguments.runs
    until = deciding.asked(arguments.until, runs, vars(arguments))
    if runs is None and not arguments.notebooks:
        runs = where.settings.run_times
    return Request(
        pieces=asked,
        target=until.target if until else target(runs),
        until=until,
        seed=arguments.seed,
        name=arguments.name,
        note=arguments.note,
        mix=arguments.mix,
        freedom=freedom,
        results=[name.strip() for name in arguments.results.split(",") if name.strip()],
    )


def _pieces(where: Project, arguments: argparse.Namespace) -> tuple[list[Piece], Freedom]:
    files = sources.read(arguments.files)
    if found := sources.profiles(files):
        _refuse_beside_profiles(arguments)
        over = sources.typed(arguments.params, product=arguments.product)
        return pieces.of_profiles(found, over), LIKE_PAPERMILL
    sets = sources.sets(files, arguments.params, product=arguments.product)
    named = arguments.notebooks
    if not named and not all(given.notebook for given in sets):
        named = where.settings.notebooks
    layout = Layout(
        os.path.abspath(arguments.output_dir) if arguments.output_dir else "",
        arguments.output,
        _listed(arguments.prepend),
        _listed(arguments.append),
    )
    chosen = gather.selection(
        recursive=arguments.recursive, include=arguments.include, exclude=arguments.exclude
    )
    freedom = Freedom(arguments.allow_new_params, arguments.allow_any_type)
    return [Piece(named, sets, layout, chosen)], freedom


def _refuse_beside_profiles(arguments: argparse.Namespace) -> None:
    if arguments.notebooks:
        message = f"{arguments.notebooks[0]}: profiles name their own notebooks; leave it out"
        raise UsageError(message)
    for name in OF_PIECES:
        if getattr(arguments, name) not in (None, "", [], False):
            option = f"--{name.replace('_', '-')}"
            message = f"{option}: profiles say that themselves; leave it out"
            raise UsageError(message)


def _listed(text: str | None) -> list[str] | None:
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]


def _document(where: Project, launched: Launched) -> None:
    from nbbg.cli import reading
    from nbbg.ops import reports

    with reading.index(where) as index:
        found = [index.run(number) for number in launched.runs()]
        output.document(
            {
                "batch": launched.batch.name if launched.batch else None,
                "batches": [batch.name for batch in launched.working],
                "runs": [reports.of_run(run).to_json() for run in found if run],
            }
        )


def _tell(launched: Launched, *, quiet: bool) -> None:
    for line in _lines(launched):
        print(screen.without_escapes(line), file=sys.stderr if quiet else sys.stdout, flush=True)


def _lines(launched: Launched) -> list[str]:
    lines = []
    if batch := launched.batch:
        lines.append(_of_batch(batch))
        lines += [_of_arm(arm) for arm in itertools.islice(batch.arms.values(), MOST)]
        if more := len(batch.arms) - MOST:
            lines += [f"  and {more} arms more"] if more > 0 else []
        lines += [f"  {batch.until}"] if batch.until else []
    if launched.succeeded:
        lines.append(f"kept: {launched.succeeded} that have succeeded")
    if launched.again:
        lines.append(f"again: {_ids(launched.again)}")
    for batch in launched.working:
        count = sum(run.batch == batch.id and not _done(run) for run in launched.covered)
        lines.append(f"at work: {batch.name}, with {count} of these runs, {batch.jobs} at a time")
    if launched.unknown:
        lines.append(f"unknown, left alone: {_ids(launched.unknown)}")
    return lines + _next(launched)


def _of_batch(batch: model.Batch) -> str:
    count = batch.last - batch.first + 1
    numbers = f"runs {batch.first}-{batch.last}" if count > 1 else f"run {batch.first}"
    until = f", until {batch.exit_file} is there" if batch.exit_file else ""
    gpus = f" on GPU {', '.join(batch.gpus)}" if batch.gpus else ""
    if batch.executor == "ssh":
        gpus += f" on {'each of ' if len(batch.options) > 1 else ''}{', '.join(batch.options)}"
    return f"batch {batch.name}: {numbers}, {batch.jobs} at a time{gpus}, {batch.executor}{until}"


def _of_arm(arm: model.Arm) -> str:
    source = f" ({arm.python_source})" if arm.python_source else ""
    kernel = f"kernel {arm.kernel}" if arm.engine == "kernel" else "the python of each machine"
    with_what = f"{arm.python}{source}" if arm.python else kernel
    folder = os.path.relpath(os.path.dirname(arm.output))
    where = "a log only" if arm.log_only else f"to {folder}/"
    return f"  {arm.name}: {arm.notebook}, {arm.engine}, {with_what}, {where}"


def _next(launched: Launched) -> list[str]:
    batch = launched.batch or next(iter(launched.working), None)
    if launched.foreground:
        return []
    if batch is None:
        return [*_over(launched), "  nbbg results        what came out"]
    first = batch.first if launched.batch else _first_at_work(launched)
    return [
        "  nbbg status         what runs, waits and has ended",
        f"  nbbg logs {first} -f".ljust(22) + "follow the first",
        f"  nbbg stop {batch.name}".ljust(22) + "stop it",
    ]


def _over(launched: Launched) -> list[str]:
    if launched.verdict:
        return [launched.verdict, "  nbbg run ... --name 'again/{arm}'    the same once more"]
    return ["nothing to start: all have succeeded"]


def _first_at_work(launched: Launched) -> int:
    return next(run.id for run in launched.covered if not _done(run))


def _unchanged_jobs(where: Project, launched: Launched) -> list[str]:
    """What to type where `--jobs` was meant for a batch that is at work."""
    jobs = where.settings.jobs
    return [
        f"--jobs {jobs} does not change {batch.name}, which goes on with {batch.jobs}:"
        f" nbbg jobs {batch.name} {jobs}"
        for batch in launched.working
        if batch.jobs != jobs
    ]


def _ids(runs: list[model.Run]) -> str:
    return ids.runs(run.id for run in runs)


def _done(run: model.Run) -> bool:
    return run.state.word == model.Succeeded.word
