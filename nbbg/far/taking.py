"""`take`: runs of a batch become this machine's to start; the batch too, where it is not here yet.

The batch comes into a folder of its own, and is published by one rename, as at a launch. Asked
again, nothing changes.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbbg import files, model, paths, process
from nbbg.classes import replace
from nbbg.far import giving, orders, places
from nbbg.runner import environment
from nbbg.runner.stopping import sweep
from nbbg.store import batches, hosts, plans, runs, state, submissions

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from nbbg.store.place import Store

_MOVED = (paths.BATCH, paths.PLAN, paths.ARMS)  # kept as they came
_ABANDONED = 6 * 3600.0  # seconds after which a transfer that was cut is swept away


def carry_out(request: Mapping[str, Any]) -> dict[str, Any]:
    """Take them; `missing` where the batch is not here, and did not come along.

    Those that were given back since the client asked are `given`, and not taken.

    Raises:
        NbbgError: they can't run here; nothing was taken then.
    """
    store, number = places.make(request), int(request["batch"])
    with places.alone(store, number):
        return _take(store, number, request)


def _take(store: Store, number: int, request: Mapping[str, Any]) -> dict[str, Any]:
    folder = store.batch(number)
    given, until = giving.marks(store, number), request.get("until", sys.maxsize)
    asked_for = set(submissions.each(request["runs"]))
    mine = {run for run in asked_for if given.get(run, -1) < until}
    if not folder.exists():
        incoming = str(request["incoming"])
        if not incoming:
            return {"missing": True}
        _publish(store, number, store.batches / incoming, mine, request)
    places.refuse_other(store, number, request.get("made"))
    _sweep(store)
    places.keep_deals(folder, request["deals"])
    added = _grow(folder, mine)
    orders.apply(store, number, request["orders"], lifts=bool(request["lifts"]))
    attempts = {int(run): int(attempt) for run, attempt in request["attempts"].items()}
    back = {run for run in mine if _was_given_back(store.run(number, run))}
    for run in sorted(added | back | mine & attempts.keys()):
        _queue(store, number, run, attempts.get(run, 1))
    _start(folder, request["environment"])
    return {"missing": False, "given": submissions.ranges(asked_for - mine)}


def _publish(
    store: Store, number: int, folder: Path, mine: Collection[int], request: Mapping[str, Any]
) -> None:
    if not (folder / paths.ASKED).exists():
        files.make_folder(folder / paths.ASKED)
        for name in _MOVED:
            with contextlib.suppress(FileNotFoundError):
                os.rename(folder / name, folder / paths.ASKED / name)
    from nbbg.far import arms  # which reads notebooks' headers, and asks interpreters
    from nbbg.ops import provenance

    given = _environment(request["environment"])
    batch = _as_here(folder, store.root, given)
    batch = replace(batch, arms=arms.settle(batch, folder, store.root, request["python"]))
    content = {
        **batches.to_files(batch, store.root),
        paths.PLAN: _plan(folder, mine),
        paths.PACKAGES: provenance.all_packages(batch.arms.values(), given),
        paths.EVENTS: b"",
        paths.SUPERVISOR_LOCK: b"",
    }
    with files.Folder(folder) as opened:
        for name, data in content.items():
            opened.replace(name, data)
    files.make_folder(folder / paths.RUNS)
    files.fsync_folder(folder)
    for arm in batch.arms.values():
        os.makedirs(arm.cwd, exist_ok=True)
    try:
        os.rename(folder, store.batch(number))
        files.fsync_folder(store.batches)
    except OSError:
        if not store.batch(number).exists():
            raise
        shutil.rmtree(folder, ignore_errors=True)  # it came twice


def _as_here(folder: Path, root: Path, given: Mapping[str, str]) -> model.Batch:
    """The batch as it came, with this machine's folder as its root."""
    with files.Folder(folder / paths.ASKED) as opened:
        record = opened.read_json(paths.BATCH) or {}
    here = files.to_json({**record, "root": str(root)})
    with files.Folder(folder) as opened:
        opened.replace(paths.BATCH, here)
        if record.get("arm_count"):
            opened.replace(paths.ARMS, (folder / paths.ASKED / paths.ARMS).read_bytes())
    batch = batches.read_folder(folder)
    facts = {**batch.facts, "environment": environment.to_record(given)}
    own = replace(batch, executor="local", options=(), host=process.host(), facts=facts)
    return _with_gpus(own, given) if facts.get(hosts.GPUS) else own


def _with_gpus(batch: model.Batch, given: Mapping[str, str]) -> model.Batch:
    """With the GPUs of this machine that its runs take turns on."""
    from nbbg import settings
    from nbbg.ops import cards

    flags = {"gpus": batch.facts[hosts.GPUS], "per_gpu": batch.per_gpu}
    flags |= {"gpu_free": batch.gpu_free}
    flags |= {"jobs": batch.jobs} if batch.facts[hosts.JOBS] else {}
    only = ("gpus", "per_gpu", "gpu_free", "jobs", "executor", "on")
    chosen = settings.resolve(Path(os.devnull), {"HOME": str(Path.home())}, flags, only)
    found = cards.choose(chosen, given)
    return replace(batch, gpus=found.gpus, jobs=cards.jobs(chosen, found.gpus))


def _plan(folder: Path, mine: Collection[int]) -> bytes:
    """Those lines of the plan that are this machine's."""
    whole = plans.read(folder / paths.ASKED / paths.PLAN)
    return plans.to_bytes(run for run in whole if run.id in mine)


def _grow(folder: Path, mine: Collection[int]) -> set[int]:
    """Have more runs in the plan here; those that were not in it."""
    known = {run.id for run in plans.read(folder / paths.PLAN)}
    if added := set(mine) - known:
        with files.Folder(folder) as opened:
            opened.replace(paths.PLAN, _plan(folder, known | added))
    return added


def _queue(store: Store, batch: int, run: int, attempt: int) -> None:
    """Make that attempt of a run, unless it has come so far by itself, or is at work."""
    folder = store.run(batch, run)
    newest = runs.newest_attempt(folder)
    if _was_given_back(folder):
        attempt = newest + 1  # it has come again
    if newest >= attempt:
        return
    if newest:
        with files.Folder(folder / str(newest)) as opened:
            if isinstance(state.derive(opened), model.Submitted | model.Running | model.Unknown):
                return
            sweep(opened, grace=2.0)
            opened.remove(paths.ENVIRONMENT)
    with contextlib.suppress(FileExistsError):
        runs.new_attempt(store, batch, run, attempt)
    batches.add_event(store, batch, "queued", run, attempt)


def _was_given_back(run: Path) -> bool:
    newest = runs.newest_attempt(run)
    if not newest:
        return False
    with files.Folder(run / str(newest)) as opened:
        return giving.is_given_back(opened)


def _start(folder: Path, carried: Mapping[str, str]) -> None:
    """A supervisor, which needs nothing from the client; a second one leaves at once."""
    argv = process.own_program("nbbg.supervisor", str(folder))
    given = _environment(carried)
    os.utime(folder / paths.SUPERVISOR_LOCK)  # about to be taken
    process.spawn_detached(argv, str(folder / paths.SUPERVISOR_LOG), given)


def _environment(carried: Mapping[str, str]) -> dict[str, str]:
    """This machine's own, without what belongs to the link, under what came along."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("SSH_")}
    return environment.of_launch({**own, **carried})


def _sweep(store: Store) -> None:
    for path in store.batches.glob(".new-*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _ABANDONED:
                shutil.rmtree(path)
