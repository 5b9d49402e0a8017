"""Going on after a limit of time: Slurm starts the same task again, as the run's next attempt.

The attempt's folder is made before the result of this one is written, so that no reader takes the
run for over in between.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Any

from nbbg import model, paths
from nbbg.runner.opening import JOB, TASK, TIME_LIMIT
from nbbg.store import batches, endings, place, policy, runs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from nbbg.files import Folder

PATIENCE = 60.0  # seconds for scontrol


def prepare(path: Path, folder: Folder, record: Mapping[str, Any]) -> str:
    """Make the next attempt where one is to follow; the task that carries it, or empty.

    After a limit of time only where the notebook would not begin anew: it has asked
    `nbbg.should_stop()`, or left something in its checkpoint folder.

    Args:
        path: of this attempt.
        folder: the same, open.
        record: how it ended; not written yet.
    """
    try:
        if not _follows(path, folder, record):
            return ""
        store, batch, run = place.of_batch(path.parents[2]), int(path.parents[2].name), path.parent
        number = int(path.name) + 1
        with contextlib.suppress(FileExistsError):
            runs.new_attempt(store, batch, int(run.name), number)
        batches.add_event(store, batch, "queued", int(run.name), number)
    except OSError as error:  # a full disk: a person's `resume` makes it
        _say(f"no next attempt: {error}")
        return ""
    return f"{os.environ[JOB]}_{os.environ.get(TASK, '')}".rstrip("_")


def ask(task: str) -> None:
    """Have Slurm start this very task again, which ends this process."""
    import subprocess  # not by every runner

    try:
        done = subprocess.run(
            ["scontrol", "requeue", task],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
    except (OSError, subprocess.SubprocessError) as error:
        _say(f"scontrol requeue: {error}")
    else:
        if done.returncode:
            _say(done.stderr.strip())


def _follows(path: Path, folder: Folder, record: Mapping[str, Any]) -> bool:
    found = endings.from_json(record)
    if isinstance(found, model.Stopped):
        saved = path.parent / paths.CHECKPOINT
        has_saved = folder.exists(paths.LISTENS) or any(saved.iterdir())
        return found.by == TIME_LIMIT and has_saved
    batch = batches.read_folder(path.parents[2])
    return policy.again(batch, int(path.name), found, path, record.get("ended_at")) is not None


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")  # of the task, beside the script
