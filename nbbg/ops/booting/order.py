"""What is started at boot for a project: one command line, for systemd and for cron alike."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from nbbg import files
from nbbg.classes import dataclass
from nbbg.errors import UsageError
from nbbg.store import filesystem, shared

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbbg.ops.project import Project

OPTION = "--after-boot"
# Where nbbg finds its things; all else comes from the records and the settings' files.
_PASSED = (
    *("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"),
    *("NBBG_STORE", filesystem.VARIABLE),
)


@dataclass(frozen=True)
class Order:
    """The command line of a project, and what it is called."""

    root: Path
    name: str  # of the unit, and of the mark in the crontab
    argv: tuple[str, ...]
    log: Path  # of what it says


def of(project: Project, environment: Mapping[str, str]) -> Order:
    """What is to be started at boot for a project.

    Raises:
        UsageError: its path can't be written into a unit or a crontab.
    """
    root = project.root
    name = f"nbbg-resume-{shared.short_name(str(root))}"
    given = {key: environment[key] for key in _PASSED if environment.get(key)}
    argv = (
        *("/usr/bin/env", *(f"{key}={value}" for key, value in given.items())),
        *(sys.executable, "-P", "-m", "nbbg", "resume", OPTION, str(root)),
    )
    if any(not word.isprintable() for word in argv):
        message = f"{str(root)!r} has characters that neither systemd nor cron can read: rename it"
        raise UsageError(message)
    state = environment.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Order(root, name, argv, Path(state, "nbbg", "at-boot", f"{name}.log"))


def make_log(order: Order) -> None:
    """The log, empty where there is none: what starts at boot can't make its folder."""
    files.make_folder(order.log.parent)
    files.touch(order.log)


def folder_of_units(environment: Mapping[str, str]) -> Path:
    """Where this user's units are."""
    base = environment.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(os.path.abspath(base), "systemd", "user")
