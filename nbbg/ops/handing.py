"""Batches whose runs a scheduler starts: handing over what waits, taking it back, changes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from nbbg import executors, model, paths, secrets, settings
from nbbg.errors import EnvironmentFault, UsageError
from nbbg.index import Index
from nbbg.store import hearsay

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from nbbg.ops.project import Project
    from nbbg.settings import Settings


NOT_THERE = ("machine_jobs", "gpus", "gpu_free", "max_failures", "exit_file")  # a supervisor's
_OF_ONE = {"slurm": "slurm", "on": "ssh", "send": "ssh"}  # an executor's own settings
_NOT_OF_MANY = ("max_failures", "exit_file")  # of one supervisor for all runs


def refuse(chosen: Settings, *, until: bool = False) -> None:
    """Refuse settings that nobody would see to.

    Raises:
        UsageError: they are a supervisor's, or another executor's.
    """
    for name, executor in _OF_ONE.items():
        if chosen[name].source == f"--{name}" and chosen.executor != executor:
            instead = "--on HOSTS" if name == "send" else f"--executor {executor}"
            raise UsageError(f"--{name} is for the executor {executor}\nadd: {instead}")
    if executors.scheduler(chosen.executor) is None:
        return
    if until:
        message = f"--until decided needs a supervisor here, and {chosen.executor} has none"
        raise UsageError(f"{message}\nleave it out")
    for name in _NOT_OF_MANY if chosen.executor == "ssh" else NOT_THERE:
        if chosen[name].value:
            option = f"--{name.replace('_', '-')}"
            slurm = chosen.executor == "slurm" and "gpu" in name
            instead = "--slurm gres=gpu:1" if slurm else "leave it out"
            message = (
                f"{option} is not for {chosen.executor}, which needs no supervisor here\n{instead}"
            )
            raise UsageError(message)


def facts(where: Project) -> dict[str, Any]:
    """What a batch records of what goes along with it to other machines.

    Raises:
        UsageError: there is no such file in the project.
    """
    if where.settings.executor != "ssh":
        return {}
    from nbbg.store import hosts

    carried = [*settings.dotenv_environment(where.root), *where.settings.secrets, secrets.NAMED]
    return {
        hosts.SENT: [_inside(where, name) for name in where.settings.send],
        hosts.CARRIED: sorted(set(carried)),
        hosts.GPUS: list(where.settings.gpus),
        hosts.JOBS: where.settings["jobs"].source != settings.DEFAULT,
    }


def _inside(where: Project, name: str) -> str:
    path = os.path.abspath(name)
    relative = os.path.relpath(path, where.root)
    if not os.path.exists(path) or relative.startswith(os.pardir):
        raise UsageError(f"--send {name}: there is no such file or folder in {where.root}")
    return relative


def hand_over(project: Project, batch: model.Batch, environment: Mapping[str, str]) -> None:
    """Give the scheduler what waits in a batch and is not in its line.

    Raises:
        EnvironmentFault: it does not take it; what was asked for is on disk all the same.
    """
    scheduler = executors.scheduler(batch.executor)
    assert scheduler is not None  # noqa: S101 - the caller has looked
    folder = project.store.batch(batch.id)
    try:
        with Index(project.store) as index:
            waiting = _waiting(project, index, batch)
        if waiting:
            try:
                scheduler.hand_over(folder.resolve(), waiting, environment)
            finally:
                hearsay.forget(folder)
        if (folder / paths.CHANGES).exists():  # such as a pause that is over
            scheduler.follow(folder.resolve())
    except EnvironmentFault as fault:
        message = f"{fault}\n{batch.name} is recorded; to submit it again: nbbg resume {batch.name}"
        raise EnvironmentFault(message) from fault


def withdraw(project: Project, index: Index, runs: Collection[int]) -> list[str]:
    """Take runs that were stopped out of the lines they wait in; what could not be said there.

    That they are stopped is a fact already: a task that starts all the same ends at once.
    """
    troubles = []
    for number in index.batches_of(runs):
        batch = index.batch(number)
        mine = [run for run in runs if batch.first <= run <= batch.last]
        if mine and (scheduler := executors.scheduler(batch.executor)):
            try:
                scheduler.withdraw(project.store.batch(number).resolve(), mine)
            except EnvironmentFault as fault:
                troubles.append(f"{batch.name}: {fault}")
    return troubles


def follow(project: Project, batch: model.Batch) -> list[str]:
    """Have the scheduler do what was changed about a batch; what could not be said there."""
    scheduler = executors.scheduler(batch.executor)
    if scheduler is None:
        return []
    try:
        scheduler.follow(project.store.batch(batch.id).resolve())
    except EnvironmentFault as fault:
        return [f"{batch.name}: {fault}"]
    return []


def _waiting(project: Project, index: Index, batch: model.Batch) -> list[int]:
    """What the facts call queued, and nothing holds."""
    from nbbg.store import changes

    queued = model.Queued | model.Submitted | model.Unknown
    found = {
        run.id
        for run in index.open()
        if run.batch == batch.id and isinstance(run.state, queued) and not run.host
    }
    held = index.stopped_by(batch.id)
    held = held or changes.read(project.store.batch(batch.id), batch).paused_by
    return sorted(found) if held else sorted(found.union(index.waiting(batch.id)))
