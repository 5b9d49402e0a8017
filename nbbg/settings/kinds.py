"""Which settings there are: each one's name in the environment, its reader and its default."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbbg import model, secrets
from nbbg.classes import dataclass
from nbbg.settings import values

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Kind:
    """A setting that there is: its name in the environment, its reader and its default."""

    variable: str
    read: Callable[[Any, values.Place], Any]
    default: Any = ""


KINDS: dict[str, Kind] = {
    "jobs": Kind("NBBG_JOBS", values.count, 1),
    "machine_jobs": Kind("NBBG_MACHINE_JOBS", values.count_or_none, 0),
    "gpus": Kind("NBBG_GPUS", values.gpus, ()),
    "per_gpu": Kind("NBBG_PER_GPU", values.count, 1),
    "gpu_free": Kind("NBBG_GPU_FREE", values.size, 0),
    "engine": Kind("NBBG_ENGINE", values.engine),
    "executor": Kind("NBBG_EXECUTOR", values.string, "local"),
    "slurm": Kind("NBBG_SLURM", values.options, ()),
    "on": Kind("NBBG_ON", values.names, ()),
    "send": Kind("NBBG_SEND", values.names, ()),
    "python": Kind("NBBG_PYTHON", values.python),
    "store": Kind("NBBG_STORE", values.path),
    "network_file_system": Kind("NBBG_NETWORK_FILE_SYSTEM", values.flag_or_auto, "auto"),
    "ask_every": Kind("NBBG_ASK_EVERY", values.delay, 3.0),
    "grace": Kind("NBBG_GRACE", values.seconds, 10.0),
    "timeout": Kind("NBBG_TIMEOUT", values.limit, 0.0),
    "cell_timeout": Kind("NBBG_CELL_TIMEOUT", values.limit, 0.0),
    "watchdog": Kind("NBBG_WATCHDOG", values.limit, 0.0),
    "quiet_after": Kind("NBBG_QUIET_AFTER", values.limit, 600.0),
    "allow_errors": Kind("NBBG_ALLOW_ERRORS", values.flag, default=False),
    "retries": Kind("NBBG_RETRIES", values.number, 0),
    "retry_delay": Kind("NBBG_RETRY_DELAY", values.delay, 10.0),
    "retry_on": Kind("NBBG_RETRY_ON", values.endings, model.RETRIABLE),
    "max_failures": Kind("NBBG_MAX_FAILURES", values.number, 0),
    "warm": Kind("NBBG_WARM", values.warm, model.AUTO),
    "preload": Kind("NBBG_PRELOAD", values.preload, ()),
    "freeze": Kind("NBBG_FREEZE", values.freeze, values.NOTEBOOK),
    "output_cap": Kind("NBBG_OUTPUT_CAP", values.size, 10_000_000),
    "scratch": Kind("NBBG_SCRATCH", values.place_there),
    "log_max": Kind("NBBG_LOG_MAX", values.size, 1_000_000_000),
    "keep_runs": Kind("NBBG_KEEP_RUNS", values.number, 0),
    "keep_days": Kind("NBBG_KEEP_DAYS", values.days, 0.0),
    "notebooks": Kind("NOTEBOOKS", values.notebooks, ()),
    "run_times": Kind("RUN_TIMES", values.count, None),
    "exit_file": Kind("EXIT_FILE", values.exit_file),
    "secrets": Kind(secrets.NAMED, values.names, ()),
}


def known() -> str:
    """All names, as they are typed."""
    return f"there are: {', '.join(dashed(name) for name in KINDS)}"


def dashed(name: str) -> str:
    """A name as it is typed."""
    return name.replace("_", "-")
