"""The script that sbatch is given: plain, kept beside the records, and fit to be read.

What varies is passed as arguments, never written into the script; the user's options are its
`#SBATCH` lines.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nbbg.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LEAD = 120  # seconds before its limit of time at which a run is asked to stop
_OURS = {
    **dict.fromkeys(("array", "job-name", "open-mode"), "nbbg sets it; for arrays: --jobs"),
    **dict.fromkeys(("output", "error"), "a run's log is its own: nbbg logs ID"),
    **dict.fromkeys(
        ("chdir", "export", "export-file"),
        "a run has its notebook's folder, and the environment of the launch",
    ),
    **dict.fromkeys(
        ("wrap", "parsable", "test-only", "wait", "hold", "kill-on-invalid-dep"),
        "nbbg would misunderstand the answer",
    ),
    **dict.fromkeys(("ntasks", "nodes"), "a run is one task on one node"),
}
_FLAGS = frozenset(
    (
        *("contiguous", "exclusive", "no-requeue", "overcommit", "oversubscribe", "requeue"),
        *("reboot", "spread-job", "use-min-nodes", "no-kill", "ignore-pbs", "get-user-env"),
    )
)
_NAME = re.compile(r"[a-z][a-z0-9-]*")
_TEXT = """\
#!/bin/sh
# Runs of nbbg, one a task: {title}
#SBATCH --job-name={name}
#SBATCH --array={array}
#SBATCH --open-mode=append
{options}
# Given by nbbg: the folder of the runs, the run of index 0, and the program that carries one out.
runs=$1 base=$2
shift 2
exec "$@" "$runs/$((base + SLURM_ARRAY_TASK_ID))"
"""


def parse(given: Iterable[str]) -> dict[str, str]:
    """sbatch's options from what people type: `partition=gpu,time=4:00:00`, `exclusive`.

    A part without `=` belongs to the value before it (`exclude=n1,n2`), but for sbatch's own flags.

    Raises:
        UsageError: no such option can be, or nbbg sets it itself.
    """
    found: dict[str, str] = {}
    for text in given:
        last = ""
        for part in text.split(","):
            name, sign, value = part.partition("=")
            name = name.strip().removeprefix("--")
            if not sign and last and found[last] and name not in _FLAGS:
                found[last] += f",{part}"
                continue
            _check(name, value, text)
            found[name] = value
            last = name
            if sign and not value:
                raise UsageError(f"--slurm {text}: {name} has no value")
    return found


def _check(name: str, value: str, text: str) -> None:
    if not _NAME.fullmatch(name):
        such = "such as: --slurm partition=gpu,time=4:00:00"
        raise UsageError(f"--slurm {text}: {name!r} is no option of sbatch\n{such}")
    if name in _OURS:
        raise UsageError(f"--slurm {name}: not for nbbg: {_OURS[name]}")
    if not value.isprintable() or set(value) & set("\"'\\`$"):
        raise UsageError(f"--slurm {text}: {value!r} can't stand in a script")


def text(title: str, name: str, array: str, options: Mapping[str, str]) -> str:
    """The script for one array.

    Args:
        title: what it is, for a reader.
        name: of the job.
        array: the indices and how many at a time, as sbatch has it: `0-19%4`.
        options: of `parse`.
    """
    all_options = {"signal": f"B:USR1@{LEAD}", "requeue": "", **options}
    if "no-requeue" in options:
        del all_options["requeue"]
    lines = "\n".join(f"#SBATCH {_option(*each)}" for each in all_options.items())
    shown = "".join(char if char.isprintable() else "?" for char in title)
    return _TEXT.format(title=shown, name=name, array=array, options=lines)


def _option(name: str, value: str) -> str:
    if not value:
        return f"--{name}"
    return f'--{name}="{value}"' if " " in value else f"--{name}={value}"
