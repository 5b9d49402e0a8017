"""What a run finds in its environment."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nbbg import paths, secrets
from nbbg.notebook.interpreters import entering

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from nbbg import model

THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


def of_launch(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment without what tells a run who it is, for a batch launched inside a run."""
    found = {name: value for name, value in environment.items() if name not in paths.OF_A_RUN}
    if tree := environment.get(paths.TREE):
        hook = os.path.join(os.path.dirname(tree), paths.TWINS)
        path = found.pop("PYTHONPATH", "").split(os.pathsep)
        if path := [each for each in path if each != hook]:
            found["PYTHONPATH"] = os.pathsep.join(path)
    return found


def to_record(environment: Mapping[str, str]) -> dict[str, str]:
    """What of an environment is recorded: all but the secrets, and what holds one of them."""
    hidden = secrets.values(environment)
    return {
        name: value
        for name, value in environment.items()
        if not any(secret in value for secret in hidden)
    }


def of_resume(recorded: Mapping[str, str], now: Mapping[str, str]) -> dict[str, str]:
    """The environment of the launch, with the secrets of whoever resumes."""
    kept = to_record(now)
    hidden = {name: value for name, value in now.items() if name not in kept}
    return {**of_launch(recorded), **of_launch(hidden)}


def for_run(
    base: Mapping[str, str], batch: model.Batch, run: model.Run, gpu: str = ""
) -> dict[str, str]:
    """The environment of a run, but for its marker.

    What the user set wins, but for what belongs to the interpreter, the GPU that it has, and the
    names that tell a run who it is.
    """
    base = entering.entered(base, {**run.arm.variables, **_withheld(run.arm)}, run.arm.python)
    folder = os.path.dirname(run.folder)
    # Each library looks for its own variable before OpenMP's, which is the one that people set.
    mine = base.get("OMP_NUM_THREADS", "").partition(",")[0]
    threads = mine or base.get("SLURM_CPUS_ON_NODE") or str(max(1, cpus() // batch.at_once()))
    return {
        "PYTHONUNBUFFERED": "1",
        "PYTHONHASHSEED": "0",
        **dict.fromkeys(paths.GROUPS, run.arm.name),
        **dict.fromkeys(THREADS, threads),
        **({paths.GPU_ORDER: "PCI_BUS_ID"} if gpu else {}),
        **of_launch(base),
        **({paths.VISIBLE_GPUS: gpu} if gpu else {}),
        paths.RUN_NUMBER: str(run.number),
        paths.SEED: str(run.seed),
        paths.RUN_ID: str(run.id),
        paths.RUN_DIR: folder,
        paths.CHECKPOINT_DIR: os.path.join(folder, paths.CHECKPOINT),
        paths.ATTEMPT: str(run.attempt),
        paths.ARM: run.arm.name,
    }


def of_template(
    given: Mapping[str, str], folder: Path, batch: model.Batch, run: model.Run
) -> dict[str, str]:
    """What all runs of an arm have in common, for the process that they are forked from."""
    found = for_run(given, batch, run)
    found.update(of_project(folder, batch, found))
    own = {name: value for name, value in found.items() if name not in paths.OF_ONE_RUN}
    return {**own, paths.SPARE: "-" * paths.MARKER_LENGTH}


def of_project(folder: Path, batch: model.Batch, given: Mapping[str, str]) -> dict[str, str]:
    """What tells a run its project, and has it import what was frozen of that.

    Args:
        folder: the batch's.
        batch: its record.
        given: the environment so far.
    """
    project = {paths.PROJECT: batch.root or str(folder.parents[2])}
    if "tree" not in batch.facts:
        return project
    path = os.pathsep.join(filter(None, (str(folder / paths.TWINS), given.get("PYTHONPATH"))))
    return {**project, paths.TREE: str(folder / paths.TREE_FOLDER), "PYTHONPATH": path}


def _withheld(arm: model.Arm) -> dict[str, str | None]:
    """The secrets that the interpreter's environment sets: they were not recorded."""
    if not arm.withheld:
        return {}
    from nbbg.notebook import kernelspecs

    kernel = kernelspecs.find(arm.kernel) if arm.kernel else None
    return entering.withheld(arm.python, arm.withheld, kernel.env if kernel else {})


def cpus() -> int:
    """How many CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
