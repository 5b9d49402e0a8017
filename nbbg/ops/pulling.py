"""Bringing home what readers do not need: checkpoints, and files that runs wrote."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nbbg import files, paths
from nbbg.errors import UsageError
from nbbg.executors.ssh import remote
from nbbg.ops import selection
from nbbg.store import hosts, submissions

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from nbbg.index import Index
    from nbbg.ops.project import Project
    from nbbg.store.hosts import Host

PULLED = "pulled"  # the folder of the project that files of machines come to, one of each machine


def where(index: Index, names: Sequence[str]) -> dict[str, list[tuple[int, int]]]:
    """Which of the runs are on which host, each with its batch; all runs where none is named."""
    meant = set(selection.numbers(index, names)) if names else None
    found: dict[str, list[tuple[int, int]]] = {}
    for batch in index.batches():
        for each in submissions.of(index.store.batch(batch.id)):
            for run in submissions.each(each.runs) if each.to else ():
                if meant is None or run in meant:
                    found.setdefault(each.to, []).append((batch.id, run))
    return found


def checkpoints(project: Project, host: Host, runs: Iterable[tuple[int, int]]) -> None:
    """Bring the checkpoint folders of runs.

    Raises:
        EnvironmentFault: the host can't be reached.
    """
    store = project.store
    source = f"{host.store}/{hosts.token(store.folder)}/{paths.BATCHES}"
    names = [f"{batch}/{paths.RUNS}/{run}/{paths.CHECKPOINT}" for batch, run in runs]
    # Of a run that never began there is none, which is no fault.
    remote.pull(host, source, store.batches, names, "--ignore-missing-args")


def path(project: Project, host: Host, name: str) -> Path:
    """Bring a file or folder of the project there to a place of that host's own; which.

    Raises:
        UsageError: it lies outside of the project.
        EnvironmentFault: the host can't be reached, or has no such thing.
    """
    inside = os.path.normpath(name)
    if os.path.isabs(inside) or inside.split(os.sep)[0] == os.pardir:
        message = f"--path {name}: a path in the project's folder there, such as outputs/models"
        raise UsageError(message)
    target = project.root / PULLED / host.name
    files.make_folder(target)
    remote.pull(host, host.path, target, [inside], f"--exclude=/{paths.STORE}")
    return target / inside
