"""Starting the supervisor of a batch, when there is something for it to do; or handing it over."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from nbbg import executors, paths, process, secrets, settings
from nbbg.errors import EnvironmentFault, UsageError
from nbbg.runner import environment
from nbbg.store import batches, filesystem

if TYPE_CHECKING:
    from nbbg import model
    from nbbg.ops.project import Project


def now(project: Project) -> dict[str, str]:
    """The environment that a launch from here hands to its runs: `.env`, under our own."""
    given = {**settings.dotenv_environment(project.root), **os.environ}
    if project.settings.secrets:
        given[secrets.NAMED] = ",".join(project.settings.secrets)
    return environment.of_launch(given)


def refuse_exit_file(exit_file: str) -> None:
    """Nothing is started where it would be stopped at once.

    Raises:
        UsageError: the exit file is there.
    """
    if exit_file and Path(exit_file).exists():
        would = "the batch would stop at once\nremove it first"
        message = f"the exit file {exit_file} is there: {would}"
        raise UsageError(message)


def ensure(project: Project, batch: model.Batch) -> None:
    """Start the batch's supervisor; one that is at work already makes the new one leave at once.

    Where the executor is not detached, this process is the supervisor, until the batch is through.

    Raises:
        EnvironmentFault: no process can be started; what was asked for is on disk all the same.
    """
    folder = project.store.batch(batch.id)
    given = environment.of_resume(batch.facts["environment"], now(project))
    if (said := project.settings.network_file_system) != filesystem.AUTO:
        given[filesystem.VARIABLE] = said
    if not executors.get(batch.executor).detached:
        from nbbg.supervisor.loop import supervise

        supervise(folder.resolve(), given)
        return
    if executors.scheduler(batch.executor):
        from nbbg.ops import handing

        batches.make_caches(folder)
        handing.hand_over(project, batch, given)
        return
    argv = process.own_program("nbbg.supervisor", str(folder.resolve()))
    try:
        process.spawn_detached(argv, str(folder / paths.SUPERVISOR_LOG), given)
    except OSError as error:
        later = f"later: nbbg resume {batch.name}"
        message = f"the supervisor can't be started: {error.strerror}\n{later}"
        raise EnvironmentFault(message) from error
