"""What became of tasks that left the line without a record of their run: Slurm's word while it has
one, and what the task said of itself, in its output beside the script.

A task whose output is there was started on a node; one without was taken out of the line.
"""

from __future__ import annotations

import os
import re
import shutil
from typing import TYPE_CHECKING

from nbbg import files, model, paths
from nbbg.errors import EnvironmentFault
from nbbg.executors.slurm import commands
from nbbg.store import submissions

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

ASKED = 10  # tasks that Slurm is asked about one by one
CANCELLED = "cancelled"
_TAIL = 4096  # bytes of an output
_LONGEST = 160  # characters of a reason
_SIGNS = 2  # between the fields of a line of sacct
_FIELD = re.compile(r"\b(JobState|ExitCode)=(\S+)")


def of(batch: Path, runs: Collection[int]) -> dict[int, model.Told]:
    """What is known of these runs of a batch; nothing of what was never submitted."""
    made = submissions.of(batch)
    taken = {run: each for run in sorted(runs) if (each := submissions.newest(made, run))}
    tickets = {run: each.ticket(run) for run, each in taken.items()}
    ended = _ended(list(tickets.values())[:ASKED])
    return {
        run: _told(
            ended.get(tickets[run], ("", "")),
            _said(batch / paths.JOBS, f"{each.number}-{run - each.base}.out"),
        )
        for run, each in taken.items()
    }


def _told(ended: tuple[str, str], said: str | None) -> model.Told:
    state, code = ended
    if state.startswith("CANCELLED") or (not state and said is None):
        return model.Told(model.Word.GONE, state.lower() or CANCELLED)
    how = state.lower().replace("_", " ") or "over"
    reason = f"its task is {how}" + (f", exit code {code}" if code not in ("", "0") else "")
    return model.Told(model.Word.GONE, f"{reason}: {said}" if said else reason)


def _ended(tickets: list[str]) -> Mapping[str, tuple[str, str]]:
    """The state and the exit code of each, as far as Slurm remembers it."""
    found = {ticket: seen for ticket in tickets if (seen := _shown(ticket))}
    return {**_accounted([ticket for ticket in tickets if ticket not in found]), **found}


def _shown(ticket: str) -> tuple[str, str] | None:
    try:
        fields = dict(_FIELD.findall(commands.scontrol("--oneliner", "show", "job", ticket)))
    except EnvironmentFault:
        return None
    code, _, signal = fields.get("ExitCode", "").partition(":")
    return fields.get("JobState", ""), code if signal in ("", "0") else f"signal {signal}"


def _accounted(tickets: list[str]) -> Mapping[str, tuple[str, str]]:
    """The same from the accounting, where there is one."""
    if not tickets or shutil.which("sacct") is None:
        return {}
    try:
        said = commands.sacct("--jobs", ",".join(tickets), "--format=JobID,State,ExitCode")
    except EnvironmentFault:
        return {}
    rows = (line.split("|") for line in said.splitlines() if line.count("|") == _SIGNS)
    return {job: (state, code.partition(":")[0]) for job, state, code in rows}


def _said(folder: Path, name: str) -> str | None:
    """The last line of a task's output; None where it has none, for it was never started."""
    try:
        with open(folder / name, "rb", opener=files.opener) as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL))
            lines = file.read().decode(errors="replace").split("\n")
    except OSError:
        return None
    return next((line.strip()[:_LONGEST] for line in reversed(lines) if line.strip()), "")
